"""What the worklist pages make of what a step says, and of what was typed."""

import csv
import io
from dataclasses import replace

import pytest

from waystation.index.step_templates import Template
from waystation.matching.entry_data import encoded
from waystation.model.step import Author, Step, StepState
from waystation.web.pages.worklist import COLUMNS, csv_of, line_of
from waystation.web.pages.worklist_fields import FIELDS, differing, filled, typed
from waystation.web.pages.worklist_plans import faults_of, moved_end, plan
from waystation.web.pages.worklist_template_fields import csv_text, read_csv
from waystation.web.pages.worklist_words import day_text, name_text, time_text

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ("", "")),
        ("Muster^Erika", ("Muster, Erika", "")),
        ("Muster^Erika^Maria^Dr.^jr", ("Muster, Dr. Erika Maria jr", "")),
        ("^Erika", ("Erika", "")),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("Yamada, Tarou", "山田, 太郎 · やまだ, たろう")),
        ("=山田^太郎", ("山田, 太郎", "")),
    ],
)
def test_names_are_read_as_people_write_them(text: str, shown: tuple[str, str]) -> None:
    assert name_text(text) == shown


def test_days_and_times_are_shown_readably_and_odd_ones_as_they_are() -> None:
    assert (day_text("20261121"), day_text("1964")) == ("2026-11-21", "1964")
    assert (time_text("0830"), time_text("083015.5"), time_text("8")) == ("08:30", "08:30", "8")


def test_what_a_form_shows_of_a_step_is_what_it_gives_back() -> None:
    said = {
        "PatientName": ("Yamada^Tarou=山田^太郎",),
        "PatientBirthDate": ("19640812",),
        "ScheduledProcedureStepStartTime": ("0830",),
        "AccessionNumber": ("W1",),
    }
    form = filled(said)
    assert (form["PatientBirthDate"], form["PatientName2"]) == ("1964-08-12", "山田^太郎")
    again = {name: text for name, text in typed(lambda name: form[name]).items() if text}
    assert again == {name: texts[0] for name, texts in said.items()}
    assert differing({**again, "AccessionNumber": ""}, again) == {"AccessionNumber": ""}
    assert set(form) == set(FIELDS)


@pytest.mark.req("S-62")
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_csv_is_a_formula(start: str) -> None:
    evil = f"{start}HYPERLINK(1)"
    line = line_of(a_step(PatientID="X"), NOW)
    odd = replace(line, name=evil, patient_id=evil, procedure=evil, station=evil, accession=evil)
    rows = list(csv.reader(io.StringIO(csv_of([odd])[1:])))
    assert rows[0] == [words for _, words in COLUMNS]
    assert [cell for cell in rows[1] if cell.startswith(start)] == []
    assert sum(cell == f"'{evil}" for cell in rows[1]) == 5


def a_step(**values: str) -> Step:
    return Step(
        id=7,
        version=1,
        state=StepState.SCHEDULED,
        area="",
        data=encoded(values),
        origin=Author(kind="person"),
        created_at=NOW,
        changed_at=NOW,
        state_at=NOW,
        start="99999999",
    )


WHOLE = {
    "ScheduledProcedureStepStartDate": "20261228",
    "ScheduledProcedureStepStartTime": "2345",
    "ScheduledProcedureStepDescription": "Native",
    "AccessionNumber": "A1",
}


@pytest.mark.req("T-62")
def test_further_days_have_orders_of_their_own_and_the_same_length() -> None:
    extras = {"repeats": "2", "every": "7", "minutes": "30", "more_steps": "Late\n\n"}
    days = plan(WHOLE, extras)
    starts = [[one["ScheduledProcedureStepStartDate"] for one in day] for day in days]
    assert starts == [["20261228"] * 2, ["20270104"] * 2, ["20270111"] * 2]
    assert [day[0]["AccessionNumber"] for day in days] == ["A1", "", ""]
    assert days[1][0]["ScheduledProcedureStepEndDate"] == "20270105"
    assert {day[1]["ScheduledProcedureStepEndTime"] for day in days} == {"0015"}
    assert plan(WHOLE, {}) == [[WHOLE]]


@pytest.mark.parametrize(
    ("name", "text"),
    [("repeats", "0"), ("repeats", "61"), ("minutes", "x"), ("codes", "A, B"), ("codes", ",,")],
)
def test_what_cannot_be_planned_is_said_at_its_field(name: str, text: str) -> None:
    assert list(faults_of({name: text})) == [name]


def test_a_step_that_is_moved_stays_as_long_as_it_was() -> None:
    said = {
        "ScheduledProcedureStepStartDate": ("20261228",),
        "ScheduledProcedureStepStartTime": ("0900",),
        "ScheduledProcedureStepEndDate": ("20261228",),
        "ScheduledProcedureStepEndTime": ("0930",),
    }
    moved = moved_end(said, {"ScheduledProcedureStepStartTime": "2350"})
    assert list(moved.values()) == ["20261229", "0020"]
    assert moved_end(said, {"AccessionNumber": "A2"}) == {}


@pytest.mark.req("S-62")
def test_templates_as_csv_hold_no_formula_and_come_back_as_they_were() -> None:
    evil = {"RequestedProcedureDescription": "=1+1", "Modality": "CT", "more_steps": "-a\n@b"}
    kept = [Template("procedure", "+Thorax, big", evil)]
    text = csv_text(kept)
    rows = list(csv.reader(io.StringIO(text[1:])))
    assert [cell for cell in rows[1] if cell.startswith(("=", "+", "-", "@"))] == []
    assert read_csv(text.encode(), ()) == (kept, [])
    assert read_csv(b"kind,name\n\xff", ())[1] == ["The file is not UTF-8: save it as CSV UTF-8"]
    assert read_csv(b"kind,name,colour\n", ())[1][0].startswith("The first line must name columns")
