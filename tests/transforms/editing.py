"""Heads and edits for the tests of steps."""

from collections.abc import Mapping
from typing import Any

from tests.dicom.building import EXPLICIT, el
from waystation.dicom.head import Head
from waystation.transforms.edit import Edit
from waystation.transforms.edit_read import read_edit
from waystation.transforms.lookup import LookupTable
from waystation.transforms.steps import Failed, StepFacts, Tools, Treated, apply
from waystation.transforms.validate import Validation

NOW = 1_790_000_000.0
WORDS = {"calling_ae": "CT1", "called_ae": "WAY", "peer": "ct1", "arrival": "a1"}
FACTS = StepFacts(now=NOW, system="waystation", source="CT1", words=WORDS)
KEYS = {"": b"k" * 32}


def head_of(*elements: bytes, syntax: str = EXPLICIT, charset: bytes = b"") -> Head:
    """Return a head of these elements, in the order given, with a SOP class before them."""
    begun = [el(0x00080005, "CS", charset, syntax)] if charset else []
    begun.append(el(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0", syntax))
    return Head.from_bytes(b"".join([*begun, *elements]), syntax)


def tools_of(
    *edits: Mapping[str, Any],
    tables: Mapping[str, LookupTable] | None = None,
    validations: tuple[Validation, ...] = (),
) -> Tools:
    """Return tools for these edits, as a configuration writes them."""
    made: tuple[Edit, ...] = tuple(read_edit(one) for one in edits)
    return Tools(digest="d", edits=made, tables=tables or {}, keys=KEYS, validations=validations)


def treated(head: Head, *edits: Mapping[str, Any], **more: Any) -> Treated:
    """Apply edits that must succeed."""
    done = apply(head, tools_of(*edits, **more), FACTS)
    assert isinstance(done, Treated), done
    return done


def failed(head: Head, *edits: Mapping[str, Any], **more: Any) -> Failed:
    """Apply edits that must fail."""
    done = apply(head, tools_of(*edits, **more), FACTS)
    assert isinstance(done, Failed), done
    return done


def again(done: Treated, head: Head) -> Head:
    """Return the treated head, read again."""
    return Head.from_bytes(done.head, head.transfer_syntax_uid)
