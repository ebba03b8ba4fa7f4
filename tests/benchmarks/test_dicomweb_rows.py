"""The rows of DICOMweb in ``make bench``: what is asked of both servers, and the bar beside it."""

from typing import cast

import pytest

from benchmarks import broker, dicomweb, dicomweb_slow, dicomweb_wado
from benchmarks.dicomweb import QUICK_TIMES, TIMES, Asker
from benchmarks.figures import OURS, Figure, Samples
from tests.requirement_ids import delivered, requirements

ORTHANC = dicomweb.ORTHANC


class Told:
    """A server of which every question takes ``took`` milliseconds; it notes who was asked."""

    def __init__(self, name: str, took: float, order: list[str]) -> None:
        self.name, self.took, self.order = name, took, order

    def ms(self, path: str, expected: int) -> float:
        self.order.append(self.name)
        return self.took


def rows(*, ours: float, theirs: float) -> tuple[dict[str, Figure], list[str]]:
    order: list[str] = []
    askers = {OURS: Told(OURS, ours, order), ORTHANC: Told(ORTHANC, theirs, order)}
    found = dicomweb._figures(cast(dict[str, Asker], askers), 100, 100, 1000, full=True)
    return {figure.name: figure for figure in found}, order


@pytest.mark.req("W-142")
def test_both_servers_are_asked_by_turns() -> None:
    _, order = rows(ours=1.0, theirs=2.0)
    assert order[::2] == [OURS] * (len(order) // 2)
    assert order[1::2] == [ORTHANC] * (len(order) // 2)
    assert TIMES >= 30 > QUICK_TIMES


@pytest.mark.req("W-143", "W-144", "W-147")
def test_each_row_of_searching_and_metadata_has_its_bar() -> None:
    found, _ = rows(ours=10.0, theirs=30.0)
    bars = {name.removeprefix("dicomweb."): figure.bar for name, figure in found.items()}
    assert bars == {
        "qido_studies.orthanc": 1.0,
        "qido_patient.orthanc": 0.5,
        "qido_study.orthanc": 0.5,
        "qido_series.orthanc": 1.0,
        "metadata_100_first.orthanc": 1.0,
        "metadata_100_again.orthanc": 0.5,
        "metadata_1000_first.orthanc": 1.0,
        "metadata_1000_again.orthanc": 0.5,
        "metadata_1000_again": 0.5,
    }
    assert all(figure.reached for figure in found.values())
    slower, _ = rows(ours=31.0, theirs=30.0)
    assert not any(slower[name].reached for name in slower if name.endswith(".orthanc"))


@pytest.mark.req("W-145")
def test_a_study_as_stored_must_come_no_slower() -> None:
    class Fixed:
        def took_s(self, path: str, accept: str, size: int) -> float:
            return 1.0

    study = type("Study", (), {"files": [], "study_uid": "1.2"})()
    load = type("Load", (), {"times": 1})()
    (figure,) = dicomweb_wado._studies({OURS: Fixed(), ORTHANC: Fixed()}, study, load)  # type: ignore[dict-item]
    assert (figure.name, figure.bar) == ("wado.study.orthanc", 1.0)


@pytest.mark.req("W-146", "W-148")
def test_the_bars_of_the_broker_are_those_of_the_specification() -> None:
    first = Samples()
    first.add(OURS, 1.1)
    first.add(broker.MOVE, 1.0)
    (figure,) = broker._against("first_byte", "ms", first, broker.MOVE, broker.SOON)
    assert (figure.bar, figure.reached) == (1.2, True)
    assert broker.UNKNOWN_MS == 50.0


@pytest.mark.req("W-149")
def test_slow_readers_may_cost_200_mib_and_a_fifth_of_the_time() -> None:
    memory, before, during = Samples(), Samples(), Samples()
    for samples, value in ((memory, 199.0), (before, 10.0), (during, 12.1)):
        samples.add(OURS, value)
    found = {one.name: one for one in dicomweb_slow._figures(memory, before, during)}
    assert found["wado.slow.growth"].reached
    assert not found["wado.slow.search_p95"].reached


@pytest.mark.req("W-152")
def test_every_failure_seen_elsewhere_has_a_test_here() -> None:
    rows_seen = {name for name in requirements() if name.startswith("WT-")}
    assert len(rows_seen) >= 20
    assert rows_seen <= set(delivered())
