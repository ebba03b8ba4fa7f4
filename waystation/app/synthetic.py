"""Synthetic studies for the simulated modality: plausible CT and MR images of nobody.

Contract: pure arithmetic; the same seed gives the same bytes, other seeds give other UIDs.  The
data sets are explicit VR little endian with ascending tags and even lengths (PS3.5 7.1), carry
the geometry that viewers and archives look for (PS3.3 C.7.6.2), and say everywhere that they are
synthetic.
"""

import hashlib
import random
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from waystation.dicom import tags
from waystation.dicom.uids import CT_IMAGE_STORAGE, EXPLICIT_VR_LE, MR_IMAGE_STORAGE, is_uid

HEAD_BYTES = 1200  # what a head takes, about
LARGEST_SIDE = 4096
SLICE_MM = 2.5
LONGEST = 1024
_LONG_VRS = frozenset({"OW", "SQ", "UN", "UT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One SOP instance, ready to be sent."""

    sop_class: str
    sop_instance: str
    data: bytes = field(repr=False)
    transfer_syntax: str = EXPLICIT_VR_LE

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One examination.  number: its place under ``seed``; size_bytes: of one data set, about.

    values: of elements that are not to be made up, (tag, VR, ASCII text).
    """

    seed: str
    number: int
    series: int
    images: int
    size_bytes: int
    values: "tuple[Row, ...]" = ()

    @property
    def uid(self) -> str:
        return uid_of(self.seed, self.number)

    @property
    def modality(self) -> str:
        """CT where the matrix is as large as a CT's, else MR."""
        return "CT" if self.side >= 256 else "MR"

    @property
    def side(self) -> int:
        """Rows and columns of 16-bit pixels that come nearest to the wanted size."""
        pixels = max(self.size_bytes - HEAD_BYTES, 32) // 2
        return min(max(int(pixels**0.5), 4), LARGEST_SIDE)

    def __iter__(self) -> Iterator[Image]:
        for series in range(1, self.series + 1):
            phantom = Phantom(self.side, f"{self.seed}/{self.number}/{series}")
            for number in range(1, self.images + 1):
                yield self._image(phantom, series, number)

    def _image(self, phantom: "Phantom", series: int, number: int) -> Image:
        sop_instance = uid_of(self.seed, self.number, series, number)
        sop_class = CT_IMAGE_STORAGE if self.modality == "CT" else MR_IMAGE_STORAGE
        rows = [
            *self._identity(sop_class, sop_instance, series),
            *self._acquisition(),
            *self._place(series, number),
            *self._pixel_module(),
        ]
        given = {row[0] for row in self.values}
        rows = [row for row in rows if row[0] not in given] + list(self.values)
        pixels = phantom.slice(number / (self.images + 1))
        data = b"".join(element(tag, vr, value) for tag, vr, value in sorted(rows))
        return Image(
            sop_class=sop_class,
            sop_instance=sop_instance,
            data=data + element(0x7FE00010, "OW", pixels),
        )

    def _identity(self, sop_class: str, sop_instance: str, series: int) -> "list[Row]":
        day = date(2026, 1, 5) + timedelta(days=self.number % 90)
        when = f"{8 + self.number % 10:02}{7 * self.number % 60:02}00"
        person = f"SYN-{hashlib.sha256(self.seed.encode()).hexdigest()[:6].upper()}-{self.number}"
        return [
            (0x00080005, "CS", "ISO_IR 100"),
            (0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
            (0x00080016, "UI", sop_class),
            (0x00080018, "UI", sop_instance),
            (0x00080020, "DA", f"{day:%Y%m%d}"),
            (0x00080030, "TM", when),
            (0x00080050, "SH", f"SYN{self.number:05}"),
            (0x00080060, "CS", self.modality),
            (0x00080070, "LO", "WAYSTATION SIMULATOR"),
            (0x00080080, "LO", "SYNTHETIC HOSPITAL"),
            (0x00080090, "PN", ""),
            (0x00081030, "LO", f"SYNTHETIC {self.modality} STUDY"),
            (0x0008103E, "LO", f"SYNTHETIC SERIES {series}"),
            (0x00081090, "LO", "PHANTOM 1"),
            (0x00100010, "PN", f"SYNTHETIC^PATIENT {self.number}"),
            (0x00100020, "LO", person),
            (0x00100030, "DA", ""),
            (0x00100040, "CS", "O"),
            (0x0020000D, "UI", self.uid),
            (0x0020000E, "UI", uid_of(self.seed, self.number, series)),
            (0x00200010, "SH", str(self.number)),
            (0x00200011, "IS", str(series)),
        ]

    def _acquisition(self) -> "list[Row]":
        rows: list[Row] = [(0x00180050, "DS", str(SLICE_MM)), (0x00185100, "CS", "HFS")]
        if self.modality == "CT":
            return [*rows, (0x00180060, "DS", "120"), (0x00181151, "IS", "200")]
        return [
            *rows,
            (0x00180020, "CS", "SE"),
            (0x00180021, "CS", "NONE"),
            (0x00180022, "CS", ""),
            (0x00180023, "CS", "2D"),
            (0x00180080, "DS", "500"),
            (0x00180081, "DS", "15"),
            (0x00180091, "IS", "1"),
        ]

    def _place(self, series: int, number: int) -> "list[Row]":
        z = f"{(number - 1) * SLICE_MM:g}"
        half = self._spacing * self.side / 2
        return [
            (0x00200013, "IS", str(number)),
            (0x00200032, "DS", f"{-half:.4f}\\{-half:.4f}\\{z}"),
            (0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
            (0x00200052, "UI", uid_of(self.seed, self.number, series, "frame")),
            (0x00201040, "LO", ""),
            (0x00201041, "DS", z),
        ]

    @property
    def _spacing(self) -> float:
        return 240.0 / self.side

    def _pixel_module(self) -> "list[Row]":
        rows: list[Row] = [
            (0x00280002, "US", 1),
            (0x00280004, "CS", "MONOCHROME2"),
            (0x00280010, "US", self.side),
            (0x00280011, "US", self.side),
            (0x00280030, "DS", f"{self._spacing:.6f}\\{self._spacing:.6f}"),
            (0x00280100, "US", 16),
            (0x00280101, "US", 12),
            (0x00280102, "US", 11),
            (0x00280103, "US", 0),
            (0x00281050, "DS", "1040"),
            (0x00281051, "DS", "400"),
        ]
        if self.modality == "CT":
            rows += [(0x00281052, "DS", "-1024"), (0x00281053, "DS", "1")]
        return rows


Row = tuple[int, str, str | int]
# Whatever is written as text; of the UIDs, which are made of the seed, only that of the study: a
# worklist entry names it.
FREE_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM"})


def row_of(assignment: str) -> Row:
    """Return what ``KEYWORD=VALUE`` says.  Raises ValueError."""
    word, equals, value = assignment.partition("=")
    if not equals:
        raise ValueError("expected KEYWORD=VALUE, like PatientID=4711")
    tag = tags.tag_for(word)
    vr = tags.vr_of(tag)
    if tag == tags.STUDY_INSTANCE_UID:
        if not is_uid(value):
            raise ValueError(f"{word} needs a UID: digits and points, 64 at most")
    elif vr not in FREE_VRS or tag < 0x00080000:
        raise ValueError(f"{word} cannot be given: only texts, dates and numbers written as text")
    if not value.isascii() or len(value) > LONGEST:
        raise ValueError(f"the value of {word} must be ASCII, {LONGEST} characters at most")
    return tag, vr, value


class Phantom:
    """A cylinder with a shell, as a scanner might see it: air, a bright ring, grainy tissue."""

    def __init__(self, side: int, seed: str) -> None:
        self._side = side
        grain = random.Random(seed).randbytes(2 * side)
        self._tissue = array("H", (1024 + value % 48 for value in grain))

    def slice(self, height: float) -> bytes:
        """Return one plane, rows of little-endian unsigned 16 bits; height: 0 to 1."""
        side = self._side
        centre = (side - 1) / 2
        outer = side * (0.30 + 0.15 * (1 - abs(2 * height - 1)))
        inner = outer * 0.92
        rows = []
        for y in range(side):
            reach, hollow = _chord(outer, y - centre), _chord(inner, y - centre)
            rows.append(self._row(reach, hollow, y))
        return b"".join(rows)

    def _row(self, reach: int, hollow: int, y: int) -> bytes:
        side = self._side
        width, core = 2 * min(reach, side // 2), 2 * min(hollow, side // 2)
        shell = (width - core) // 2
        margin = (side - width) // 2
        start = (y * 7) % side
        tissue = self._tissue[start : start + core].tobytes()
        bone = b"\xd0\x07" * shell
        row = bytes(2 * margin) + bone + tissue + bone
        return row + bytes(2 * side - len(row))


def _chord(radius: float, distance: float) -> int:
    """Return half the length of the chord at ``distance`` from the centre, in pixels."""
    rest = radius * radius - distance * distance
    return int(rest**0.5) if rest > 0 else 0


def element(tag: int, vr: str, value: str | int | bytes) -> bytes:
    """Return one element; an int becomes US."""
    if isinstance(value, int):
        raw = struct.pack("<H", value)
    else:
        raw = value.encode("ascii") if isinstance(value, str) else value
    if len(raw) & 1:
        raw += b"\0" if vr in ("UI", "OW") else b" "
    group, number = tag >> 16, tag & 0xFFFF
    if vr in _LONG_VRS:
        return struct.pack("<HH2s2xI", group, number, vr.encode(), len(raw)) + raw
    return struct.pack("<HH2sH", group, number, vr.encode(), len(raw)) + raw


def uid_of(*words: object) -> str:
    """Return a UID that depends on ``words`` alone (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
