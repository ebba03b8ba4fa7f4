"""Objects made by hand and de-identifiers for them: what the tests of the engine are written in."""

from collections.abc import Mapping
from typing import Any

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq
from waystation.dicom.head import Head
from waystation.dicom.tree import Tree, parse
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.profile_read import read_profile
from waystation.transforms.deid.result import NO_FACTS, Deidentified, DeidFacts, Held

SECRET = bytes(range(32))
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
PRIVATE_CLASS = "1.3.12.2.1107.5.9.1"
INSTANCE, STUDY, SERIES = "1.2.3.4.5.1", "1.2.3.4.5.2", "1.2.3.4.5.3"
FORMS = (EXPLICIT, IMPLICIT, BIG)
Row = tuple[int, str, Any]  # tag, VR, bytes or text, or a list of items, each a list of rows


def engine(
    *options: str,
    files: Mapping[str, str] | None = None,
    secret: bytes = SECRET,
    **table: Any,
) -> Deidentifier:
    """Return a de-identifier; the rest of a profile table by keyword."""
    profile = read_profile("test", {"options": list(options), **table}, files or {})
    return Deidentifier(profile, derive(secret, "key"), version="1")


def encoded(rows: list[Row], syntax: str = EXPLICIT, *, is_open: bool = False) -> bytes:
    """Return rows in the order given."""
    made: list[bytes] = []
    for tag, vr, value in rows:
        if isinstance(value, list):
            items = [
                item(encoded(one, syntax, is_open=is_open), syntax, is_open=is_open)
                for one in value
            ]
            made.append(seq(tag, *items, syntax=syntax, is_open=is_open))
        else:
            raw = value.encode("latin-1") if isinstance(value, str) else value
            raw += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(raw) % 2)
            if syntax == BIG and vr in ("US", "SS"):
                raw = b"".join(raw[at : at + 2][::-1] for at in range(0, len(raw), 2))
            made.append(el(tag, vr, raw, syntax))
    return b"".join(made)


def object_of(*rows: Row, sop_class: str = CT, modality: str = "CT") -> list[Row]:
    """Return the rows of an object with identity; ``rows`` replace or join them."""
    base: list[Row] = [
        (0x00080016, "UI", sop_class),
        (0x00080018, "UI", INSTANCE),
        (0x00080060, "CS", modality),
        (0x00100010, "PN", "Muster^Erika"),
        (0x00100020, "LO", "PID-4711"),
        (0x0020000D, "UI", STUDY),
        (0x0020000E, "UI", SERIES),
    ]
    given = {row[0] for row in rows}
    return sorted([row for row in base if row[0] not in given] + list(rows), key=lambda row: row[0])


def head_of(*rows: Row, syntax: str = EXPLICIT, **more: str) -> Head:
    """Return the head of an object without pixels."""
    return Head.from_bytes(encoded(object_of(*rows, **more), syntax), syntax)


def treated(who: Deidentifier, head: Head, facts: DeidFacts = NO_FACTS) -> Tree:
    """Return the treated object as a tree; it must not be held."""
    return tree_of(done(who, head, facts), head)


def tree_of(result: Deidentified, head: Head) -> Tree:
    return parse(Head.from_bytes(result.head, head.transfer_syntax_uid))


def done(who: Deidentifier, head: Head, facts: DeidFacts = NO_FACTS) -> Deidentified:
    result = who.treat(head, facts)
    assert isinstance(result, Deidentified), result
    return result


def why_held(who: Deidentifier, head: Head, facts: DeidFacts = NO_FACTS) -> str:
    result = who.treat(head, facts)
    assert isinstance(result, Held), "it was not held"
    return result.why


def said(tree: Tree, *path: int | tuple[int, int]) -> str | None:
    """Return the text that the path leads to, None if it is not there.

    path: tags; of a sequence (tag, number of the item).
    """
    for step in path[:-1]:
        tag, number = step if isinstance(step, tuple) else (step, 0)
        elem = tree.get(tag)
        items = elem.items if elem is not None else None
        if not items or len(items) <= number:
            return None
        tree = items[number]
    last = path[-1]
    assert isinstance(last, int)
    elem = tree.get(last)
    if elem is None:
        return None
    return "" if elem.value is None else elem.value.decode("latin-1").strip("\0 ")


def logical(tree: Tree) -> list[object]:
    """Return what a data set says, without regard to how it is coded."""
    made: list[object] = []
    for elem in tree.elements:
        if elem.items is not None:
            made.append((elem.tag, [logical(one) for one in elem.items]))
        else:
            value = (elem.value or b"").rstrip(b"\0 ")
            if elem.is_big_endian and elem.vr in ("US", "SS"):
                raw = elem.value or b""
                value = b"".join(raw[at : at + 2][::-1] for at in range(0, len(raw), 2))
                value = value.rstrip(b"\0 ")
            made.append((elem.tag, value))
    return made
