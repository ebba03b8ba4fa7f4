"""DICOM JSON, Native DICOM Model, and the text that is made once."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.index.making import data_set
from tests.objects.elements import element
from tests.objects.public import public
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.dicomweb.dicom_json import json_value, to_json
from waystation.dicomweb.json_model import BULK, Composer, placed
from waystation.dicomweb.xml_model import from_xml, to_xml

JPEG = "1.2.840.10008.1.2.4.50"


def head(*elements: bytes, syntax: str = EXPLICIT_VR_LE) -> Head:
    return Head.from_bytes(b"".join(elements), syntax)


def composed(found: Head, syntax: str = EXPLICIT_VR_LE) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(placed(Composer().text(found, syntax), "http://x/i"))
    return read


@pytest.mark.req("W-53", "WT-19")
@pytest.mark.parametrize(
    ("vr", "text", "shown"),
    [
        ("DS", "1.50", 1.5),
        ("DS", "12", 12),
        ("DS", "0.1234567890123456789", "0.1234567890123456789"),
        ("DS", "NaN", "NaN"),
        ("DS", "1,5", "1,5"),
        ("DS", "1e400", "1e400"),
        ("IS", "007", 7),
        ("IS", "1.5", "1.5"),
        ("IS", "many", "many"),
        ("UV", 2**60, str(2**60)),
        ("SV", -5, -5),
        ("FD", float("nan"), "NaN"),
        ("FL", float("inf"), "Infinity"),
        ("FL", float("-inf"), "-Infinity"),
        ("AT", "(0010,0020)", "00100020"),
        ("PN", "A^B==C", {"Alphabetic": "A^B", "Phonetic": "C"}),
        ("PN", "", None),
        ("LO", "", None),
    ],
)
def test_a_value_is_json_and_loses_nothing(vr: str, text: Any, shown: Any) -> None:
    assert json_value(text, vr) == shown
    json.dumps(json_value(text, vr), allow_nan=False)


@pytest.mark.req("W-53")
def test_the_model_has_ascending_tags_nulls_and_empty_items() -> None:
    found = composed(
        head(
            element(0x00080000, "UL", struct.pack("<I", 10)),
            element(0x00080005, "CS", "ISO_IR 100"),
            element(0x00080008, "CS", "A\\\\B"),
            element(0x00080050, "SH", ""),
            element(0x00081140, "SQ", bytes.fromhex("feff00e000000000")),
            element(0x0008103E, "LO", "Tête".encode("latin-1")),
        )
    )
    assert list(found) == sorted(found)
    assert "00080000" not in found
    assert found["00080005"]["Value"] == ["ISO_IR 192"]
    assert found["00080008"] == {"vr": "CS", "Value": ["A", None, "B"]}
    assert found["00080050"] == {"vr": "SH"}
    assert found["00081140"] == {"vr": "SQ", "Value": [{}]}
    assert found["0008103E"]["Value"] == ["Tête"]


@pytest.mark.req("W-78")
def test_bulk_data_is_named_and_short_binary_stands_inline() -> None:
    icon = element(0x7FE00010, "OB", bytes(16))
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(icon)) + icon
    found = composed(
        head(
            element(0x00091010, "OB", bytes(256)),
            element(0x00091011, "OB", bytes(258)),
            element(0x00281201, "OW", bytes(8)),
            element(0x00420011, "OB", b"%PDF"),
            element(0x00880200, "SQ", item),
            element(0x7FE00010, "OW", bytes(8)),
        )
    )
    assert len(found["00091010"]["InlineBinary"]) == 344
    for path in ("00091011", "00281201", "00420011", "7FE00010"):
        assert found[path]["BulkDataURI"] == f"http://x/i/bulkdata/{path}"
    inner = found["00880200"]["Value"][0]["7FE00010"]
    assert inner["BulkDataURI"] == "http://x/i/bulkdata/00880200/0/7FE00010"


@pytest.mark.req("W-81", "W-19")
@pytest.mark.parametrize(
    ("stored", "sent"),
    [(JPEG, JPEG), (IMPLICIT_VR_LE, EXPLICIT_VR_LE), (EXPLICIT_VR_BE, EXPLICIT_VR_LE)],
)
def test_the_syntax_that_can_be_had_is_told(stored: str, sent: str) -> None:
    assert composed(head(), stored)["00083002"] == {"vr": "UI", "Value": [sent]}


def test_no_value_can_pass_for_a_url() -> None:
    evil = '","BulkDataURI":"\\u0001' + "\x01"
    text = Composer().text(head(element(0x00081030, "LO", evil)), EXPLICIT_VR_LE)
    assert BULK not in text
    assert json.loads(text)["00081030"]["Value"][0].startswith('","BulkDataURI":"')


@pytest.mark.req("W-55", "WT-14")
@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 126", "Διονυσιος"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_names_of_any_character_set_come_out_as_utf_8(charset: str, name: str) -> None:
    raw = data_set({"SpecificCharacterSet": charset, "PatientName": name})
    shown = composed(Head.from_bytes(raw, EXPLICIT_VR_LE))["00100010"]["Value"][0]
    assert "=".join(shown.values()) == name


def test_a_composer_that_remembers_writes_the_same() -> None:
    """What an element means may depend on others: creator, character set, signedness."""
    ours = Composer()
    for one in (*public().values(), *public().values()):
        try:
            found = Head.from_bytes(one.data_set, one.transfer_syntax)
        except DatasetError:
            continue
        assert ours.text(found, one.transfer_syntax) == Composer().text(found, one.transfer_syntax)


@pytest.mark.req("W-53", "W-54")
def test_xml_says_what_json_says_of_every_public_object() -> None:
    seen = 0
    for one in public().values():
        try:
            found = Head.from_bytes(one.data_set, one.transfer_syntax)
        except DatasetError:
            continue
        shown = composed(found)
        assert from_xml(to_xml(shown)) == shown
        seen += 1
    assert seen > 50


TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1)


@pytest.mark.req("W-54")
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=4), TEXTS)
def test_any_text_survives_xml(values: list[str | None], description: str) -> None:
    shown = {
        "00080008": {"vr": "CS", "Value": values},
        "00091001": {"vr": "LO", "Value": [description]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^^B", "Phonetic": "C"}, None]},
        "00401101": {"vr": "SQ", "Value": [{}, {"00080100": {"vr": "SH"}}]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "http://x/?a=1&b=<"},
    }
    plain = json.loads(
        json.dumps(shown).replace("\\ufffe", "\\ufffd").replace("\\uffff", "\\ufffd")
    )
    assert from_xml(to_xml(shown)) == plain


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><NativeDicomModel/>',
        b'<NativeDicomModel><DicomAttribute vr="LO"/></NativeDicomModel>',
        b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="0"/>'
        b"</DicomAttribute></NativeDicomModel>",
        b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="999999"/>'
        b"</DicomAttribute></NativeDicomModel>",
    ],
)
def test_what_is_no_model_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        from_xml(text)


def test_a_sequence_that_is_broken_inside_hides_nothing_else() -> None:
    broken = struct.pack("<HHI", 0xFFFE, 0xE000, 500) + bytes(8)
    found = head(element(0x00091010, "UN", broken), element(0x00100020, "LO", "P1"))
    assert to_json(found)["00100020"]["Value"] == ["P1"]
