"""Answers: what they hold and in which character set (T-10, T-15, T-27, T-28)."""

from io import BytesIO

import pydicom
import pytest
from pydicom.filereader import read_dataset

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq
from tests.matching.asking import key, row
from waystation.dicom.head import Head
from waystation.matching.answer import REQUEST, STORED, Answer, Extra, answer
from waystation.matching.match import Matcher
from waystation.matching.record import HeadRecord
from waystation.model.query import Key, Options, Query, Record, Row

NAME = key("PatientName")
LEVEL: Extra = (0x00080052, "CS", ["STUDY"])


def answered(
    record: Record,
    *keys: Key,
    asked: str = "",
    charset: str = STORED,
    transliterate: bool = False,
    options: Options | None = None,
    syntax: str = EXPLICIT,
) -> Answer:
    query = Query(charset=asked, options=options or Options()).with_keys(keys)
    return answer(
        Matcher(query),
        query,
        record,
        syntax,
        charset=charset,
        transliterate=transliterate,
        extra=[LEVEL],
    )


def named(name: str, charset: str) -> Row:
    return Row({NAME.tag: (name,)}, charset=charset)


@pytest.mark.req("T-27")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_an_answer_holds_what_was_asked_and_another_program_reads_it(syntax: str) -> None:
    record = Row(
        {
            NAME.tag: ("Yamada^Tarou=山田^太郎",),
            0x00080061: ("CT", "MR"),
            0x00280010: ("512",),
            0x00201208: ("12",),
            0x00280009: ("(0018,1063)",),
        },
        {0x00081032: (Row({0x00080100: ("C1",), 0x00080104: ("頭",)}),)},
        charset="\\ISO 2022 IR 87",
    )
    code = key("ProcedureCodeSequence", keys=(key("CodeValue"), key("CodeMeaning")))
    keys = [key(word) for word in ("ModalitiesInStudy", "Rows", "NumberOfStudyRelatedInstances")]
    made = answered(
        record, NAME, code, key("FrameIncrementPointer"), key("StudyDate"), *keys, syntax=syntax
    )
    found = read_dataset(BytesIO(made.data), syntax == IMPLICIT, syntax != BIG)
    assert list(found.SpecificCharacterSet) == ["", "ISO 2022 IR 87"]
    assert str(found.PatientName) == "Yamada^Tarou=山田^太郎"
    assert list(found.ModalitiesInStudy) == ["CT", "MR"]
    assert (found.Rows, found.NumberOfStudyRelatedInstances) == (512, 12)
    assert found.FrameIncrementPointer == 0x00181063
    assert found.StudyDate == ""
    assert found.QueryRetrieveLevel == "STUDY"
    (one,) = found.ProcedureCodeSequence
    assert (one.CodeValue, one.CodeMeaning) == ("C1", "頭")
    tags = [element.tag for element in found]
    assert tags == sorted(tags)


@pytest.mark.req("T-27")
@pytest.mark.parametrize(
    ("stored", "asked", "choice", "charset"),
    [
        ("ISO_IR 100", "ISO_IR 192", STORED, "ISO_IR 100"),
        ("ISO_IR 100", "ISO_IR 192", REQUEST, "ISO_IR 192"),
        ("ISO_IR 100", "ISO_IR 144", REQUEST, "ISO_IR 100"),
        ("ISO_IR 100", "", REQUEST, "ISO_IR 100"),
        ("ISO_IR 100", "", "ISO_IR 192", "ISO_IR 192"),
        ("ISO-IR 100", "", STORED, "ISO_IR 100"),
        ("", "ISO_IR 100", STORED, "ISO_IR 100"),
        ("", "", STORED, "ISO_IR 192"),
        ("ISO_IR 144", "ISO_IR 126", STORED, "ISO_IR 192"),
    ],
)
def test_the_character_set_of_an_answer(stored: str, asked: str, choice: str, charset: str) -> None:
    made = answered(named("Müller", stored), NAME, asked=asked, charset=choice)
    assert made.charset == charset
    assert made.replaced == 0
    found = read_dataset(BytesIO(made.data), False, True)
    assert found.SpecificCharacterSet == charset
    assert str(found.PatientName) == "Müller"


