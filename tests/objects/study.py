"""Whole studies on disk: CT of 0.5 MB, small objects of 12 kB, compressed and private ones.

Contract: the same arguments give the same bytes.  UIDs are unique within one ``seed`` and
differ between seeds.  Files lie flat in the folder, or spread over ``folders`` sub-folders so
that several senders can share one study.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.objects.elements import EXPLICIT_LITTLE, element, encapsulated, file_meta

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PRIVATE_CLASS = "1.2.826.0.1.3680043.10.1471.99.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the objects of a study are like; ``side``: rows and columns, 16 bits each."""

    sop_class: str
    modality: str
    side: int
    transfer_syntax: str = EXPLICIT_LITTLE
    compressed_bytes: int = 0


KINDS = {
    "ct": Kind(sop_class=CT_IMAGE, modality="CT", side=512),
    "small": Kind(sop_class=MR_IMAGE, modality="MR", side=76),
    "tiny": Kind(sop_class=CT_IMAGE, modality="CT", side=16),
    "private": Kind(sop_class=PRIVATE_CLASS, modality="OT", side=16),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study on disk.  ``digests``: SOP Instance UID → SHA-256 of the data set bytes."""

    folder: Path
    study_uid: str
    files: tuple[Path, ...]
    digests: dict[str, str]


def uid_of(*words: object) -> str:
    """Return a UID made from ``words`` (PS3.5 section B.2: 2.25 and a 128-bit number)."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big') >> 4}"


def noise(length: int, seed: object) -> bytes:
    """Return ``length`` bytes that look random and never change."""
    return random.Random(str(seed)).randbytes(length)


def head(kind: Kind, study_uid: str, series_uid: str, sop_uid: str, number: int) -> bytes:
    """Return every element before Pixel Data, explicit VR little endian."""
    return b"".join(
        (
            element(0x00080005, "CS", "ISO_IR 100"),
            element(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
            element(0x00080016, "UI", kind.sop_class),
            element(0x00080018, "UI", sop_uid),
            element(0x00080020, "DA", "20260401"),
            element(0x00080030, "TM", "101500"),
            element(0x00080050, "SH", "A1000"),
            element(0x00080060, "CS", kind.modality),
            element(0x00080070, "LO", "SYNTHETIC"),
            element(0x00080090, "PN", ""),
            element(0x00081030, "LO", "SYNTHETIC STUDY"),
            element(0x00100010, "PN", "SYNTHETIC^ONE"),
            element(0x00100020, "LO", "SYN-0001"),
            element(0x00100030, "DA", ""),
            element(0x00100040, "CS", "O"),
            element(0x0020000D, "UI", study_uid),
            element(0x0020000E, "UI", series_uid),
            element(0x00200010, "SH", "1"),
            element(0x00200011, "IS", "1"),
            element(0x00200013, "IS", str(number)),
            element(0x00280002, "US", 1),
            element(0x00280004, "CS", "MONOCHROME2"),
            element(0x00280010, "US", kind.side),
            element(0x00280011, "US", kind.side),
            element(0x00280100, "US", 16),
            element(0x00280101, "US", 16),
            element(0x00280102, "US", 15),
            element(0x00280103, "US", 0),
        )
    )


def pixels_of(kind: Kind, seed: object) -> Callable[[int], bytes]:
    """Return a function from instance number to Pixel Data; the noise is drawn only once."""
    if kind.compressed_bytes:
        frame = noise(kind.compressed_bytes, seed)
        return lambda number: encapsulated([number.to_bytes(4, "big") + frame])
    plane = noise(kind.side * kind.side * 2, seed)
    return lambda number: element(
        0x7FE00010, "OW", number.to_bytes(4, "little") + plane[: len(plane) - 4]
    )


def data_sets(kind: Kind, count: int, seed: object) -> Iterator[tuple[str, bytes]]:
    """Yield (SOP Instance UID, data set bytes) of one study with one series."""
    study_uid, series_uid = uid_of(seed, "study"), uid_of(seed, "series")
    pixels = pixels_of(kind, seed)
    for number in range(1, count + 1):
        sop_uid = uid_of(seed, "instance", number)
        yield sop_uid, head(kind, study_uid, series_uid, sop_uid, number) + pixels(number)


def make_study(
    folder: Path, kind: str | Kind, count: int, *, seed: object = 0, folders: int = 1
) -> Study:
    """Write ``count`` objects under ``folder`` and return what they are."""
    what = KINDS[kind] if isinstance(kind, str) else kind
    files: list[Path] = []
    digests: dict[str, str] = {}
    for sop_uid, data_set in data_sets(what, count, seed):
        number = len(files)
        home = folder / f"part{number % folders}" if folders > 1 else folder
        home.mkdir(parents=True, exist_ok=True)
        file = home / f"{number:06}.dcm"
        file.write_bytes(file_meta(what.sop_class, sop_uid, what.transfer_syntax) + data_set)
        files.append(file)
        digests[sop_uid] = hashlib.sha256(data_set).hexdigest()
    return Study(
        folder=folder, study_uid=uid_of(seed, "study"), files=tuple(files), digests=digests
    )
