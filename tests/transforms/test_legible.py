"""Pictures for reading: the frames chosen, the shades spread, the brightest parts alone."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.objects.layouts import Array, Picture
from tests.objects.public import EXPLICIT
from tests.objects.written import NAME, drawn
from waystation.transforms.errors import UnfitError
from waystation.transforms.legible import EDGE, MOST_FRAMES, chosen, legible

CT = Picture(rows=64, columns=192, allocated=16, stored=12)


def views(picture: Picture, numbers: Array, *, more: bytes = b"") -> tuple[list[Array], list[int]]:
    """Return the pictures at the size of the image, and their frames."""
    source = BytesIO(picture.data_set(picture.laid_out(numbers), more=more))
    out = BytesIO()
    frames = legible(source, BytesIO(), out, EXPLICIT, lambda _: None)
    held, found = out.getvalue(), []
    while held:
        size = int.from_bytes(held[:8], "big")
        large = Image.open(BytesIO(held[8 : 8 + size]))
        shown = large.resize((large.width // 2, large.height // 2), Image.Resampling.BOX)
        found.append(np.asarray(shown)[EDGE:-EDGE, EDGE:-EDGE].astype(int))
        held = held[8 + size :]
    assert len(found) == len(frames)
    return found, frames


def ink(numbers: Array) -> Array:
    """Return where text stands."""
    found: Array = numbers[0, :, :, 0] == numbers.max()
    return found


@pytest.mark.req("D-36")
def test_all_frames_are_shown_or_so_many_from_the_first_to_the_last() -> None:
    assert chosen(1) == [0]
    assert chosen(MOST_FRAMES) == list(range(MOST_FRAMES))
    for frames in (MOST_FRAMES + 1, 100, 5_000):
        some = chosen(frames)
        assert (some[0], some[-1], len(set(some))) == (0, frames - 1, MOST_FRAMES)
        steps = np.diff(some)
        assert steps.max() - steps.min() <= 1


@pytest.mark.req("D-36")
@pytest.mark.parametrize(
    "picture",
    [
        CT,
        Picture(rows=64, columns=192, allocated=16, kind="i"),
        Picture(rows=64, columns=192, allocated=16, stored=12, high=15),
        Picture(rows=64, columns=192, samples=3, photometric="RGB"),
    ],
    ids=["ct", "signed", "bits on top", "colour"],
)
def test_what_is_written_in_the_brightest_shade_is_white_and_then_black_on_white(
    picture: Picture,
) -> None:
    numbers = drawn(picture, NAME)
    (shades, brightest), frames = views(picture, numbers)
    assert frames == [1, 1]
    there = ink(numbers)
    assert shades[there].mean() > 200 > 60 > shades[~there].mean()
    assert brightest[there].mean() < 60 < 200 < brightest[~there].mean()


def test_a_picture_whose_lowest_number_is_white_is_shown_as_people_see_it() -> None:
    picture = Picture(rows=64, columns=192, photometric="MONOCHROME1")
    numbers = 255 - drawn(picture, NAME)
    there = numbers[0, :, :, 0] == 0
    shades, brightest = views(picture, numbers)[0]
    assert shades[there].mean() > 200
    assert brightest[there].mean() < 60


@pytest.mark.req("D-36")
def test_one_pixel_brighter_than_all_text_hides_none_of_it() -> None:
    picture = Picture(rows=64, columns=192, allocated=16)
    numbers = drawn(picture, NAME) // 16
    there = ink(numbers)
    numbers[0, 40, 100, 0] = 65_535
    shades, brightest = views(picture, numbers)[0]
    assert shades[there].mean() < 40
    assert brightest[there].mean() < 60


def test_an_image_of_one_shade_or_of_two_is_shown_once() -> None:
    one = Picture(rows=8, columns=8)
    assert len(views(one, np.full((1, 8, 8, 1), 7))[0]) == 1
    bits = Picture(rows=8, columns=8, allocated=1, frames=3)
    assert views(bits, np.eye(8, dtype=int)[None, :, :, None].repeat(3, 0))[1] == [1, 2, 3]


def test_what_is_no_image_or_has_colours_of_no_known_kind_is_refused() -> None:
    strange = Picture(rows=8, columns=8, samples=3, photometric="CMYK")
    with pytest.raises(UnfitError):
        views(strange, strange.numbers())
    with pytest.raises(UnfitError):
        legible(BytesIO(CT.head()), BytesIO(), BytesIO(), EXPLICIT, lambda _: None)
