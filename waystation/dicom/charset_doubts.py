"""What is doubtful about the text of a data set: one warning, however many values (T-24, T-25).

Contract: `doubts` reads every text of a head and its items and never fails; `warning_of` is one
sentence that names elements and what is wrong with them, never a value, "" if all is well.
"""

from collections.abc import Iterator

from waystation.dicom.charset_terms import SENTENCES, Fault
from waystation.dicom.charsets import IN_CHARSET, read
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag, keyword_of

NAMED = 3
DEEPEST = 16
ESC = b"\x1b"


def doubts(head: Head) -> dict[Fault, list[int]]:
    """Return for each fault the tags of the elements that have it, in order."""
    found: dict[Fault, list[int]] = {}
    for tag, faults in _faults(head, "", DEEPEST):
        for fault in faults:
            tags = found.setdefault(fault, [])
            if tag not in tags:
                tags.append(tag)
    return found


def _faults(head: Head, inherited: str, depth: int) -> Iterator[tuple[int, frozenset[Fault]]]:
    charset = head.charset(inherited)
    for tag in sorted(head.elements):
        vr = head.vr(tag)
        if vr == "SQ" and depth:
            try:
                for item in head.items(tag):
                    yield from _faults(item, charset, depth - 1)
            except DatasetError:
                continue
        elif vr in IN_CHARSET:
            raw = head.raw(tag) or b""
            if not raw.isascii() or ESC in raw:
                yield tag, read(raw, charset, vr).faults


def warning_of(head: Head) -> str:
    """Return what a person should know about the text of this data set."""
    found = doubts(head)
    said = [f"{_names(found[fault])}: {SENTENCES[fault]}" for fault in Fault if fault in found]
    return f"character set: {'; '.join(said)}" if said else ""


def _names(tags: list[int]) -> str:
    named = ", ".join(keyword_of(tag) or format_tag(tag) for tag in tags[:NAMED])
    return f"{named} and {len(tags) - NAMED} more" if len(tags) > NAMED else named
