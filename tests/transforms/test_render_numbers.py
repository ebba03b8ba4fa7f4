"""Stored numbers become the same shades in whatever containers and bits they lie."""

import numpy as np
import pytest

from waystation.transforms.image import Image
from waystation.transforms.render_grey import Array, Rescale, Tones, shown, windowed
from waystation.transforms.render_job import Window

pytestmark = pytest.mark.req("W-86")
ROWS, COLUMNS = 5, 8


def image(allocated: int, stored: int, high: int, *, signed: bool) -> Image:
    return Image(
        rows=ROWS,
        columns=COLUMNS,
        samples=1,
        allocated=allocated,
        stored=stored,
        high=high,
        signed=signed,
        photometric="MONOCHROME2",
        planar=0,
        frames=1,
    )


def meant(container: int, said: Image) -> int:
    """Return the number that lies in a container, bit by bit (PS3.5 section 8.1.1)."""
    bits = container >> (said.high + 1 - said.stored) & ((1 << said.stored) - 1)
    return bits - (1 << said.stored) if said.signed and bits >> (said.stored - 1) else bits


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize(
    ("allocated", "stored", "high"),
    [(8, 8, 7), (8, 5, 4), (8, 5, 7), (16, 16, 15), (16, 12, 11), (16, 12, 15), (32, 16, 15)],
)
def test_other_bits_of_a_container_never_change_a_shade(
    allocated: int, stored: int, high: int, clean: bool, signed: bool
) -> None:
    said = image(allocated, stored, high, signed=signed)
    containers = np.random.default_rng(allocated + stored).integers(
        0, 1 << allocated, ROWS * COLUMNS, dtype=np.uint64
    )
    if clean and high + 1 == stored:
        numbers = [meant(int(one), said) for one in containers]
        containers = np.array(numbers).astype(f"i{allocated // 8}").view(f"u{allocated // 8}")
    kind = f"<{'i' if signed else 'u'}{allocated // 8}"
    samples = containers.astype(f"<u{allocated // 8}").view(kind).reshape(ROWS, COLUMNS)
    numbers = [meant(int(one) % (1 << allocated), said) for one in containers]
    for window in (None, Window(0.0, (1 << stored) / 2)):
        tones = Tones(
            modality=Rescale(2.0, -3.0),
            voi=None if window is None else windowed(window),
            inverse=False,
        )
        assert shown(samples, said, tones, 255).tolist() == expected(numbers, window)


def expected(numbers: list[int], window: Window | None) -> list[list[int]]:
    values = np.array([2.0 * one - 3.0 for one in numbers])
    if window is None:
        shades = (values - values.min()) / (values.max() - values.min())
    else:
        shades = np.clip((values - (window.center - 0.5)) / (window.width - 1) + 0.5, 0, 1)
    found: Array = (shades * 255 + 0.5).astype(np.uint8)
    grey: list[list[int]] = found.reshape(ROWS, COLUMNS).tolist()
    return grey
