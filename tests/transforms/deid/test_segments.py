"""What a compressed frame carries beside its pixels is seen, and what decoders need is not."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.dicom.building import el
from waystation.dicom.uids import JPEG_BASELINE
from waystation.transforms.deid.segments import (
    CAMERA,
    COMMENT,
    LONG,
    THUMBNAIL,
    FrameCheck,
    Segments,
)


def item(content: bytes, tag: bytes = b"\xfe\xff\x00\xe0") -> bytes:
    content += b"\0" * (len(content) % 2)
    return tag + len(content).to_bytes(4, "little") + content


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def jpeg(*, progressive: bool = False) -> bytes:
    pixels = np.random.default_rng(7).integers(0, 255, (64, 64), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, progressive=progressive)
    return out.getvalue()


def j2k() -> bytes:
    pixels = np.random.default_rng(7).integers(0, 255, (64, 64), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG2000", no_jp2=True)
    return out.getvalue()


def with_segment(stream: bytes, marker: int, content: bytes) -> bytes:
    return stream[:2] + segment(marker, content) + stream[2:]


def faults(*frames: bytes, step: int = 1 << 20) -> list[str]:
    data = b"".join([item(b""), *map(item, frames), item(b"", b"\xfe\xff\xdd\xe0")])
    look = Segments()
    for at in range(0, len(data), step):
        look.feed(data[at : at + step])
    return list(look.faults)


J2K_LATIN = b"\0\1"


@pytest.mark.req("D-20", "D-42")
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_comments_and_camera_data_are_faults_in_any_pieces(step: int) -> None:
    frame = jpeg()
    exif = segment(0xE1, b"Exif\0\0MM")
    assert faults(frame, with_segment(frame, 0xFE, b"Mustermann, Erika"), step=step) == [COMMENT]
    assert faults(frame[:2] + exif + frame[2:], step=step) == [CAMERA]
    assert faults(with_segment(frame, 0xED, b"Photoshop 3.0\0"), step=step) == [CAMERA]
    assert faults(with_segment(frame, 0xE0, b"JFXX\0\x10"), step=step) == [THUMBNAIL]
    stream = j2k()
    # Behind SIZ, which is the first.
    at = 4 + int.from_bytes(stream[4:6], "big")
    comment = segment(0x64, J2K_LATIN + b"Mustermann")
    assert faults(stream[:at] + comment + stream[at:], step=step) == [COMMENT]


@pytest.mark.req("D-42")
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_what_decoders_need_and_compressors_write_is_none(step: int) -> None:
    frame = jpeg()
    for content in (
        frame,
        jpeg(progressive=True),
        j2k(),
        with_segment(frame, 0xFE, b"Created by GDCM 2.8"),
        with_segment(frame, 0xFE, b"LEAD Technologies Inc. V1.01\0"),
        with_segment(frame, 0xE2, b"ICC_PROFILE\0\1\1"),
        with_segment(frame, 0xEE, b"Adobe\0d\0\0\0\0\0"),
        b"\x01\0\0\0\x40\0\0\0" + bytes(60),
    ):
        assert faults(content, step=step) == []
    noise = np.random.default_rng(3).bytes(100_000)
    assert faults(b"\0" + noise, step=step if step > 1 else 977) == []


@pytest.mark.req("D-42")
def test_a_comment_behind_the_first_scan_is_seen_and_a_cut_header_too() -> None:
    frame = jpeg()
    assert faults(frame[:-2] + segment(0xFE, b"Mustermann") + frame[-2:]) == [COMMENT]
    assert faults(frame[:100]) == [LONG]


def tiled(*, comment: bytes = b"") -> tuple[bytes, int]:
    """Return a codestream of many tiles, and where its second tile-part begins."""
    pixels = np.random.default_rng(7).integers(0, 255, (64, 64), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG2000", no_jp2=True, tile_size=(32, 32))
    stream = out.getvalue()
    first = stream.index(b"\xff\x90\x00\x0a")
    at = first + int.from_bytes(stream[first + 6 : first + 10], "big")
    assert stream[at : at + 2] == b"\xff\x90"
    length = int.from_bytes(stream[at + 6 : at + 10], "big")
    longer = (length + len(comment)).to_bytes(4, "big")
    more = stream[at : at + 6] + longer + stream[at + 10 : at + 12] + comment
    return stream[:at] + more + stream[at + 12 :], at


@pytest.mark.req("D-20", "D-42")
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_comment_of_a_later_tile_part_is_seen(step: int) -> None:
    clean, at = tiled()
    assert faults(clean, clean, step=step) == []
    named, _ = tiled(comment=segment(0x64, J2K_LATIN + b"Mustermann"))
    decoded = [np.asarray(Image.open(io.BytesIO(one))) for one in (clean, named)]
    assert (decoded[0] == decoded[1]).all()
    assert faults(clean, named, step=step) == [COMMENT]
    # A frame may lie in several items, cut anywhere.
    for cut in (50, at - 1, at + 1, at + 14):
        cut += cut % 2
        assert faults(named[:cut], named[cut:], clean, step=step) == [COMMENT]
        assert faults(clean[:cut], clean[cut:], clean, step=step) == []
    wrong = clean[: at + 6] + (40).to_bytes(4, "big") + clean[at + 10 :]
    assert faults(wrong, step=step) == [LONG]


@pytest.mark.req("D-20", "D-42")
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_comment_in_a_later_item_of_a_frame_is_seen(step: int) -> None:
    frame = jpeg(progressive=True)
    later = frame.rindex(b"\xff\xda")
    named = frame[:later] + segment(0xFE, b"Mustermann") + frame[later:]
    for cut in (later - 2, later, later + 1):
        cut += cut % 2
        assert faults(frame[:cut], frame[cut:], frame, step=step) == []
        assert faults(frame, named[:cut], named[cut:], step=step) == [COMMENT]


@pytest.mark.req("D-39", "D-42")
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_frames_are_looked_at_where_verification_is_off(step: int) -> None:
    def refusal(frame: bytes) -> str:
        pixels = item(b"") + item(frame) + item(b"", b"\xfe\xff\xdd\xe0")
        data = el(0x00080060, "CS", b"DX") + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + pixels
        look = FrameCheck().over(JPEG_BASELINE)
        for at in range(0, len(data), step):
            look.feed(data[at : at + step])
        return look.refusal()

    assert refusal(jpeg()) == ""
    assert refusal(with_segment(jpeg(), 0xFE, b"Mustermann")) == COMMENT
