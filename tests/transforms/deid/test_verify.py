"""What is left of a patient in an output is found, wherever it hides and however it is spelled."""

import struct
import zlib
from typing import Any

import pytest

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, OPEN, el, encapsulated
from tests.transforms.deid.treating import Row, encoded, engine, object_of
from waystation.dicom.head import Head
from waystation.dicom.tree import Tree, encode, parse
from waystation.dicom.uids import DEFLATED
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.needles import encodings, spellings
from waystation.transforms.deid.result import Deidentified
from waystation.transforms.deid.verify import OVERLAP

JPEG = "1.2.840.10008.1.2.4.50"
PIXELS = el(0x7FE00010, "OW", bytes(64))
ROWS: list[Row] = [
    (0x00080005, "CS", "ISO_IR 192"),
    (0x00080020, "DA", "20200310"),
    (0x00080050, "SH", "ACC778899"),
    (0x00080080, "LO", "Elbtal Medical Center"),
    (0x00080081, "ST", "Quellgasse 77, 01234 Dresden"),
    (0x00080090, "PN", "Überling^Jörg^^Prof"),
    (0x00081155, "UI", "1.2.3.4.5.6"),
    (0x00100010, "PN", "Zyxwvut^Anna=山田^太郎"),
    (0x00100020, "LO", "00778812"),
    (0x00100030, "DA", "19610503"),
    (0x00101040, "LO", "Quellgasse 77"),
    (0x00102154, "SH", "+49 (351) 778-810"),
    (0x00080070, "LO", "Best Medical Systems"),
    (0x00180015, "CS", "HAND"),
]


def original(*more: Row, rows: list[Row] | None = None) -> Head:
    given = {row[0] for row in more}
    kept = [utf8(row) for row in (ROWS if rows is None else rows) if row[0] not in given]
    return Head.from_bytes(encoded(object_of(*kept, *more)) + PIXELS, EXPLICIT)


def utf8(row: Row) -> Row:
    tag, vr, value = row
    return tag, vr, value.encode() if isinstance(value, str) else value


def done(who: Deidentifier, head: Head) -> Deidentified:
    found = who.treat(head)
    assert isinstance(found, Deidentified), found
    return found


def faults(made: Deidentified, *put: Row, syntax: str = EXPLICIT, tail: bytes = PIXELS) -> str:
    """Return what verification says of an output into which something slipped."""
    assert made.check is not None
    tree = parse(Head.from_bytes(made.head + PIXELS, EXPLICIT))
    for tag, vr, value in put:
        _put(tree, tag, vr, value)
    return made.check.refusal(syntax, [encode(tree), tail])


def _put(tree: Tree, tag: int, vr: str, value: Any) -> None:
    if vr == "SQ":
        content = encoded(value[0])
        item = parse(Head.from_bytes(content, EXPLICIT))
        tree.put_items(tag, [item])
    else:
        tree.put(tag, vr, value if isinstance(value, bytes) else value.encode())


@pytest.fixture(scope="module")
def made() -> Deidentified:
    return done(engine("retain_modified_dates"), original())


@pytest.mark.req("D-42")
def test_what_the_engine_makes_passes(made: Deidentified) -> None:
    assert faults(made) == ""
    assert made.check is not None
    every = made.head + PIXELS
    assert made.check.refusal(EXPLICIT, [every[at : at + 1] for at in range(len(every))]) == ""


@pytest.mark.req("D-42")
def test_verification_can_be_switched_off() -> None:
    assert done(engine(verify="off"), original()).check is None


@pytest.mark.req("D-42")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Zyxwvut", "name"),
        ("for mrs ANNA to keep", "name"),
        ("Dr.Jörg", "name"),
        ("überling", "name"),
        ("山田さん", "name"),
        ("x00778812y", "ID"),
        ("ACC778899", "ID"),
        ("near the quellgasse", "address"),
        ("Elbtal", "address"),
        ("49351778810", "phone"),
        ("+49 (351) 778-810", "phone"),
        ("see 1.2.3.4.5.6", "UID"),
        ("http://pacs/1.2.3.4.5.2/frames/1", "UID"),
        *((day, "date") for day in spellings("19610503")),
        ("on 10.03.2020", "date"),
        ("20200310T1200", "date"),
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_every_trace_is_found_in_a_text(
    made: Deidentified, text: str, kind: str, coding: str
) -> None:
    found = faults(made, (0x00204000, "LT", text.encode(coding)))
    assert kind in found
    assert "original" in found
    assert text not in found


