"""The order of answers (T-18)."""

import pytest

from tests.matching.asking import row
from waystation.matching.order import order_key
from waystation.model.query import IMAGE, PATIENT, SERIES, STUDY, WORKLIST, Row


def in_order(level: str, *rows: Row) -> bool:
    keys = [order_key(level, one) for one in rows]
    return keys == sorted(keys) and len(set(keys)) == len(keys)


@pytest.mark.req("T-18")
def test_every_level_has_its_order() -> None:
    assert in_order(
        STUDY,
        row(StudyDate="20240102", StudyTime="0900", StudyInstanceUID="1.9"),
        row(StudyDate="20240101", StudyTime="1200", StudyInstanceUID="1.5"),
        row(StudyDate="20240101", StudyTime="12:00", StudyInstanceUID="1.6"),
        row(StudyDate="20240101", StudyTime="0900", StudyInstanceUID="1.4"),
        row(StudyDate="20240101", StudyInstanceUID="1.3"),
        row(StudyInstanceUID="1.2"),
    )
    assert in_order(
        SERIES,
        row(SeriesNumber="2", SeriesInstanceUID="1.9"),
        row(SeriesNumber="10", SeriesInstanceUID="1.1"),
        row(SeriesNumber="10", SeriesInstanceUID="1.2"),
        row(SeriesInstanceUID="1.0"),
    )
    assert in_order(
        IMAGE,
        row(InstanceNumber="-1", SOPInstanceUID="1.9"),
        row(InstanceNumber="+3", SOPInstanceUID="1.3"),
    )
    assert in_order(PATIENT, row(PatientID="A"), row(PatientID="B", PatientName="A"))


@pytest.mark.req("T-18")
def test_the_worklist_goes_by_start_station_and_step() -> None:
    def entry(**texts: str) -> Row:
        return row(ScheduledProcedureStepSequence=(row(None, **texts),))

    start, time, title, step = (
        *("ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"),
        *("ScheduledStationAETitle", "ScheduledProcedureStepID"),
    )
    assert in_order(
        WORKLIST,
        entry(**{start: "20240101", time: "0900", title: "CT2", step: "9"}),
        entry(**{start: "20240101", time: "1000", title: "CT1", step: "1"}),
        entry(**{start: "20240101", time: "1000", title: "CT1", step: "2"}),
        entry(**{start: "20240101", time: "1000", title: "CT2", step: "1"}),
        entry(**{start: "20240102", time: "0800", title: "CT1", step: "0"}),
        row(PatientID="no step at all"),
    )
