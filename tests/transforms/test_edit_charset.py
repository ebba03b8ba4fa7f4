"""Edits × character sets: what leaves can be read, and nothing else changes (T-26, R-66)."""

import pytest

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq
from tests.transforms.editing import again, failed, head_of, treated
from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason

pytestmark = pytest.mark.req("R-66", "T-26")

NAME, ID = 0x00100010, 0x00100020
NEW = {"set": "PatientName", "to": "{StudyDescription}"}
# Charset, a name that is there, another one that the set can say.
SETS = [
    (b"", b"Doe^John", "Roe^Jane"),
    (b"ISO_IR 100", "Müller^Jürg".encode("latin-1"), "Sjögren^Åsa"),
    (b"ISO_IR 101", "Wałęsa^Lech".encode("iso8859-2"), "Čapek^Karel"),
    (b"ISO_IR 144", "Люкceмбypг".encode("iso8859-5"), "Иванов^Иван"),
    (b"ISO_IR 126", "Διονυσιος".encode("iso8859-7"), "Αθηνα"),
    (b"ISO_IR 138", "שרון^דבורה".encode("iso8859-8"), "דבורה"),
    (b"ISO_IR 192", "王^小东".encode(), "Ωmega^Ж"),
    (b"GB18030 ", "王^小东".encode("gb18030"), "小东"),
    (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Abe=阿部"),
    (b"\\ISO 2022 IR 149 ", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Kim=金"),
]


def said(head: Head, path: str) -> list[object]:
    return list(head.values(path) or [])


@pytest.mark.req("RT-11")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize(("charset", "old", "new"), SETS, ids=[row[0].decode() for row in SETS])
def test_a_value_is_written_in_the_set_of_the_object(
    charset: bytes, old: bytes, new: str, syntax: str
) -> None:
    padded = old + b" " * (len(old) % 2)
    charset += b" " * (len(charset) % 2)
    other = el(0x00100040, "CS", b"O ", syntax)
    nested = seq(0x00101002, item(el(NAME, "PN", padded, syntax), syntax), syntax=syntax)
    head = head_of(el(NAME, "PN", padded, syntax), other, nested, syntax=syntax, charset=charset)
    after = again(treated(head, {"set": "PatientName", "to": new}), head)
    assert said(after, "PatientName") == [new]
    assert after.raw(0x00080005) == head.raw(0x00080005)
    assert said(after, "OriginalAttributesSequence.ModifiedAttributesSequence.PatientName") == said(
        head, "PatientName"
    )
    sequence = after.raw_sequence(0x00101002)
    assert sequence == head.raw_sequence(0x00101002)


@pytest.mark.parametrize(("charset", "old", "new"), SETS[:6], ids=[r[0].decode() for r in SETS[:6]])
def test_what_the_set_cannot_say_holds_and_never_becomes_a_question_mark(
    charset: bytes, old: bytes, new: str
) -> None:
    padded = old + b" " * (len(old) % 2)
    head = head_of(el(NAME, "PN", padded), charset=charset + b" " * (len(charset) % 2))
    edit = {"set": "PatientName", "to": "金東"}
    done = failed(head, edit)
    assert done.reason is HoldReason.CHARSET
    assert "金" not in done.why
    nested = seq(0x00101002, item(el(0x00080070, "LO", padded)))
    head = head_of(nested, el(NAME, "PN", padded), charset=charset + b" " * (len(charset) % 2))
    after = again(treated(head, edit | {"charset": "utf-8"}), head)
    assert after.text(0x00080005) == "ISO_IR 192"
    assert said(after, "PatientName") == ["金東"]
    assert said(after, "OtherPatientIDsSequence.Manufacturer") == said(
        head, "OtherPatientIDsSequence.Manufacturer"
    )
    record = "OriginalAttributesSequence.ModifiedAttributesSequence."
    assert said(after, record + "PatientName") == said(head, "PatientName")


def test_an_item_with_a_set_of_its_own_is_converted_with_the_rest() -> None:
    inner = el(0x00080005, "CS", b"ISO_IR 144") + el(NAME, "PN", "Иван".encode("iso8859-5"))
    outer = el(NAME, "PN", "Müller".encode("latin-1"))
    head = head_of(seq(0x00081140, item(inner)), outer, charset=b"ISO_IR 100")
    edit = {"set": "PatientComments", "to": "金", "charset": "utf-8"}
    after = again(treated(head, edit), head)
    assert said(after, "ReferencedImageSequence.PatientName") == ["Иван"]
    assert not after.has("ReferencedImageSequence.SpecificCharacterSet")
    assert said(after, "PatientName") == ["Müller"]


def test_what_is_not_in_its_own_set_is_not_converted_at_all() -> None:
    head = head_of(el(0x00081030, "LO", b"\xff\xfe"), charset=b"ISO_IR 192")
    lies = head_of(el(0x00081030, "LO", "Müller".encode("latin-1")))
    edit = {"set": "PatientComments", "to": "金", "charset": "utf-8"}
    assert treated(head, edit).changes
    done = failed(lies, edit)
    assert done.reason is HoldReason.CHARSET
    assert "(0008,1030)" in done.why


def test_the_character_set_is_removed_only_where_nothing_needs_it() -> None:
    edit = {"remove": "SpecificCharacterSet"}
    plain = head_of(el(ID, "LO", b"123 "), charset=b"ISO_IR 100")
    assert not again(treated(plain, edit), plain).has("SpecificCharacterSet")
    needed = head_of(el(ID, "LO", "Mü".encode("latin-1") + b" "), charset=b"ISO_IR 100")
    assert failed(needed, edit).reason is HoldReason.CHARSET
    escaped = head_of(el(ID, "LO", b"\x1b(BA"), charset=b"ISO_IR 100")
    assert failed(escaped, edit).reason is HoldReason.CHARSET


def test_an_untouched_value_keeps_its_escapes() -> None:
    name = SETS[8][1] + b" " * (len(SETS[8][1]) % 2)
    head = head_of(el(NAME, "PN", name), charset=b"\\ISO 2022 IR 87 ")
    after = again(treated(head, {"set": "PatientID", "to": "X"}), head)
    assert after.raw(NAME) == name