@pytest.mark.req("D-42")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_nested_and_private_places_are_searched_in_every_form(
    made: Deidentified, syntax: str
) -> None:
    assert made.check is not None
    rows: list[Row] = [(0x00082112, "SQ", [[(0x0008103E, "LO", "Zyxwvut")]])]
    rows += [(0x00090010, "LO", "ACME"), (0x00091001, "UN", b"Quellgasse 77 ")]
    text = encoded(object_of(*rows), syntax)
    found = made.check.over(syntax)
    found.feed(text + el(0x7FE00010, "OW", bytes(4), syntax))
    said = "; ".join(found.faults())
    assert "(0008,103E)" in said
    assert "name" in said
    assert "(0009,1001)" in said
    assert "(0009,0010) must not leave" in said


@pytest.mark.req("D-42")
@pytest.mark.parametrize("word", ["山田太郎", "Überling", "Иванов", "김희중"])
def test_a_name_is_found_in_other_character_sets(word: str) -> None:
    made = done(engine(), original((0x00100010, "PN", word.encode())))
    for raw in encodings(word.casefold()):
        assert "name" in faults(made, (0x00204000, "LT", b"<" + raw + b">")), raw


@pytest.mark.req("D-42")
@pytest.mark.parametrize(
    ("tag", "vr", "text"),
    [
        (0x00180015, "CS", "HAND"),
        (0x00080070, "LO", "Best Medical Systems"),
        (0x00180050, "DS", "0.840123"),
        (0x00200013, "IS", "840"),
        (0x00204000, "LT", "annatto and 20778812"),
    ],
)
def test_what_only_looks_like_a_trace_does_not_hold(tag: int, vr: str, text: str) -> None:
    head = original((0x00100010, "PN", "Hand^Anna"), (0x00100020, "LO", "840"))
    assert faults(done(engine(), head), (tag, vr, text)) == ""


@pytest.mark.req("D-42")
def test_an_institution_may_be_called_like_the_manufacturer() -> None:
    head = original((0x00080070, "LO", "ELBTAL"))
    made = done(engine(), head)
    assert faults(made) == ""
    assert "institution" in faults(made, (0x00081090, "LO", "of Dresden"))
    assert "institution" in faults(made, (0x00204000, "LT", "Elbtal"))


@pytest.mark.req("D-42")
def test_a_family_may_be_called_like_the_manufacturer_but_not_a_whole_name() -> None:
    head = original((0x00080070, "LO", "ZYXWVUT Medical"))
    assert faults(done(engine(), head)) == ""
    head = original((0x00080070, "LO", "Anna Zyxwvut Medical"))
    assert "name" in faults(done(engine(), head))
    head = original((0x00080070, "LO", "00778812"))
    assert "ID" in faults(done(engine(), head))


@pytest.mark.req("D-42")
def test_a_word_of_the_allow_list_counts_where_people_write() -> None:
    made = done(engine(), original((0x00100010, "PN", "Hand^Anna")))
    assert "name" in faults(made, (0x00204000, "LT", "Hand"))


@pytest.mark.req("D-42")
def test_a_comment_in_a_compressed_frame_holds_whatever_it_says(made: Deidentified) -> None:
    for text, holds in ((b"some words", True), (b"Created by IJG", False)):
        code = b"\xff\xd8\xff\xfe\0" + bytes((len(text) + 2,)) + text + b"\xff\xda\0\2\xff\xd9"
        comment = encapsulated(b"", code)
        tail = comment[comment.index(el(0x7FE00010, "OB", size=OPEN)) :]
        assert faults(made, tail=tail, syntax=JPEG) == holds * (
            "verification: a comment stands in a compressed frame"
        )


@pytest.mark.req("D-42")
def test_pixels_are_searched_for_what_is_not_there_by_chance(made: Deidentified) -> None:
    for text, counts in ((b"Zyxwvut", False), (b"1.2.3.4.5.2", True), (b"ann", False)):
        value = bytes(100) + text + bytes(100)
        assert bool(faults(made, tail=el(0x7FE00010, "OW", value + b"\0" * (len(value) % 2)))) is (
            counts
        )
    for text, counts in ((b"Zyxwvut", True), (b"ann", False)):
        code = b"\xff\xd8\xff\xda\0\2" + text.ljust(8) + b"\xff\xd9"
        comment = encapsulated(b"", code)
        tail = comment[comment.index(el(0x7FE00010, "OB", size=OPEN)) :]
        assert faults(made, tail=tail, syntax=JPEG) == counts * (
            "verification: a person's name of the original stands in the pixels"
        )


