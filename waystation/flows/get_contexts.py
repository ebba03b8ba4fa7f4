"""What a C-GET has to propose, so that objects come as they are stored.  Pure.

Contract: one presentation context for each class and syntax where that fits into 128; else the
PACS has to choose among compressed syntaxes, or among all, for each class (W-107).
"""

from collections.abc import Iterable, Sequence

from waystation.dicom import uids
from waystation.wire.items import ProposedContext
from waystation.wire.negotiate import propose

MOST = 128
NATIVE = (uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE)
COMPRESSED = (
    uids.JPEG_BASELINE,
    uids.JPEG_LOSSLESS_SV1,
    uids.JPEG_2000_LOSSLESS,
    uids.JPEG_2000,
    uids.RLE_LOSSLESS,
    uids.JPEG_LS_LOSSLESS,
    uids.JPEG_EXTENDED,
    uids.JPEG_LOSSLESS,
    uids.JPEG_LS_NEAR,
    uids.HTJ2K_LOSSLESS,
    uids.DEFLATED,
    uids.EXPLICIT_VR_BE,
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.103",
)
# Two contexts for native objects and one for compressed ones each: more do not fit.
COMMON = 42
_STORAGE = uids.ROOT + "5.1.4.1.1."
# What a series of a modality usually holds, as ends of the UIDs.
BY_MODALITY = {
    "CR": "1",
    "CT": "2 2.1",
    "DX": "1.1 1.1.1",
    "MG": "1.2 1.2.1 13.1.3",
    "MR": "4 4.1 4.2",
    "NM": "20",
    "OT": "7 7.1 7.2 7.3 7.4",
    "PT": "128 130",
    "RF": "12.2 12.2.1",
    "RTDOSE": "481.2",
    "RTIMAGE": "481.1",
    "RTPLAN": "481.5 481.8",
    "RTSTRUCT": "481.3",
    "SC": "7 7.1 7.2 7.3 7.4",
    "SEG": "66.4",
    "SR": "88.11 88.22 88.33 88.34 88.67",
    "US": "6.1 3.1",
    "XA": "12.1 12.1.1",
}


def by_modality(modalities: Iterable[str]) -> list[str]:
    """Return the classes that such series usually hold; none if one of them is unknown."""
    found: list[str] = []
    for modality in modalities:
        if modality not in BY_MODALITY:
            return []
        found += [_STORAGE + end for end in BY_MODALITY[modality].split()]
    return list(dict.fromkeys([*found, uids.SECONDARY_CAPTURE_STORAGE])) if found else []


def common() -> list[str]:
    """Return the classes that common modalities make."""
    names = [_STORAGE + end for ends in BY_MODALITY.values() for end in ends.split()]
    return list(dict.fromkeys(names))[:COMMON]


def contexts_of(
    sop_class: str, classes: Sequence[str], syntaxes: Sequence[str] = COMPRESSED
) -> tuple[ProposedContext, ...]:
    """Return the context of the service ``sop_class`` and those of storage.

    syntaxes: besides the two little endian ones.
    """
    compressed = tuple(syntaxes)
    pairs: list[tuple[str, tuple[str, ...]]] = []
    for groups in (
        [(syntax,) for syntax in (*NATIVE, *compressed)],
        [*((syntax,) for syntax in NATIVE), compressed],
        [NATIVE, compressed],
        [(*NATIVE, *compressed)],
    ):
        pairs = [(name, group) for group in groups if group for name in classes]
        if len(pairs) < MOST:
            break
    return propose([(sop_class, NATIVE), *pairs[: MOST - 1]])[0]
