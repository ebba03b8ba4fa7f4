"""Which keys of a query match one record, and why (T-19)."""

import pytest

from tests.dicom.building import EXPLICIT, el, item, seq
from waystation.app.identifier import Identifier
from waystation.app.why import asked_for, asking, judged
from waystation.dicom.head import Head
from waystation.model.errors import ConfigError
from waystation.model.query import Options

STEP = "ScheduledProcedureStepSequence[0]."


def identifier(*keys: str) -> Identifier:
    made = Identifier()
    for key in keys:
        made.add(key)
    return made


@pytest.mark.req("T-19")
def test_one_record_is_asked_for_and_held_against_the_query() -> None:
    asked = identifier("PatientName=Doe^*", f"{STEP}ScheduledStationAETitle=CT1")
    single = asked_for(asked, "A17")
    assert single.text(0x00080050) == "A17"
    assert single.text(0x00100010) == ""
    assert single.elements[0x00400100][1] == [{0x00400001: ("AE", "")}]
    answer = Head.from_bytes(
        el(0x00100010, "PN", b"DOE^ANN ") + seq(0x00400100, item(el(0x00400001, "AE", b"CT2 "))),
        EXPLICIT,
    )
    verdict = judged(asking(asked, "", Options()), answer)
    assert not verdict.matched
    assert [line.text for line in verdict.lines] == [
        "PatientName asked Doe^*, entry has DOE^ANN: yes",
        "ScheduledProcedureStepSequence asked with 1 key, entry has 1 item: no",
        "ScheduledProcedureStepSequence[0].ScheduledStationAETitle asked CT1, entry has CT2: no",
    ]


@pytest.mark.parametrize(
    ("level", "which", "tag"),
    [
        ("STUDY", "1.2.3", 0x0020000D),
        ("STUDY", "A17", 0x00080050),
        ("STUDY", "1234567", 0x00080050),
        ("SERIES", "1.2.3.4", 0x0020000E),
        ("PATIENT", "P1", 0x00100020),
    ],
)
def test_a_record_is_named_by_the_key_of_its_level(level: str, which: str, tag: int) -> None:
    single = asked_for(identifier(f"QueryRetrieveLevel={level}", "Modality=CT"), which)
    assert single.text(tag) == which
    assert single.text(0x00080060) == ""
    assert single.text(0x00080052) == level


def test_keys_of_levels_above_stay_and_a_series_needs_its_uid() -> None:
    asked = identifier("QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2", "Modality=CT")
    assert asked_for(asked, "1.2.3").text(0x0020000D) == "1.2"
    patient = identifier("QueryRetrieveLevel=STUDY", "PatientID=P1", "Modality=CT")
    assert asked_for(patient, "1.2.3", patient_root=True).text(0x00100020) == "P1"
    assert asked_for(patient, "1.2.3").text(0x00100020) == ""
    with pytest.raises(ConfigError, match="UID of the series"):
        asked_for(asked, "A17")
    with pytest.raises(ConfigError, match="StudyDate"):
        asking(identifier("QueryRetrieveLevel=STUDY", "StudyDate=May"), "", Options())
