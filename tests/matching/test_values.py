"""Single values, wild cards, lists, several values, empty values (T-3 to T-6, T-11 to T-13)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matching.asking import finds, holds, key, row
from waystation.matching.wildcard import Pattern, literal_prefix
from waystation.model.query import Options


@pytest.mark.req("T-3")
@pytest.mark.parametrize("word", ["PatientID", "StudyDate", "StudyInstanceUID", "PatientName"])
def test_a_key_without_value_finds_records_that_lack_the_attribute(word: str) -> None:
    assert holds(key(word), row())
    assert holds(key(word, ""), row())


@pytest.mark.req("T-3")
def test_a_lone_star_is_universal_in_text_and_two_stars_want_a_value() -> None:
    assert holds(key("PatientID", "*"), row())
    assert holds(key("PatientName", "*"), row())
    assert not holds(key("PatientID", "**"), row())
    assert holds(key("PatientID", "**"), row(PatientID="X"))


@pytest.mark.req("T-4", "T-2", "T-13")
@pytest.mark.parametrize(
    ("word", "asked", "stored", "found"),
    [
        ("PatientID", "P1", "P1", True),
        ("PatientID", "P1", " P1 ", True),
        ("PatientID", " P1", "P1", True),
        ("PatientID", "P1", "P12", False),
        ("PatientID", "p1", "P1", False),
        ("PatientID", "P1", "", False),
        ("PatientComments", " P1", "P1", False),
        ("PatientComments", "P1", "P1  ", True),
        ("StudyDescription", "Böhm", unicodedata.normalize("NFD", "Böhm"), True),
        ("StudyDescription", "Bohm", "Böhm", False),
        ("StudyInstanceUID", "1.2.3", "1.2.3\0", True),
        ("StudyInstanceUID", "1.2.3", "1.2.30", False),
        ("SeriesNumber", "007", "+7", True),
        ("SeriesNumber", "7", "70", False),
        ("SliceThickness", "1.50", "1.5", True),
        ("SliceThickness", "1e1", "10", True),
        ("SliceThickness", "1", "thick", False),
        ("Rows", "512", "512", True),
        ("PatientAge", "018Y", "18Y", True),
        ("PatientAge", "018Y", "018M", False),
        ("StudyDate", "20240229", "20240229", True),
        ("StudyDate", "20240229", "2024.02.29", True),
        ("StudyDate", "20240229", "", False),
        ("StudyTime", "1015", "101530.5", True),
        ("StudyTime", "1015", "1016", False),
        ("StudyTime", "101500.25", "101500.250", True),
        ("StudyTime", "101500.25", "101500.251", False),
    ],
)
def test_single_values(word: str, asked: str, stored: str, found: bool) -> None:
    assert finds(word, asked, stored) is found


@pytest.mark.req("T-5")
@pytest.mark.parametrize(
    ("word", "asked", "stored", "found"),
    [
        ("PatientID", "P*", "P", True),
        ("PatientID", "P*", "p", False),
        ("PatientID", "P?", "P", False),
        ("PatientID", "P?", "P1", True),
        ("PatientID", "*1*3", "0123", True),
        ("PatientID", "*1*3", "0132", False),
        ("PatientID", "A*A", "A", False),
        ("PatientID", "??*??", "123", False),
        ("PatientID", "*a?c*", "xxabbabcx", True),
        ("PatientID", "*a?c*", "xxabbab", False),
        ("StudyDescription", "*ö?m*", "Herr Böhm", True),
        ("StudyDescription", "山?", "山𠀀", True),
        ("StudyDescription", "山?", "山田川", False),
        ("ScheduledStationAETitle", "CT*", "CT1", True),
        ("Modality", "*", "CT", True),
    ],
)
def test_wild_cards_count_characters(word: str, asked: str, stored: str, found: bool) -> None:
    assert finds(word, asked, stored) is found


def naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@pytest.mark.req("T-5")
@given(st.text("ab*?", max_size=8), st.text("ab?", max_size=9))
def test_wild_cards_agree_with_the_definition(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) is naive(pattern, text)
    if naive(pattern, text):
        assert text.startswith(literal_prefix(pattern))


@pytest.mark.req("T-5")
def test_a_hostile_pattern_takes_steps_in_proportion_to_the_text() -> None:
    # Backtracking would try more ways than there are atoms before it gave up.
    pattern = Pattern("*".join(["a?" * 20] * 40) + "b")
    assert not pattern.matches("a" * 10_000 + "c")
    assert not Pattern("*a" * 32 + "*b").matches("a" * 10_000)


@pytest.mark.req("T-6")
def test_a_list_of_thousands_of_uids_finds_any_of_them() -> None:
    uids = [f"1.2.3.{number}" for number in range(5000)]
    asked = key("StudyInstanceUID", *uids)
    assert holds(asked, row(StudyInstanceUID="1.2.3.4999"))
    assert not holds(asked, row(StudyInstanceUID="1.2.3.5000"))


@pytest.mark.req("T-11")
def test_of_several_values_any_is_enough_unless_each_was_negotiated() -> None:
    asked = key("ModalitiesInStudy", "CT", "MR")
    each = Options(multiple_values=True)
    one, both = row(ModalitiesInStudy="CT"), row(ModalitiesInStudy=["SR", "MR", "CT"])
    assert holds(asked, one)
    assert not holds(asked, one, each)
    assert holds(asked, both, each)
    assert holds(asked, both)
    names = key("OtherPatientNames", "doe^ann", "ROE^A")
    assert holds(names, row(OtherPatientNames=["Roe^A", "Doe^Ann", "X"]), each)
    assert not holds(names, row(OtherPatientNames=["Doe^Ann", "X"]), each)


@pytest.mark.req("T-12")
def test_two_quotation_marks_ask_for_emptiness_only_when_negotiated() -> None:
    asked = key("PatientID", '""')
    negotiated = Options(empty_value=True)
    assert holds(asked, row(), negotiated)
    assert holds(asked, row(PatientID=""), negotiated)
    assert not holds(asked, row(PatientID="P1"), negotiated)
    assert not holds(asked, row())
    assert holds(asked, row(PatientID='""'))
    assert holds(key("StudyDate", '""'), row(), negotiated)


@pytest.mark.req("T-13")
def test_one_of_several_stored_values_suffices_and_none_fails_every_value() -> None:
    several = row(ScheduledStationAETitle=["AA32", "AA33"])
    assert holds(key("ScheduledStationAETitle", "AA33"), several)
    assert holds(key("ScheduledStationAETitle", "*33"), several)
    for word, value in (("StudyDate", "-20991231"), ("PatientID", "?*"), ("SeriesNumber", "0")):
        assert not holds(key(word, value), row())
        assert not holds(key(word, value), row(None, **{word: ""}))
