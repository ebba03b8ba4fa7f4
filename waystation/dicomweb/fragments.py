"""Where the frames of encapsulated pixels lie (PS3.5 section A.4; W-83).

Contract: pure.  `walk` reads the item headers of the fragments through a function of the caller
and nothing else; `frames` tells which fragments make up which frame: by the extended offset table,
by the basic one, by their number, or by where code streams begin.  ValueError for what is no
sequence of fragments, or cannot be told apart.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

ITEM: Final = struct.Struct("<HHI")
ITEM_TAG: Final = (0xFFFE, 0xE000)
END_TAG: Final = (0xFFFE, 0xE0DD)
MOST: Final = 1_000_000
# A code stream of JPEG and JPEG-LS begins so, one of JPEG 2000 like that.
BEGINNINGS: Final = (b"\xff\xd8", b"\xff\x4f")

Read = Callable[[int, int], bytes]
# (offset, length) of the values of fragments, in the data set.
Frame = Sequence[tuple[int, int]]


@dataclass(slots=True)
class Fragments:
    """What a walk found.  basic: the basic offset table; first: where the first fragment begins."""

    basic: Sequence[int] = ()
    first: int = 0
    values: list[tuple[int, int]] = field(default_factory=list)


def walk(read: Read, start: int, end: int) -> Fragments:
    """Return the fragments of pixels whose value begins at ``start``.

    read: (offset, size) → bytes of the data set, fewer at its end.  end: size of the data set.
    """
    at = start
    found = Fragments()
    table_seen = False
    while at + 8 <= end:
        group, number, length = ITEM.unpack(_exactly(read, at, 8))
        if (group, number) == END_TAG:
            return found
        if (group, number) != ITEM_TAG or at + 8 + length > end:
            raise ValueError("its fragments are damaged")
        if not table_seen:
            table_seen = True
            whole = _exactly(read, at + 8, length // 4 * 4)
            found.basic = struct.unpack(f"<{len(whole) // 4}I", whole)
            found.first = at + 8 + length
        else:
            found.values.append((at + 8, length))
            if len(found.values) > MOST:
                raise ValueError("it has too many fragments")
        at += 8 + length
    raise ValueError("its fragments do not end")


def _exactly(read: Read, at: int, size: int) -> bytes:
    data = read(at, size)
    if len(data) != size:
        raise ValueError("its fragments are cut")
    return data


def frames(found: Fragments, n_frames: int, extended: Sequence[int], read: Read) -> list[Frame]:
    """Return the fragments of each frame.  extended: offsets of the extended table, () for none."""
    values = found.values
    if n_frames == 1 and values:
        return [values]
    if len(values) == n_frames:
        return [[one] for one in values]
    for offsets in (extended, found.basic):
        grouped = _by_offsets(found, offsets, n_frames)
        if grouped:
            return grouped
    begins = [at for at, (start, _) in enumerate(values) if read(start, 2) in BEGINNINGS]
    if len(begins) != n_frames or begins[0] != 0:
        raise ValueError(f"{len(values)} fragments cannot be told apart as {n_frames} frames")
    return _cut(values, begins)


def _by_offsets(found: Fragments, offsets: Sequence[int], n_frames: int) -> list[Frame]:
    if len(offsets) != n_frames or not offsets or offsets[0] != 0:
        return []
    starts = [start - 8 - found.first for start, _ in found.values]
    begins = [bisect_left(starts, offset) for offset in offsets]
    fits = all(
        place < len(starts) and starts[place] == offset
        for place, offset in zip(begins, offsets, strict=True)
    )
    return _cut(found.values, begins) if fits and sorted(set(begins)) == begins else []


def _cut(values: Sequence[tuple[int, int]], begins: Sequence[int]) -> list[Frame]:
    ends = [*begins[1:], len(values)]
    return [values[first:last] for first, last in zip(begins, ends, strict=True)]


def packed(table: Sequence[Frame]) -> bytes:
    """Return a table as bytes: number of frames, number of fragments of each, then all of them."""
    numbers = array("Q", [len(table), *map(len, table)])
    for frame in table:
        for start, length in frame:
            numbers.extend((start, length))
    return numbers.tobytes()


def unpacked(data: bytes) -> list[Frame]:
    """Return the table again."""
    numbers = array("Q", data)
    n_frames = numbers[0]
    at = 1 + n_frames
    found: list[Frame] = []
    for n_fragments in numbers[1:at]:
        stop = at + 2 * n_fragments
        found.append(list(zip(numbers[at:stop:2], numbers[at + 1 : stop : 2], strict=True)))
        at = stop
    return found


def read_frame_list(text: str) -> list[int]:
    """Return the frame numbers of a path, counted from 1; ValueError if it is no list of them."""
    parts = text.split(",")
    if len(parts) > MOST_FRAMES:
        raise ValueError(f"more than {MOST_FRAMES} frames are asked for at once")
    numbers = []
    for part in parts:
        if not part.isascii() or not part.isdigit() or len(part) > 9 or int(part) == 0:
            raise ValueError("frames are numbers from 1 on, with commas between them")
        numbers.append(int(part))
    return numbers


MOST_FRAMES: Final = 1024
