"""Sealed originals: what was replaced can be put back by whoever may open it (D-1, D-31)."""

import pytest

from tests.dicom.building import EXPLICIT
from tests.transforms.deid.treating import (
    FORMS,
    INSTANCE,
    PRIVATE_CLASS,
    SECRET,
    Row,
    encoded,
    engine,
    logical,
    object_of,
    said,
    tree_of,
)
from waystation.dicom.head import Head
from waystation.dicom.tree import parse
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.originals import envelopes_of, restore
from waystation.transforms.deid.profile_read import read_profile
from waystation.transforms.deid.result import Deidentified
from waystation.transforms.errors import UnfitError

ROWS: list[Row] = [
    (0x00080005, "CS", "ISO_IR 100"),
    (0x00080020, "DA", "20200310"),
    (0x00081030, "LO", b"Sch\xe4del of Muster"),
    (0x00081140, "SQ", [[(0x00081155, "UI", INSTANCE)], []]),
    (0x00100030, "DA", "19500101"),
    (0x00180050, "DS", "5 "),
    (0x00280010, "US", b"\x02\x01"),
    (0x00280106, "US", b"\x02\x01"),
    (0x00400275, "SQ", [[(0x00100010, "PN", "Muster^Erika")]]),
]


def scrambled(content: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in content)


def sealing() -> Deidentifier:
    profile = engine("clean_descriptors").profile
    return Deidentifier(profile, derive(SECRET, "key"), version="1", seal=scrambled)


@pytest.mark.req("D-31", "D-1")
@pytest.mark.parametrize("syntax", FORMS)
@pytest.mark.parametrize("is_open", [False, True])
def test_what_was_sealed_comes_back_as_it_was(syntax: str, is_open: bool) -> None:
    rows = object_of(*ROWS, sop_class=PRIVATE_CLASS)
    head = Head.from_bytes(encoded(rows, syntax, is_open=is_open), syntax)
    done = sealing().treat(head)
    assert isinstance(done, Deidentified)
    assert b"Muster" not in done.head
    treated = Head.from_bytes(done.head, syntax)
    (envelope,) = envelopes_of(treated)
    opened = scrambled(envelope)
    assert Head.from_bytes(opened.rstrip(b"Z"), EXPLICIT).elements.keys() == {0x04000550}
    back = Head.from_bytes(restore(treated, opened), syntax)
    assert back.text(0x00120062) == "NO"
    tree = parse(back)
    tree.remove({0x00120062})
    before = parse(Head.from_bytes(encoded(rows, syntax), syntax))
    assert logical(tree) == logical(before)


@pytest.mark.req("D-31")
def test_without_recipients_nothing_is_kept() -> None:
    head = Head.from_bytes(encoded(object_of(*ROWS)), EXPLICIT)
    done = engine().treat(head)
    assert isinstance(done, Deidentified)
    assert said(tree_of(done, head), 0x04000500) is None
    assert envelopes_of(Head.from_bytes(done.head, EXPLICIT)) == []


@pytest.mark.req("D-31")
def test_a_public_profile_seals_nothing() -> None:
    profile = read_profile("x", {"public": True}, {})
    with pytest.raises(ValueError, match="public"):
        Deidentifier(profile, derive(SECRET, "k"), version="1", seal=scrambled)


@pytest.mark.req("D-31")
def test_what_is_no_envelope_restores_nothing() -> None:
    head = Head.from_bytes(encoded(object_of()), EXPLICIT)
    for content in (b"", encoded([(0x04000550, "SQ", [])]), encoded([(0x00100010, "PN", "A")])):
        with pytest.raises(UnfitError, match="envelope"):
            restore(head, content)


@pytest.mark.req("D-31", "D-39")
def test_a_seal_that_breaks_holds_the_object() -> None:
    def broken(content: bytes) -> bytes:
        raise OSError(content.decode("latin-1"))

    who = Deidentifier(engine().profile, derive(SECRET, "k"), version="1", seal=broken)
    found = who.treat(Head.from_bytes(encoded(object_of()), EXPLICIT))
    assert not isinstance(found, Deidentified)
    assert "Muster" not in found.why