@pytest.mark.req("D-42")
@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_trace_across_two_pieces_is_found(made: Deidentified, at: int) -> None:
    assert made.check is not None
    value = bytes(OVERLAP * 3) + b"1.2.3.4.5.2\0" + bytes(OVERLAP * 3)
    whole = made.head + el(0x7FE00010, "OW", value)
    cut = len(made.head) + 12 + OVERLAP * 3 - 20 + at
    found = made.check.over(EXPLICIT)
    for piece in (whole[:cut], whole[cut : cut + 1], whole[cut + 1 :]):
        found.feed(piece)
    assert "the pixels" in found.refusal()


@pytest.mark.req("D-42")
def test_deflated_objects_are_searched_inflated(made: Deidentified) -> None:
    assert made.check is not None
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    text = el(0x00204000, "LT", b"Anna Zyxwvut")
    data = packer.compress(text) + packer.flush()
    assert "name" in made.check.refusal(DEFLATED, [data])
    assert "read back" in made.check.refusal(DEFLATED, [b"\xff" * 20])


@pytest.mark.req("D-42")
def test_documents_that_were_kept_are_searched_inside(made: Deidentified) -> None:
    pdf = b"%PDF-1.4\n1 0 obj<</Filter/FlateDecode>>stream\r\n"
    pdf += zlib.compress(b"BT (Zyxwvut, Anna) Tj ET" * 9) + b"\nendstream endobj stream x"
    assert "a document" in faults(made, (0x00420011, "OB", pdf + b"\0" * (len(pdf) % 2)))


@pytest.mark.req("D-42")
def test_a_removed_value_that_is_there_again_holds(made: Deidentified) -> None:
    head = original((0x00100040, "CS", "M"), (0x00181004, "LO", "plate 7"))
    found = faults(done(engine(), head), (0x00181004, "LO", "plate 7"))
    assert "(0018,1004) still has its old value" in found
    assert "(0010,0040)" in faults(done(engine(), head), (0x00100040, "CS", "M"))


@pytest.mark.req("D-42")
def test_moved_dates_may_come_to_lie_on_each_other() -> None:
    who = engine("retain_modified_dates", dates={"range": "7d..7d"})
    head = original((0x00080021, "DA", "20200303"), (0x00080020, "DA", "20200310"))
    assert faults(done(who, head)) == ""
    assert "date" in faults(done(who, head), (0x00204000, "LT", "20200310"))


@pytest.mark.req("D-42")
def test_what_the_profile_keeps_is_no_trace() -> None:
    who = engine(
        *("retain_full_dates", "retain_uids", "retain_institution_identity"),
        rule=[{"tag": "AccessionNumber", "do": "keep", "loosen": "study numbers"}],
    )
    made = done(who, original((0x00101040, "LO", "Waldweg 3")))
    assert b"ACC778899" in made.head
    assert b"20200310" in made.head
    assert b"Elbtal" in made.head
    assert faults(made) == ""
    assert "date" in faults(made, (0x00204000, "LT", "03 May 1961"))


@pytest.mark.req("D-42")
@pytest.mark.parametrize(
    ("tag", "vr", "value", "said"),
    [
        (0x00120062, "CS", "NO", "Identity Removed"),
        (0x00120063, "LO", "somebody", "name the profile"),
        (0x00120064, "SQ", [[(0x00080100, "SH", "113100")]], "not complete"),
        (0x00280303, "CS", "UNMODIFIED", "Longitudinal"),
        (0x04000561, "SQ", [[(0x00100010, "PN", "x")]], "(0400,0561) must not leave"),
        (0x60003000, "OW", b"\0\0", "(6000,3000) must not leave"),
    ],
)
def test_a_wrong_mark_holds(made: Deidentified, tag: int, vr: str, value: Any, said: str) -> None:
    assert said in faults(made, (tag, vr, value))


@pytest.mark.req("D-42")
def test_an_object_that_became_worse_holds(made: Deidentified) -> None:
    assert made.check is not None
    tree = parse(Head.from_bytes(made.head + PIXELS, EXPLICIT))
    tree.remove({0x0020000D, 0x00100010})
    said = made.check.refusal(EXPLICIT, [encode(tree), PIXELS])
    assert "(0020,000D) is required and gone" in said
    assert "(0010,0010) is required and gone" in said
    assert "empty" in faults(made, (0x0020000D, "UI", b""))
    assert "behind its pixels" in faults(made, tail=PIXELS + el(0xFFFCFFFC, "OB", bytes(2)))
    assert "read back" in faults(made, tail=PIXELS[:-3])
    assert "read back" in faults(made, tail=PIXELS + struct.pack("<HH", 1, 2))
