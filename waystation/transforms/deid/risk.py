"""Objects that often show who the patient is, without saying so (D-32).

Contract: `risks_of` names the classes of `RISKS` that an object falls into: by Modality, by SOP
class, or by what its Image Type and its descriptions call it.  An object that does not say what
it is falls into all of them.
"""

from typing import Final

from waystation.dicom.head import Head

ROOT = "1.2.840.10008.5.1.4.1.1."
VIDEO = frozenset(
    f"1.2.840.10008.1.2.4.{number}"
    for number in (*range(100, 109), "100.1", "101.1", "102.1", "103.1", "104.1", "105.1", "106.1")
)
# Class of risk → modalities, and SOP classes below ROOT ("6.1": that one; "7.": all that begin so).
RISKS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "US": (("US", "IVUS", "BDUS", "DD"), ("6", "6.1", "6.2", "3", "3.1")),
    "ES": (("ES",), ("77.1.1", "77.1.1.1")),
    "XC": (("XC", "DMS"), ("77.1.4", "77.1.4.1")),
    "GM": (("GM", "SM"), ("77.1.2", "77.1.2.1", "77.1.3")),
    "OP": (("OP", "OPT", "OPV", "OPM", "OAM"), ("77.1.5.",)),
    "SC": (("SC",), ("7", "7.")),
    "OT": (("OT",), ()),
    "film": (("HC", "FS", "FILM"), ()),
    "screen": ((), ()),
    "dose": ((), ()),
}
# What Image Type or a description says of a picture that was made of a screen or a report.
WORDS = {
    "film": ("FILM", "DIGITIZED"),
    "screen": ("SCREEN", "CAPTURE", "SNAPSHOT", "SCANNED"),
    "dose": ("DOSE", "PROTOCOL", "REPORT", "SUMMARY", "WORKLIST"),
}
IMAGE_TYPE, CONVERSION, MODALITY, SOP_CLASS = 0x00080008, 0x00080064, 0x00080060, 0x00080016
SERIES_DESCRIPTION = 0x0008103E
DIGITIZED = ("DF", "SI")


def is_video(transfer_syntax_uid: str) -> bool:
    """Tell whether it is a syntax of moving pictures."""
    return transfer_syntax_uid in VIDEO


def risks_of(head: Head, asked: frozenset[str]) -> tuple[str, ...]:
    """Return the classes of risk among ``asked`` that the object falls into."""
    modality = head.text(MODALITY).upper()
    sop_class = head.text(SOP_CLASS)
    if not modality or not sop_class:
        return tuple(sorted(asked))
    conversion = head.text(CONVERSION).upper()
    words = _said(head)
    return tuple(
        name
        for name in sorted(asked)
        if modality in RISKS[name][0]
        or _is_class(sop_class, RISKS[name][1])
        or any(word in words for word in WORDS.get(name, ()))
        or (name == "film" and conversion in DIGITIZED)
        or (name == "SC" and conversion not in ("", *DIGITIZED))
    )


def _said(head: Head) -> str:
    found = [head.raw(IMAGE_TYPE), head.raw(SERIES_DESCRIPTION)]
    return " ".join((raw or b"").decode("latin-1") for raw in found).upper()


def _is_class(sop_class: str, endings: tuple[str, ...]) -> bool:
    return any(
        sop_class.startswith(ROOT + ending) if ending.endswith(".") else sop_class == ROOT + ending
        for ending in endings
    )
