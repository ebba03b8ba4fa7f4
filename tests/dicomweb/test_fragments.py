"""Frames in fragments: told apart by tables, by number, or by where code streams begin."""

import struct

import pytest

from waystation.dicomweb.fragments import (
    Read,
    frames,
    packed,
    read_frame_list,
    unpacked,
    walk,
)

SOI = b"\xff\xd8"


def encapsulated(fragments: list[bytes], basic: list[int] | None = None) -> bytes:
    table = struct.pack(f"<{len(basic or [])}I", *(basic or []))
    parts = [struct.pack("<HHI", 0xFFFE, 0xE000, len(table)), table]
    for one in fragments:
        parts += [struct.pack("<HHI", 0xFFFE, 0xE000, len(one)), one]
    return b"".join([*parts, struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)])


def reader(data: bytes) -> Read:
    return lambda at, size: data[at : at + size]


def told(
    fragments: list[bytes], n: int, basic: list[int] | None = None, extended: tuple[int, ...] = ()
) -> list[bytes]:
    """Return the frames of a value that stands behind four other bytes."""
    data = b"head" + encapsulated(fragments, basic)
    read = reader(data)
    table = frames(walk(read, 4, len(data)), n, extended, read)
    assert unpacked(packed(table)) == [list(frame) for frame in table]
    return [b"".join(read(start, length) for start, length in frame) for frame in table]


TWO = [SOI + b"a1", b"a2", SOI + b"b1", b"b2b2"]
WHOLE = [SOI + b"a1a2", SOI + b"b1b2b2"]


@pytest.mark.req("W-83")
def test_a_frame_of_several_fragments_is_joined() -> None:
    assert told([b"only", b"one."], 1) == [b"onlyone."]
    assert told([b"1111", b"22"], 2) == [b"1111", b"22"]
    offsets = [0, 8 + 4 + 8 + 2]
    assert told(TWO, 2, basic=offsets) == WHOLE
    assert told(TWO, 2, extended=tuple(offsets)) == WHOLE
    # Tables that do not fit are not believed.
    assert told(TWO, 2) == WHOLE
    assert told(TWO, 2, basic=[0, 3]) == WHOLE
    assert told(TWO, 2, basic=[0]) == WHOLE


@pytest.mark.req("W-83")
def test_what_cannot_be_told_apart_or_is_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="told apart"):
        told([b"xx", b"yy", b"zz"], 2)
    whole = encapsulated([b"1111", b"22"])
    for cut in (whole[:-8], whole[:-10], whole[:14], b"\0" * 40):
        with pytest.raises(ValueError, match="its fragments"):
            walk(reader(cut), 0, len(cut))


@pytest.mark.req("W-82")
def test_frame_lists() -> None:
    assert read_frame_list("1,30,1") == [1, 30, 1]
    assert len(read_frame_list(",".join(["7"] * 1024))) == 1024
    for text in ("", "0", "1,,2", "+1", "1 ", "a", "٣", ",".join(["7"] * 1025), "9999999999"):
        with pytest.raises(ValueError, match="frames"):
            read_frame_list(text)
