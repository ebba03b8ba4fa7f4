"""Pixels are blacked and shown in a child process; what it cannot do fails one object only."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.codecs.test_pool import HOSTILE, SMALL, doing
from tests.objects import public
from tests.objects.elements import element
from tests.objects.files import Stored
from tests.objects.layouts import Picture
from waystation.codecs.errors import CodecError
from waystation.codecs.pool import CodecPool
from waystation.transforms.redact_job import Glimpse, Rectangle, RedactJob

BOX = Rectangle(2, 3, 10, 4)
JOB = RedactJob(rectangles=(BOX,), keep=(Rectangle(0, 0, 30, 30),), unused_bits=True)


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[CodecPool]:
    made = CodecPool(tmp_path / "work")
    yield made
    await made.close()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


def native(picture: Picture) -> Stored:
    data_set = picture.data_set(picture.laid_out(picture.numbers()))
    return Stored(sop_class="", sop_instance="", transfer_syntax=public.EXPLICIT, data_set=data_set)


def test_a_job_survives_the_pipe() -> None:
    for job in (JOB, RedactJob(), replace(JOB, keep=None, lossy="hold"), replace(JOB, keep=())):
        assert RedactJob.of_text(job.text()) == job
        assert "\n" not in job.text()
        glimpse = Glimpse(job=job, frame=3, side=77, blacked=True)
        assert Glimpse.of_text(glimpse.text()) == glimpse


@pytest.mark.req("D-35")
async def test_a_child_blacks_what_comes_in_pieces_and_says_what_it_is_now(
    pool: CodecPool,
) -> None:
    one = public.public()["JPEG-lossy.dcm"]
    job = RedactJob(rectangles=(BOX,))
    made = await pool.redact(
        pieces(one.data_set), digest=one.digest, syntax=one.transfer_syntax, job=job
    )
    content = await made.whole()
    assert made.transfer_syntax_uid == public.EXPLICIT
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert "PixelData decompressed" in made.changes
    pixels = public.pixels(replace(one, transfer_syntax=public.EXPLICIT, data_set=content))
    assert not pixels[3:7, 2:12].any()
    made.drop()
    kept = public.public()["MR_small_RLE.dcm"]
    made = await pool.redact(
        kept.data_set, digest=kept.digest, syntax=kept.transfer_syntax, job=job
    )
    assert made.transfer_syntax_uid == kept.transfer_syntax
    assert pool.started == 1
    made.drop()


@pytest.mark.req("D-39", "S-41")
@pytest.mark.parametrize("deed", ["crash", "eat"])
async def test_a_codec_that_dies_over_it_fails_it_and_gives_nothing(
    tmp_path: Path, deed: str
) -> None:
    pool = CodecPool(tmp_path / "work", SMALL, HOSTILE)
    one = doing(deed)
    job = RedactJob(rectangles=(Rectangle(0, 0, 2, 2),))
    with pytest.raises(CodecError):
        await pool.redact(one.data_set, digest=one.digest, syntax=one.transfer_syntax, job=job)
    assert not list((tmp_path / "work").iterdir())
    good = doing("chatter")
    made = await pool.redact(
        good.data_set, digest=good.digest, syntax=good.transfer_syntax, job=job
    )
    assert made.size_bytes
    await pool.close()


@pytest.mark.req("D-33", "D-39")
async def test_a_rectangle_outside_the_image_is_a_codec_error(pool: CodecPool) -> None:
    one = native(Picture())
    job = RedactJob(rectangles=(Rectangle(10, 10, 10, 10),))
    with pytest.raises(CodecError, match="outside the image"):
        await pool.redact(one.data_set, digest=one.digest, syntax=one.transfer_syntax, job=job)


async def seen(
    pool: CodecPool, one: Stored, glimpse: Glimpse
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    png = await pool.preview(
        one.data_set, digest=one.digest, syntax=one.transfer_syntax, glimpse=glimpse
    )
    assert png.startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.req("D-41")
@pytest.mark.parametrize(
    "picture",
    [
        Picture(rows=40, columns=60, frames=3, allocated=16, stored=12, kind="i"),
        Picture(rows=40, columns=60, photometric="MONOCHROME1"),
        Picture(rows=40, columns=60, samples=3, photometric="RGB", planar=1),
        Picture(rows=40, columns=60, samples=3, photometric="YBR_FULL_422", subsampled=True),
        Picture(rows=40, columns=60, allocated=1),
        Picture(rows=40, columns=60, allocated=32, kind="f"),
        Picture(rows=40, columns=60, photometric="PALETTE COLOR"),
    ],
    ids=["signed", "MONOCHROME1", "planes", "YBR_FULL_422", "one bit", "float", "palette"],
)
async def test_a_preview_outlines_the_rectangles_or_blacks_them(
    pool: CodecPool, picture: Picture
) -> None:
    one, job = native(picture), RedactJob(rectangles=(BOX,))
    shown = await seen(pool, one, Glimpse(job=job, frame=picture.frames - 1))
    assert shown.shape == (40, 60, 3)
    assert shown[3, 2].tolist() == shown[6, 11].tolist() == [255, 220, 0]
    assert shown[4, 3].tolist() != [255, 220, 0]
    blacked = await seen(pool, one, Glimpse(job=job, frame=0, blacked=True))
    assert not blacked[3:7, 2:12].any()
    assert blacked.any() or picture.allocated == 1
    with pytest.raises(CodecError, match="frames"):
        await seen(pool, one, Glimpse(job=job, frame=picture.frames))


@pytest.mark.req("D-41")
@pytest.mark.parametrize(
    "name", ["JPEG-lossy.dcm", "MR_small_bigendian.dcm", "examples_palette.dcm"]
)
async def test_a_preview_of_a_public_file_is_no_larger_than_asked(
    pool: CodecPool, name: str
) -> None:
    one = public.public()[name]
    shown = await seen(pool, one, Glimpse(job=RedactJob(keep=(BOX,)), side=50))
    assert max(shown.shape) <= 50


async def test_colours_of_a_palette_are_shown(pool: CodecPool) -> None:
    picture = Picture(photometric="PALETTE COLOR")
    said = b"\0\1\0\0\x10\0"
    red = b"".join(bytes((0, 255 - n)) for n in range(256))
    more = b"".join(element(0x00281101 + n, "US", said) for n in range(3))
    more += element(0x00281201, "OW", red)
    more += b"".join(element(0x00281202 + n, "OW", bytes(512)) for n in range(2))
    data_set = picture.data_set(picture.laid_out(picture.numbers()), more=more)
    one = replace(native(picture), data_set=data_set)
    shown = await seen(pool, one, Glimpse(job=RedactJob()))
    assert np.array_equal(shown[:, :, 0], 255 - picture.numbers()[0, :, :, 0])
    assert not shown[:, :, 1:].any()
