"""Keys as a person writes them, and the data set that leaves."""

from pathlib import Path

import pytest

from waystation.app.identifier import Identifier, from_file
from waystation.dicom.compose import compose
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.dicomweb.dicom_json import to_json
from waystation.model.errors import ConfigError

STEP = "ScheduledProcedureStepSequence"


def made(*keys: str, charset: str = "", syntax: str = EXPLICIT_VR_LE) -> Head:
    identifier = Identifier()
    for key in keys:
        identifier.add(key)
    return Head.from_bytes(identifier.encode(syntax, charset), syntax)


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_keywords_tags_and_ways_through_sequences_name_keys(syntax: str) -> None:
    head = made(
        "PatientID=1*",
        "0010,0010=Doe*",
        "(0008,0050)",
        f"{STEP}[0].Modality=CT",
        f"{STEP}.ScheduledStationAETitle",
        "RequestedProcedureCodeSequence",
        "Rows=512",
        "FrameIncrementPointer=FrameTime",
        syntax=syntax,
    )
    assert head.values("PatientID") == ["1*"]
    assert head.values("PatientName") == ["Doe*"]
    assert head.values("AccessionNumber") == []
    assert head.values(f"{STEP}[0].Modality") == ["CT"]
    assert head.values(f"{STEP}[0].ScheduledStationAETitle") == []
    assert head.has("RequestedProcedureCodeSequence")
    assert head.values("Rows") == [512]
    assert head.values("FrameIncrementPointer") == ["(0018,1063)"]


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("Foo=1", "Foo"),
        ("PatientID.Modality=CT", "PatientID"),
        (f"{STEP}=CT", STEP),
        (f"{STEP}[1].Modality=CT", STEP),
        ("Rows=many", "Rows"),
        ("PixelData=1", "PixelData"),
        ("(0009,ACME,01)=1", "0009"),
    ],
)
def test_what_is_no_key_is_named(key: str, word: str) -> None:
    with pytest.raises(ConfigError) as told:
        Identifier().add(key)
    assert word in str(told.value)


@pytest.mark.req("T-20")
def test_text_leaves_in_the_smallest_set_that_holds_it_or_in_the_one_asked_for() -> None:
    assert made("PatientName=Doe").values("SpecificCharacterSet") is None
    latin = made("PatientName=Böhm")
    assert latin.values("SpecificCharacterSet") == ["ISO_IR 100"]
    assert latin.raw(0x00100010) == "Böhm".encode("latin-1")
    kanji = made("PatientName=山田^太郎")
    assert kanji.values("SpecificCharacterSet") == ["ISO_IR 192"]
    escaped = made("PatientName=山田^太郎", charset="\\ISO 2022 IR 87")
    assert (
        escaped.raw(
            0x00100010,
        )
        is not None
    )
    assert b"\x1b$B" in (escaped.raw(0x00100010) or b"")
    assert escaped.values("PatientName") == ["山田^太郎"]
    with pytest.raises(ConfigError, match="--charset"):
        made("PatientName=山田", charset="ISO_IR 100")


def test_a_file_asks_what_it_holds_and_keys_change_it(tmp_path: Path) -> None:
    data = compose(
        {
            0x00080005: ("CS", "ISO_IR 100"),
            0x00080052: ("CS", "STUDY"),
            0x00100010: ("PN", "Böhm*".encode("latin-1")),
            0x00400100: ("SQ", [{0x00080060: ("CS", "CT")}]),
        },
        IMPLICIT_VR_LE,
    )
    bare, whole, text = tmp_path / "bare", tmp_path / "whole.dcm", tmp_path / "query.json"
    bare.write_bytes(data)
    whole.write_bytes(file_meta("1.2", "1.3", IMPLICIT_VR_LE) + data)
    text.write_text(
        '{"00080052": {"vr": "CS", "Value": ["STUDY"]},'
        ' "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},'
        ' "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Böhm*"}]},'
        ' "00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}]}}'
    )
    for path in (bare, whole, text):
        identifier = from_file(path)
        identifier.add("PatientID=7")
        head = Head.from_bytes(identifier.encode(EXPLICIT_VR_LE), EXPLICIT_VR_LE)
        assert head.values("PatientName") == ["Böhm*"]
        assert head.values("PatientID") == ["7"]
        assert head.values(f"{STEP}[0].Modality") == ["CT"]
    for content in (b"", b"no query", b"[]", b'{"x": 1}', b"{"):
        bare.write_bytes(content)
        with pytest.raises(ConfigError, match="bare"):
            from_file(bare)


@pytest.mark.req("W-53")
def test_an_answer_is_dicom_json() -> None:
    data = compose(
        {
            0x00080005: ("CS", "ISO_IR 100"),
            0x00080000: ("UL", b"\0\0\0\0"),
            0x00080061: ("CS", "CT\\\\MR"),
            0x00081140: ("SQ", [{}, {0x00080060: ("CS", "CT")}]),
            0x00100010: ("PN", "Müller^A==X".encode("latin-1")),
            0x00101030: ("DS", "70.10\\1e400\\x\\0.12345678901234567890"),
            0x00200013: ("IS", "7\\ 9007199254740993"),
            0x00280009: ("AT", b"\x18\x00\x63\x10"),
            0x00280010: ("US", b"\0\2"),
            0x00281101: ("US", b""),
            0x00420011: ("OB", b"\1\2"),
        },
        EXPLICIT_VR_LE,
    )
    found = to_json(Head.from_bytes(data, EXPLICIT_VR_LE))
    assert list(found) == sorted(found)
    assert "00080000" not in found
    assert found["00080005"]["Value"] == ["ISO_IR 192"]
    assert found["00080061"]["Value"] == ["CT", None, "MR"]
    assert found["00081140"]["Value"] == [{}, {"00080060": {"vr": "CS", "Value": ["CT"]}}]
    assert found["00100010"]["Value"] == [{"Alphabetic": "Müller^A", "Phonetic": "X"}]
    assert found["00101030"]["Value"] == [70.1, "1e400", "x", "0.12345678901234567890"]
    assert found["00200013"]["Value"] == [7, "9007199254740993"]
    assert found["00280009"]["Value"] == ["00181063"]
    assert found["00280010"]["Value"] == [512]
    assert found["00281101"] == {"vr": "US"}
    assert found["00420011"]["InlineBinary"] == "AQI="
