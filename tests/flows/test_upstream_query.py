"""Our query as a PACS is asked, as tables; no network."""

from typing import Any

import pytest

from waystation.dicom.head import Head
from waystation.dicom.tags import vr_of
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.flows.upstream_query import (
    Step,
    Unaskable,
    Unsayable,
    asked_options,
    granted_options,
    identifier,
    options_bytes,
    portions,
    readied,
    steps_of,
)
from waystation.model.query import Key, Options, Query

STUDY, SERIES, IMAGE = 0x0020000D, 0x0020000E, 0x00080018
NAME, ID, DATE, TIME = 0x00100010, 0x00100020, 0x00080020, 0x00080030
MODALITY, MODALITIES, DESCRIPTION = 0x00080060, 0x00080061, 0x00081030
REQUEST, STEP_ID = 0x00400275, 0x00400009
NOTHING = Options()


def key(tag: int, *values: str) -> Key:
    return Key(tag, vr_of(tag), values)


def query(level: str, *keys: Key, zone: int | None = None, **options: bool) -> Query:
    found = Query(level=level, options=Options(combined=True, **options), zone=zone)
    return found.with_keys(keys)


def sent(
    asked: Query, granted: Options = NOTHING, *quirks: str
) -> list[tuple[str, dict[int, Any]]]:
    """Return (level, tag → values) of each step."""
    steps = steps_of(readied(asked), granted, quirks)
    return [(step.level, {one.tag: one.values for one in step.keys}) for step in steps]


@pytest.mark.req("W-35")
def test_modality_of_a_study_means_modalities_in_study() -> None:
    assert sent(query("STUDY", key(MODALITY, "CT"))) == [
        ("STUDY", {MODALITIES: ("CT",), STUDY: ()})
    ]
    assert sent(query("STUDY", key(MODALITY, "CT"), key(MODALITIES))) == [
        ("STUDY", {MODALITIES: ("CT",), STUDY: ()})
    ]


@pytest.mark.req("W-35")
def test_a_key_of_a_lower_level_is_refused_with_its_name_unless_it_has_no_value() -> None:
    with pytest.raises(Unaskable, match="SeriesNumber"):
        readied(query("STUDY", key(0x00200011, "3")))
    assert sent(query("STUDY", key(0x00200011))) == [("STUDY", {STUDY: ()})]


@pytest.mark.req("W-50")
def test_what_is_ours_to_say_is_never_asked() -> None:
    ours = [key(tag) for tag in (0x00080052, 0x00080054, 0x00080056, 0x00081190, 0x00080005)]
    assert sent(query("STUDY", *ours)) == [("STUDY", {STUDY: ()})]


@pytest.mark.req("W-43", "W-56")
def test_a_date_and_time_interval_is_asked_by_date_where_it_is_not_negotiated() -> None:
    asked = query("STUDY", key(DATE, "20200101-20200102"), key(TIME, "2200-0300"))
    wanted = asked_options(asked)
    assert wanted == Options(combined=True)
    assert options_bytes(wanted) == b"\0\1"
    assert sent(asked) == [("STUDY", {STUDY: (), DATE: ("20200101-20200102",), TIME: ()})]
    granted = granted_options(b"\0\1", b"\1\1\1")
    assert sent(asked, granted)[0][1][TIME] == ("2200-0300",)
    (step,) = steps_of(readied(asked), NOTHING)
    assert {one.tag for one in step.checks} == {DATE, TIME}, "we look at both again"


@pytest.mark.req("W-56")
def test_only_what_a_query_needs_is_negotiated_and_what_was_accepted_counts() -> None:
    assert options_bytes(asked_options(query("STUDY", key(ID, "1"), fuzzy=True))) == b""
    assert options_bytes(asked_options(query("STUDY", key(NAME, "A"), fuzzy=True))) == b"\0\0\1"
    assert options_bytes(asked_options(query("SERIES", key(ID, "1")))) == b"\1"
    assert options_bytes(asked_options(query("SERIES", key(ID, "1")), ["no_relational"])) == b""
    assert options_bytes(asked_options(query("SERIES", key(STUDY, "1.2")))) == b""
    assert granted_options(b"\0\0\1", b"\1") == Options()
    assert granted_options(b"\1\0\1", b"\1\1\1") == Options(relational=True, fuzzy=True)
    assert granted_options(b"", b"\1\1\1") == Options()


