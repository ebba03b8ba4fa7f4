"""Hints for a database: too many candidates, never too few (T-1)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matching.asking import key
from waystation.dicom.tags import tag_for
from waystation.matching import preselect
from waystation.matching.folding import plain
from waystation.matching.keys import first_fault
from waystation.matching.match import Matcher
from waystation.matching.names import folded_groups, words
from waystation.matching.preselect import Hint, date_form, hints, number_form, time_form
from waystation.model.query import STUDY, Key, Options, Query, Row

FORMS: dict[str, Callable[[str], list[str]]] = {
    preselect.TEXT: lambda value: [plain(value)],
    preselect.UID: lambda value: [value.strip("\0 ")],
    preselect.NAME: folded_groups,
    preselect.NUMBER: lambda value: [number_form(value)],
    preselect.DATE: lambda value: [date_form(value)],
    preselect.TIME: lambda value: [time_form(value)],
}


def lets_through(hint: Hint, record: Row) -> bool:
    """Do what a database would do with columns that hold every stored value in its form."""
    stored = [value for value in record.values(hint.tag, "") if value]
    if hint.op == preselect.EMPTY:
        return not stored
    if hint.op == preselect.WORDS:
        lines = [" " + " ".join(words(value)) for value in stored]
        return any(all(f" {want}" in line for want in hint.values) for line in lines)
    held = [form for value in stored for form in FORMS[hint.form](value)]
    if hint.op == preselect.IN:
        return any(one in hint.values for one in held)
    if hint.op == preselect.PREFIX:
        return any(one.startswith(hint.values) for one in held)
    return any(one and hint.low <= one <= hint.high for one in held)


ASKED = {
    "PatientID": st.text("aAÄ*? 1", max_size=4),
    "PatientName": st.text("aAÄß^=*?  ヤや", max_size=6),
    "StudyDate": st.sampled_from(
        ["20240101", "20240101-20240103", "20240102-", "-20240102", "20240103-20240101"]
    ),
    "StudyTime": st.sampled_from(["10", "1000-1130", "1130-", "-1000", "2300-0100", "100000.5"]),
    "StudyInstanceUID": st.sampled_from(["1.2", "1.3"]),
    "SeriesNumber": st.sampled_from(["1", "+01", "-2", "10"]),
    "SliceThickness": st.sampled_from(["1.50", "1e1", ".5", "10"]),
}
STORED = {
    "PatientID": st.text("aAÄ 1", max_size=3),
    "PatientName": st.text("aAÄß^=  ヤや", max_size=6),
    "StudyDate": st.sampled_from(
        ["20231231", "20240101", "2024.01.02", "20240103", "20240104", "x", ""]
    ),
    "StudyTime": st.sampled_from(["10", "1000", "10:30", "113015.25", "23", "0030", "", "x"]),
    "StudyInstanceUID": st.sampled_from(["1.2", "1.3\0", "1.4"]),
    "SeriesNumber": st.sampled_from(["1", "001", "-2", "10", "x", ""]),
    "SliceThickness": st.sampled_from(["1.5", "10", "0.5", "10.0", ""]),
}
OPTIONS = st.builds(
    Options,
    combined=st.booleans(),
    fuzzy=st.booleans(),
    time_zone=st.booleans(),
    empty_value=st.booleans(),
    multiple_values=st.booleans(),
)


@st.composite
def keys(draw: st.DrawFn) -> list[Key]:
    asked = []
    for word in draw(st.sets(st.sampled_from(sorted(ASKED)), min_size=1, max_size=3)):
        values = st.one_of(ASKED[word], st.just('""'))
        asked.append(key(word, *draw(st.lists(values, min_size=1, max_size=2))))
    return asked


@st.composite
def rows(draw: st.DrawFn) -> Row:
    texts = {
        tag_for(word): tuple(draw(st.lists(STORED[word], max_size=2))) for word in sorted(STORED)
    }
    return Row(texts, zone=draw(st.sampled_from([None, 60, -600])))


@pytest.mark.req("T-1")
@given(keys(), rows(), OPTIONS, st.sampled_from([None, 0, 840]))
def test_whatever_matches_passes_every_hint(
    asked: list[Key], record: Row, options: Options, zone: int | None
) -> None:
    query = Query(level=STUDY, options=options, zone=zone).with_keys(asked)
    if first_fault(query.keys, options) is None and Matcher(query).matches(record):
        assert all(lets_through(hint, record) for hint in hints(query))


@pytest.mark.req("T-1")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (key("PatientID", "P1"), ("text", "in", ("P1",))),
        (key("PatientID", "P1*"), ("text", "prefix", ("P1",))),
        (key("PatientID", "*1"), None),
        (key("PatientID"), None),
        (key("PatientName", "Müller^J*"), ("name", "prefix", ("muller^j",))),
        (key("PatientName", "DOE^JANE^^"), ("name", "in", ("doe^jane",))),
        (key("PatientName", "Doe^*"), ("name", "prefix", ("doe",))),
        (key("StudyInstanceUID", "1.2", "1.3"), ("uid", "in", ("1.2", "1.3"))),
        (key("SeriesNumber", "+007"), ("number", "in", ("7",))),
        (key("StudyDescription", "a", "b*"), ("text", "prefix", ("a", "b"))),
    ],
)
def test_ordinary_keys_can_be_looked_up(
    asked: Key, expected: tuple[str, str, tuple[str, ...]] | None
) -> None:
    found = [(hint.form, hint.op, hint.values) for hint in hints(Query(keys=(asked,)))]
    assert found == ([expected] if expected else [])


@pytest.mark.req("T-1")
def test_ranges_become_bounds() -> None:
    (date,) = hints(Query(keys=(key("StudyDate", "20240101-"),)))
    assert (date.low, date.high) == ("20240101", "99991231")
    (time,) = hints(Query(keys=(key("StudyTime", "1015-1130"),)))
    assert (time.low, time.high) == ("100000.000000", "113059.999999")
    assert hints(Query(keys=(key("StudyTime", "2300-0100"),))) == []
    both = (key("StudyDate", "20240101-20240102"), key("StudyTime", "1000-1100"))
    (only,) = hints(Query(keys=both, options=Options(combined=True)))
    assert only.form == "date"
    fuzzy = Query(keys=(key("PatientName", "Jör M*"),), options=Options(fuzzy=True))
    assert [(hint.op, hint.values) for hint in hints(fuzzy)] == [("words", ("jor", "m"))]
