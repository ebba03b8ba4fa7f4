"""What a retrieval may ask for: unique keys with values, or nothing at all."""

import pytest

from waystation.dicom import tags
from waystation.dicom.compose import Elements, compose
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.matching.unique import LEVEL, Unfit, Wanted, read_wanted

STUDY, SERIES = tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID
IMAGE, PATIENT = tags.SOP_INSTANCE_UID, tags.PATIENT_ID
NAMES = {
    "level": (LEVEL, "CS"),
    "patient": (PATIENT, "LO"),
    "study": (STUDY, "UI"),
    "series": (SERIES, "UI"),
    "image": (IMAGE, "UI"),
    "name": (tags.PATIENT_NAME, "PN"),
}


def read(
    more: dict[str, str] | None = None,
    *,
    patient_root: bool = False,
    relational: bool = False,
    syntax: str = EXPLICIT_VR_LE,
    **keys: str,
) -> Wanted | Unfit:
    elements: Elements = {
        NAMES[word][0]: (NAMES[word][1], text) for word, text in {**keys, **(more or {})}.items()
    }
    data = compose(elements, syntax)
    return read_wanted(data, syntax, patient_root=patient_root, relational=relational)


@pytest.mark.req("T-41", "TT-1")
@pytest.mark.parametrize("relational", [False, True])
@pytest.mark.parametrize("uid", ["", "*", "1.2.*", "1.2.?", "  ", "\\", "1.2\\*", "no uid", "1..2"])
def test_a_unique_key_without_a_plain_value_asks_for_nothing(uid: str, relational: bool) -> None:
    found = read(level="STUDY", study=uid, relational=relational)
    assert isinstance(found, Unfit)
    assert found.tag == STUDY
    assert found.comment.startswith("StudyInstanceUID ")
    assert isinstance(read(level="STUDY", relational=relational), Unfit)


@pytest.mark.req("T-41")
@pytest.mark.parametrize(
    ("keys", "patient_root", "missing"),
    [
        ({"level": "SERIES", "series": "1.3"}, False, STUDY),
        ({"level": "SERIES", "study": "1.2", "series": ""}, False, SERIES),
        ({"level": "IMAGE", "study": "1.2", "image": "1.4"}, False, SERIES),
        ({"level": "IMAGE", "series": "1.3", "image": "1.4"}, False, STUDY),
        ({"level": "STUDY", "study": "1.2"}, True, PATIENT),
        ({"level": "STUDY", "study": "1.2", "patient": "P*"}, True, PATIENT),
        ({"level": "PATIENT", "patient": ""}, True, PATIENT),
        ({"level": "PATIENT", "patient": "P"}, False, LEVEL),
        ({"level": "BANANA", "study": "1.2"}, False, LEVEL),
        ({"study": "1.2"}, False, LEVEL),
    ],
)
def test_every_level_above_needs_its_key(
    keys: dict[str, str], patient_root: bool, missing: int
) -> None:
    found = read(keys, patient_root=patient_root)
    assert isinstance(found, Unfit)
    assert found.tag == missing


@pytest.mark.req("T-41")
def test_relational_retrieval_needs_the_key_of_its_own_level_alone() -> None:
    found = read(level="IMAGE", image="1.4\\1.5", relational=True)
    assert found == Wanted(level="IMAGE", instances=("1.4", "1.5"))
    assert isinstance(read(level="IMAGE", image="", relational=True), Unfit)
    wild_above = read(level="IMAGE", study="1.*", image="1.4", relational=True)
    assert isinstance(wild_above, Unfit)


@pytest.mark.req("T-41")
@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_lists_count_at_every_level_and_further_keys_are_left_alone(syntax: str) -> None:
    found = read(level="SERIES", study="1.2\\1.3", series="1.4", name="X*", syntax=syntax)
    assert found == Wanted(level="SERIES", studies=("1.2", "1.3"), series=("1.4",))
    whole = read(level="PATIENT", patient="P1", patient_root=True, syntax=syntax)
    assert whole == Wanted(level="PATIENT", patient_ids=("P1",))


@pytest.mark.req("T-41")
@pytest.mark.parametrize("data", [b"", b"\0", b"\x08\x00\x52\x00CS\xff\xff", b"garbage" * 9])
def test_bytes_that_are_no_identifier_ask_for_nothing(data: bytes) -> None:
    found = read_wanted(data, EXPLICIT_VR_LE, patient_root=True, relational=True)
    assert isinstance(found, Unfit)