@pytest.mark.req("W-45", "W-61")
def test_a_list_of_uids_is_one_question_or_one_for_each() -> None:
    step = Step("STUDY", (key(STUDY, "1.1", "1.2", "1.3"), key(ID, "7")), ())
    assert [keys[0].values for keys in portions(step)] == [("1.1", "1.2", "1.3")]
    each = list(portions(step, ["no_uid_list"]))
    assert [keys[0].values for keys in each] == [("1.1",), ("1.2",), ("1.3",)]
    assert all(keys[1] == key(ID, "7") for keys in each)
    long = Step("STUDY", (key(STUDY, *(f"1.{n}" for n in range(1201))),), ())
    assert [len(keys[0].values) for keys in portions(long)] == [500, 500, 201]


def test_other_lists_are_one_question_each_and_too_many_none_at_all() -> None:
    step = Step("SERIES", (key(MODALITY, "CT", "MR"),), ())
    assert [keys[0].values for keys in portions(step)] == [("CT",), ("MR",)]
    assert [keys[0].values for keys in portions(step, several=True)] == [("CT", "MR")]
    long = Step("SERIES", (key(MODALITY, *(f"M{n}" for n in range(101))),), ())
    assert [keys[0].values for keys in portions(long)] == [()]


@pytest.mark.req("W-61")
def test_a_leading_wild_card_is_left_to_us_where_a_pacs_cannot_do_it() -> None:
    asked = query("STUDY", key(NAME, "*doe*"), key(ID, "1*"))
    assert sent(asked)[0][1] == {STUDY: (), NAME: ("*doe*",), ID: ("1*",)}
    assert sent(asked, NOTHING, "no_leading_wildcard")[0][1] == {STUDY: (), NAME: (), ID: ("1*",)}


@pytest.mark.req("W-40")
def test_matching_that_a_pacs_does_not_have_is_asked_wider_and_done_by_us() -> None:
    asked = query("STUDY", key(DESCRIPTION, '""'), key(ID, "*"), empty_value=True)
    assert sent(asked)[0][1] == {STUDY: (), DESCRIPTION: (), ID: ()}
    assert sent(asked, Options(empty_value=True))[0][1][DESCRIPTION] == ('""',)
    assert asked_options(asked).empty_value
    both = query("STUDY", key(MODALITIES, "CT", "PT"), multiple_values=True)
    assert sent(both)[0][1][MODALITIES] == ("CT",)
    assert sent(both, Options(multiple_values=True))[0][1][MODALITIES] == ("CT", "PT")
    (step,) = steps_of(readied(both), NOTHING)
    assert step.checks == (key(MODALITIES, "CT", "PT"),)


@pytest.mark.req("W-42")
def test_another_time_zone_is_asked_a_day_wider() -> None:
    asked = query("STUDY", key(DATE, "20200301"), key(TIME, "10"), zone=60, time_zone=True)
    assert sent(asked)[0][1] == {STUDY: (), DATE: ("20200229-20200302",), TIME: ()}
    opened = query("STUDY", key(DATE, "20200301-"), zone=60, time_zone=True)
    assert sent(opened)[0][1][DATE] == ("20200229-",)


def test_a_sequence_is_asked_with_the_keys_of_its_item() -> None:
    inner = Key(REQUEST, "SQ", (), (key(STEP_ID, "A1"),))
    data = identifier("SERIES", [key(SERIES), inner], {STUDY: "1.2"}, EXPLICIT_VR_LE, "")
    head = Head.from_bytes(data, EXPLICIT_VR_LE)
    assert head.text(STUDY) == "1.2"
    (item,) = head.items(REQUEST)
    assert item.text(STEP_ID) == "A1"


@pytest.mark.req("W-57")
def test_values_beyond_ascii_are_written_in_the_set_of_the_pacs() -> None:
    def coded(text: str, charset: str) -> Head:
        data = identifier("STUDY", [key(NAME, text)], {}, EXPLICIT_VR_LE, charset)
        return Head.from_bytes(data, EXPLICIT_VR_LE)

    greek = coded("Διον*", "ISO_IR 126")
    assert greek.charset("") == "ISO_IR 126"
    assert (greek.raw(NAME) or b"").strip() == "Διον*".encode("iso8859-7")
    assert not coded("Doe*", "ISO_IR 126").charset("")
    with pytest.raises(Unsayable) as caught:
        coded("Διον*", "ISO_IR 100")
    assert caught.value.tag == NAME
    assert "Διον" not in str(caught.value)
