"""Query parameters → what is looked for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.dicomweb.query import BadParameter, SearchAsked, merged, path_of, read_search
from waystation.model.query import Key

STUDY_UID, PATIENT_ID, PATIENT_NAME = 0x0020000D, 0x00100020, 0x00100010


def read(*params: tuple[str, str], **options: Any) -> SearchAsked:
    return read_search(params, {}, **options)


@pytest.mark.req("W-27")
@pytest.mark.parametrize("name", ["PatientID", "00100020"])
def test_a_key_is_a_keyword_or_a_tag(name: str) -> None:
    assert read((name, "A 1")).keys == (Key(PATIENT_ID, "LO", ("A 1",)),)


@pytest.mark.req("W-27")
@pytest.mark.parametrize("sequence", ["RequestAttributesSequence", "00400275"])
@pytest.mark.parametrize("inner", ["ScheduledProcedureStepID", "00400009"])
def test_a_path_mixes_both_forms(sequence: str, inner: str) -> None:
    found = read((f"{sequence}.{inner}", "S1"), (f"{sequence}.RequestedProcedureID", "R1"))
    item = (Key(0x00400009, "SH", ("S1",)), Key(0x00401001, "SH", ("R1",)))
    assert found.keys == (Key(0x00400275, "SQ", (), item),)
    assert found.wanted == {0x00400275: {0x00400009: None, 0x00401001: None}}


@pytest.mark.req("W-27")
def test_a_path_has_eight_levels_at_most() -> None:
    assert len(path_of(".".join(["00400275"] * 8))) == 8
    with pytest.raises(BadParameter, match="deeper than 8"):
        path_of(".".join(["00400275"] * 9))


@pytest.mark.req("W-28", "WT-5")
@pytest.mark.parametrize(
    "params",
    [
        [("StudyInstanceUID", "1.2,1.3")],
        [("0020000D", "1.2\\1.3")],
        [("StudyInstanceUID", "1.2"), ("StudyInstanceUID", "1.3")],
        [("StudyInstanceUID", "1.2"), ("0020000d", "1.3")],
    ],
)
def test_every_way_to_list_uids_is_the_same(params: list[tuple[str, str]]) -> None:
    assert read(*params).keys == (Key(STUDY_UID, "UI", ("1.2", "1.3")),)


@pytest.mark.req("W-28")
@pytest.mark.parametrize("other", ["PatientID", "00100020"])
def test_any_other_key_twice_is_refused(other: str) -> None:
    with pytest.raises(BadParameter, match="twice"):
        read(("PatientID", "A"), (other, "B"))


@pytest.mark.req("W-29", "WT-5")
@pytest.mark.parametrize(
    "fields",
    [
        ["StudyDescription,00100020"],
        ["StudyDescription", "PatientID"],
        ["00081030,PatientID", "PatientID"],
    ],
)
def test_every_way_to_list_fields_is_the_same(fields: list[str]) -> None:
    found = read(*(("includefield", field) for field in fields))
    assert found.wanted == {0x00081030: None, PATIENT_ID: None}
    assert found.keys == ()
    assert not found.everything


@pytest.mark.req("W-29")
def test_all_wins_over_other_fields() -> None:
    assert read(("includefield", "PatientID,all")).everything
    assert read(("includefield", "all"), ("includefield", "PatientID")).everything


@pytest.mark.req("W-29")
def test_a_whole_sequence_wins_over_a_part_of_it() -> None:
    found = read(("includefield", "00400275.00400009,00400275"))
    assert found.wanted == {0x00400275: None}
    assert merged({1: {2: None}}, {1: {3: None}, 4: None}) == {1: {2: None, 3: None}, 4: None}
    assert merged({1: None}, {1: {3: None}}) == {1: None}


@pytest.mark.req("W-34", "WT-2")
@pytest.mark.parametrize("name", ["PatienID", "patientid", "_", "0010002", "", "00000002", "x y"])
def test_what_means_nothing_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadParameter) as caught:
        read((name, "1"))
    assert caught.value.name == name[:64].replace(" ", "?")
    assert read((name, "1"), tolerant=True).left_out == (name,)
    assert read((name, "1"), ignored=[name]).left_out == ()


def test_a_keyword_that_is_near_is_proposed() -> None:
    with pytest.raises(BadParameter, match="did you mean PatientID"):
        read(("PatienID", "1"))


@pytest.mark.req("W-34")
def test_a_private_key_needs_its_creator() -> None:
    with pytest.raises(BadParameter, match="00090010=NAME"):
        read(("00091001", "1"))
    found = read(("00091001", "1"), ("00090010", "ACME 1"))
    assert found.keys == (Key(0x00090010, "LO", ("ACME 1",)), Key(0x00091001, "LO", ("1",)))


@pytest.mark.req("W-32", "WT-19")
@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "", "+1", " 1", "1" * 11, "٣"])
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_page_is_a_whole_number(name: str, text: str) -> None:
    with pytest.raises(BadParameter, match="whole number"):
        read((name, text))


@pytest.mark.req("W-32")
def test_a_page_is_read() -> None:
    found = read(("limit", "10"), ("offset", "020"))
    assert (found.limit, found.offset) == (10, 20)
    assert (read().limit, read().offset) == (None, 0)
    with pytest.raises(BadParameter, match="twice"):
        read(("limit", "1"), ("limit", "2"))


@pytest.mark.req("W-30", "W-31")
def test_the_kinds_of_matching_are_options() -> None:
    found = read(
        ("fuzzymatching", "true"), ("emptyvaluematching", "true"), ("multiplevaluematching", "true")
    ).options
    assert (found.fuzzy, found.empty_value, found.multiple_values) == (True, True, True)
    assert read().options.combined
    assert read().options.relational
    with pytest.raises(BadParameter, match="true or false"):
        read(("fuzzymatching", "yes"))


@pytest.mark.req("W-31")
def test_several_values_stand_between_backslashes() -> None:
    assert read(("ModalitiesInStudy", "CT\\MR")).keys[0].values == ("CT", "MR")
    assert read(("StudyComments", "x")).keys[0].values == ("x",)
    assert read(("00104000", "a\\b")).keys[0].values == ("a\\b",)


@pytest.mark.req("W-42")
def test_the_time_zone_of_the_request_is_no_key() -> None:
    found = read(("TimezoneOffsetFromUTC", "+0100"), ("StudyTime", "10"))
    assert found.zone == "+0100"
    assert found.options.time_zone
    assert [key.tag for key in found.keys] == [0x00080030]


@pytest.mark.req("W-55")
def test_only_utf_8_can_be_asked_for() -> None:
    assert read(("charset", "UTF-8")).keys == ()
    with pytest.raises(BadParameter, match="UTF-8"):
        read(("charset", "latin1"))


@pytest.mark.req("W-26")
def test_no_parameter_widens_the_path() -> None:
    found = read_search([("PatientID", "A")], {STUDY_UID: "1.2"})
    assert found.keys == (Key(PATIENT_ID, "LO", ("A",)), Key(STUDY_UID, "UI", ("1.2",)))
    assert read_search([("StudyInstanceUID", "1.2")], {STUDY_UID: "1.2"}).keys == found.keys[1:]
    with pytest.raises(BadParameter, match="in the path"):
        read_search([("StudyInstanceUID", "1.2,1.3")], {STUDY_UID: "1.2"})


def test_what_is_ours_cannot_be_searched_for() -> None:
    with pytest.raises(BadParameter, match="cannot be searched"):
        read(("RetrieveURL", "x"))
    assert read(("00080005", "ISO_IR 100")).keys == ()


NAMES = st.sampled_from(
    ["PatientID", "00400275.00400009", "StudyInstanceUID", "includefield", "limit", "00091001", "x"]
)


@pytest.mark.req("W-34")
@given(st.lists(st.tuples(NAMES | st.text(max_size=12), st.text(max_size=12)), max_size=6))
def test_any_parameters_are_read_or_refused(params: list[tuple[str, str]]) -> None:
    try:
        found = read_search(params, {STUDY_UID: "1.2"}, tolerant=True)
    except BadParameter:
        return
    study = next(key for key in found.keys if key.tag == STUDY_UID)
    assert study.values == ("1.2",)
    assert len({key.tag for key in found.keys}) == len(found.keys)