@pytest.mark.req("T-27")
def test_ascii_names_no_set() -> None:
    made = answered(named("Doe", "ISO_IR 192"), NAME, charset="ISO_IR 100")
    assert made.charset == ""
    assert "SpecificCharacterSet" not in read_dataset(BytesIO(made.data), False, True)


@pytest.mark.req("T-27")
@pytest.mark.parametrize(
    ("name", "charset", "transliterate", "text", "replaced"),
    [
        ("Łódź^Ω", "ISO_IR 100", False, "?ód?^?", 3),
        ("Łódź^Ω", "ISO_IR 100", True, "Lódz^?", 3),
        ("Øre", "ISO_IR 101", True, "Ore", 1),
        ("山田^Ä", "ISO_IR 100", True, "??^Ä", 2),
        ("Müller", "ISO_IR 6", True, "Muller", 1),
    ],
)
def test_what_a_fixed_set_lacks_is_transliterated_or_marked_and_counted(
    name: str, charset: str, transliterate: bool, text: str, replaced: int
) -> None:
    record = named(name, "ISO_IR 192")
    made = answered(record, NAME, charset=charset, transliterate=transliterate)
    assert made.replaced == replaced
    found = Head.from_bytes(made.data, EXPLICIT)
    assert found.values("PatientName") == [text]
    assert record.texts[NAME.tag] == (name,)


@pytest.mark.req("T-10")
def test_sequences_are_reduced_to_matching_items_and_asked_keys() -> None:
    items = tuple(
        row(Modality=modality, ScheduledStationAETitle="X", ScheduledProcedureStepID=modality)
        for modality in ("CT", "MR")
    )
    record = row(ScheduledProcedureStepSequence=items)
    step = "ScheduledProcedureStepSequence"

    def found(*keys: Key) -> list[pydicom.Dataset]:
        made = answered(record, key(step, keys=keys))
        return list(read_dataset(BytesIO(made.data), False, True).ScheduledProcedureStepSequence)

    (only,) = found(key("Modality", "MR"), key("ScheduledProcedureStepID"))
    assert (only.Modality, only.ScheduledProcedureStepID) == ("MR", "MR")
    assert "ScheduledStationAETitle" not in only
    whole = found()
    assert [len(one) for one in whole] == [3, 3]


@pytest.mark.req("T-10", "T-2")
def test_a_stored_head_answers_with_its_sequences_and_their_own_character_sets() -> None:
    utf8 = el(0x00080005, "CS", b"ISO_IR 192 ")
    code = item(utf8 + el(0x00080104, "LO", "Ä Ω".encode()) + el(0x00081160, "IS", b"7 "))
    head = Head.from_bytes(
        el(0x00080005, "CS", b"ISO_IR 100")
        + seq(0x00081032, code)
        + el(0x00100010, "PN", b"M\xfcller"),
        EXPLICIT,
    )
    made = answered(HeadRecord(head), NAME, key("ProcedureCodeSequence"))
    assert made.charset == "ISO_IR 192"  # its own cannot say the Greek letter of the item
    found = read_dataset(BytesIO(made.data), False, True)
    assert str(found.PatientName) == "Müller"
    assert found.ProcedureCodeSequence[0].CodeMeaning == "Ä Ω"
    assert "SpecificCharacterSet" not in found.ProcedureCodeSequence[0]


@pytest.mark.req("T-9")
def test_the_offset_of_a_record_goes_along_where_zones_count() -> None:
    record = Row({0x00080030: ("1200",)}, zone=-210)
    made = answered(record, key("StudyTime"), options=Options(time_zone=True))
    assert read_dataset(BytesIO(made.data), False, True).TimezoneOffsetFromUTC == "-0330"
    made = answered(record, key("StudyTime"))
    assert "TimezoneOffsetFromUTC" not in read_dataset(BytesIO(made.data), False, True)


@pytest.mark.req("T-28")
def test_sixty_four_characters_of_several_bytes_fit_a_name() -> None:
    name = "Ä" * 64 + "=" + "山" * 64
    made = answered(named(name, "ISO_IR 192"), NAME)
    assert Head.from_bytes(made.data, EXPLICIT).values("PatientName") == [name]


def test_a_number_that_its_vr_cannot_hold_is_left_out_and_counted() -> None:
    made = answered(row(Rows="70000"), key("Rows"))
    assert made.left_out == 1
    assert read_dataset(BytesIO(made.data), False, True).Rows is None
