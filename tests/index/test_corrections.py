"""What the index says of a study that a person corrected."""

from collections.abc import Callable, Mapping

import pytest

from tests.index.making import NOW, Shelf, ct, query
from tests.index.test_proof import prove
from tests.index.test_removal import DAY, OLD, apply
from waystation.index.correcting import Correcting, Order
from waystation.index.corrections import Correction
from waystation.index.deletion import Deletion

PATIENT_ID, PATIENT_NAME, DESCRIPTION = 0x00100020, 0x00100010, 0x00081030
KEYS = {"PatientName": "", "PatientID": ""}
Told = Callable[[str, Correction | None], None]


def _nobody(_study: str, _correction: Correction | None) -> None:
    """Hear nothing."""


def correcting(shelf: Shelf, told: Told = _nobody) -> Correcting:
    return Correcting(shelf.database, shelf.heads, shelf.ids.next, lambda: NOW, told)


def order(study: str, **values: str) -> Order:
    tags = {key.tag: values[word] for word in values for key in query("STUDY", **{word: ""}).keys}
    return Order(study=study, values=tags, author="ann", because="wrong patient chosen")


@pytest.mark.req("T-32")
async def test_a_study_moves_to_another_patient_and_back(shelf: Shelf) -> None:
    await shelf.put(ct(1, PatientID="A"), ct(1, 2, PatientID="A"), ct(2, PatientID="A"))
    await shelf.put(ct(3, PatientID="B", PatientName="Böhm^Ä"))
    before = await shelf.ask("STUDY", **KEYS)
    desk = correcting(shelf)
    moved = order("1.2.3.1", PatientID="B", PatientName="Böhm^Ä")
    assert await desk.correct(moved) == ""
    assert await shelf.rows(
        "SELECT patient_id, n_studies, n_series, n_instances FROM patient ORDER BY patient_id"
    ) == [("A", 1, 1, 1), ("B", 2, 3, 3)]
    assert await shelf.ask("STUDY", StudyInstanceUID="1.2.3.1", **KEYS) == [
        ("Böhm^Ä", "B", "1.2.3.1")
    ]
    # What was wrong finds it no more.
    assert await shelf.ask("STUDY", PatientID="A", StudyInstanceUID="") == [("A", "1.2.3.2")]
    assert await shelf.ask("STUDY", PatientName="Name1*") == []
    assert await prove(shelf) == []
    assert await desk.undo(order("1.2.3.1")) == ""
    assert await shelf.ask("STUDY", **KEYS) == before
    assert await prove(shelf) == []
    assert await desk.undo(order("1.2.3.1")) == "nothing of it is corrected"


@pytest.mark.req("T-32", "T-35")
async def test_what_comes_later_belongs_to_the_corrected_study_and_a_rebuild_keeps_it(
    shelf: Shelf,
) -> None:
    await shelf.put(ct(1, StudyDescription="CHEST"))
    desk = correcting(shelf)
    assert await desk.correct(order("1.2.3.1", PatientID="B", StudyDescription="")) == ""
    assert await desk.correct(order("1.2.3.1", PatientID="C")) == ""
    await shelf.put(ct(1, 1, 2, PatientID="A", StudyDescription="ABDOMEN"))
    shown = [("", "C", "2")]
    asked = {"StudyDescription": "", "PatientID": "", "NumberOfStudyRelatedInstances": ""}
    assert await shelf.ask("STUDY", **asked) == shown
    assert await prove(shelf) == []
    for table in ("patient", "study", "series", "instance", "level", "term"):
        await shelf.run(f"DELETE FROM {table}")
    assert await prove(shelf, mend=True)
    assert await shelf.ask("STUDY", **asked) == shown


@pytest.mark.req("T-32", "T-30")
async def test_a_study_that_is_gone_takes_its_corrections_along(shelf: Shelf) -> None:
    await shelf.put(ct(1), at=NOW - 40 * DAY)
    assert await correcting(shelf).correct(order("1.2.3.1", PatientID="B")) == ""
    assert await apply(shelf, OLD) == 1
    await shelf.put(ct(1))
    assert await shelf.ask("STUDY", PatientID="") == [("P1",)]
    assert await correcting(shelf).correct(order("1.2.3.1", PatientID="B")) == ""
    deletion = Deletion(shelf.database, shelf.heads, shelf.ids.next, lambda: NOW)
    done = await deletion.delete({"study": "1.2.3.1"}, "ann")
    assert (done.objects, done.gone) == (1, True)
    assert await shelf.rows("SELECT count(*) FROM correction WHERE undone_at = 0") == [(0,)]


@pytest.mark.req("T-32")
async def test_what_is_in_force_is_told_as_it_is_written(shelf: Shelf) -> None:
    await shelf.put(ct(1), ct(2))
    heard: list[tuple[str, Mapping[int, str] | None]] = []

    def told(study: str, correction: Correction | None) -> None:
        heard.append((study, None if correction is None else correction.values))

    desk = correcting(shelf, told)
    await desk.correct(order("1.2.3.1", PatientID="B"))
    await desk.correct(order("1.2.3.1", StudyDescription="HEAD"))
    await desk.correct(order("1.2.3.1", PatientBirthDate="soon"))
    await desk.undo(order("1.2.3.1"))
    first = {PATIENT_ID: "B"}
    both = {**first, DESCRIPTION: "HEAD"}
    assert heard == [("1.2.3.1", first), ("1.2.3.1", both), ("1.2.3.1", None)]


@pytest.mark.req("T-32")
async def test_what_cannot_leave_corrected_is_not_corrected(shelf: Shelf) -> None:
    await shelf.put(ct(1))
    desk = correcting(shelf)
    for values in ({"StudyInstanceUID": "1.9"}, {"Modality": "MR"}, {"PatientBirthDate": "soon"}):
        assert await desk.correct(order("1.2.3.1", **values))
    assert await desk.correct(order("9.9", PatientID="B")) == "there is no such study"
    assert await shelf.rows("SELECT count(*) FROM correction") == [(0,)]
    assert await shelf.ask("STUDY", PatientID="") == [("P1",)]
