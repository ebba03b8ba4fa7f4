"""The exposition: the names of R-84 and no others, labels that no peer can choose."""

import re
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.flows.telling import arrival_from, attempt_at, delivery_to
from waystation.flows.counters import Counters, status_word
from waystation.model.plan import Plan, Target
from waystation.timing.histogram import Histogram
from waystation.web.metrics import Figures, LaneFigures, WaitingFigures, metrics_text

# R-84, name by name.
LISTED = {
    "received_total": {"peer", "status"},
    "received_bytes_total": {"peer", "status"},
    "refused_total": {"peer", "reason"},
    "accept_seconds": {"peer"},
    "plan_seconds": set(),
    "send_seconds": {"destination"},
    "wait_seconds": {"destination"},
    "deliveries_total": {"destination", "outcome"},
    "attempts_total": {"destination", "class", "status"},
    "queue_deliveries": {"destination", "priority"},
    "queue_bytes": {"destination", "priority"},
    "queue_oldest_seconds": {"destination", "priority"},
    "clears_at": {"destination", "priority"},
    "lane_open": {"destination"},
    "lane_breaker": {"destination"},
    "lane_blocked": {"destination"},
    "lane_associations": {"destination"},
    "lane_rate_bytes": {"destination"},
    "held": {"reason"},
    "duplicates_total": {"kind"},
    "gathers_open": set(),
    "gather_seconds": {"evidence"},
    "unaccounted": set(),
    "spool_free_bytes": set(),
    "config_ok": set(),
    "journal_commit_seconds": set(),
    "arrivals_per_commit": set(),
}


def counted() -> Counters:
    counters = Counters()
    arrival = arrival_from("ct1", size_bytes=4096)
    for _ in range(7):
        counters.accepted(arrival, 0.004)
    counters.refused(arrival.source, 0xA700, "full", 10)
    counters.turned_away("address", "")
    counters.judged(0.0001)
    counters.planned(arrival, Plan(), "skipped")
    filtered = Target(destination="pacs", rules=("all",), filtered_by="pacs.refuse CT")
    counters.planned(arrival, Plan(targets=(filtered,)), "")
    pacs = delivery_to("pacs")
    for _ in range(6):
        counters.tried(attempt_at(pacs, "delivered", status=0, wait_s=61.4, send_s=0.8))
    for word, fault, status in (
        ("deferred", "object", 0xC123),
        ("held expired", "transient", None),
    ):
        counters.tried(attempt_at(pacs, word, fault, status, "no", wait_s=1.0, send_s=0.1))
    counters.gathered("quiet", 120.0)
    return counters


COMMITS = Histogram()
COMMITS.add(0.003)
FIGURES = Figures(
    counted=counted(),
    commit_s=COMMITS,
    arrivals=25,
    commits=10,
    held={"no-rule": 1},
    lanes=[
        LaneFigures(
            destination="pacs",
            open=True,
            down=False,
            blocked=True,
            associations=2,
            rate_bytes=1000.0,
            waiting=[
                WaitingFigures(priority=0, n=1, size_bytes=10, oldest_s=5.0, clears_at=99.0),
                WaitingFigures(priority=1, n=3, size_bytes=30, oldest_s=90.0),
            ],
        )
    ],
    gathers_open=4,
    unaccounted=2,
    free_bytes=1000,
    config_ok=False,
)


def samples(figures: Figures) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(metrics_text(figures).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.req("R-84")
@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("received_total", ("ct1", "0000"), 7),
        ("received_total", ("ct1", "A700"), 1),
        ("received_bytes_total", ("ct1", "0000"), 7 * 4096),
        ("refused_total", ("", "address"), 1),
        ("refused_total", ("ct1", "A700"), 1),
        ("accept_seconds_count", ("ct1",), 7),
        ("accept_seconds_bucket", ("ct1", "0.0025"), 0),
        ("accept_seconds_bucket", ("ct1", "0.005"), 7),
        ("plan_seconds_count", (), 1),
        ("deliveries_total", ("pacs", "delivered"), 6),
        ("deliveries_total", ("pacs", "held"), 1),
        ("deliveries_total", ("pacs", "filtered"), 1),
        ("attempts_total", ("pacs", "delivered", "0000"), 6),
        ("attempts_total", ("pacs", "object", "Cxxx"), 1),
        ("attempts_total", ("pacs", "transient", ""), 1),
        ("send_seconds_sum", ("pacs",), pytest.approx(5.0)),
        ("wait_seconds_bucket", ("pacs", "60.0"), 2),
        ("wait_seconds_bucket", ("pacs", "300.0"), 8),
        ("queue_deliveries", ("pacs", "stat"), 1),
        ("queue_deliveries", ("pacs", "normal"), 3),
        ("queue_deliveries", ("pacs", "low"), 0),
        ("queue_bytes", ("pacs", "normal"), 30),
        ("queue_oldest_seconds", ("pacs", "normal"), 90),
        ("clears_at", ("pacs", "stat"), 99),
        ("lane_open", ("pacs",), 1),
        ("lane_breaker", ("pacs",), 1),
        ("lane_blocked", ("pacs",), 1),
        ("lane_associations", ("pacs",), 2),
        ("lane_rate_bytes", ("pacs",), 1000),
        ("held", ("no-rule",), 1),
        ("duplicates_total", ("skipped",), 1),
        ("gathers_open", (), 4),
        ("gather_seconds_count", ("quiet",), 1),
        ("unaccounted", (), 2),
        ("spool_free_bytes", (), 1000),
        ("config_ok", (), 0),
        ("journal_commit_seconds_count", (), 1),
        ("arrivals_per_commit", (), 2.5),
    ],
)
def test_each_figure_has_its_name_and_labels(
    name: str, labels: tuple[str, ...], value: float
) -> None:
    assert samples(FIGURES)["waystation_" + name, tuple(sorted(labels))] == value


def exposed(figures: Figures) -> Mapping[str, set[str]]:
    """Return each family, as R-84 names it, with the labels of its samples."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics_text(figures).decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {key for sample in family.samples for key in sample.labels} - {"le"}
        found[name.removeprefix("waystation_")] = labels
    return found


@pytest.mark.req("R-84", "RT-17")
def test_the_names_and_labels_are_those_of_the_list_and_no_others() -> None:
    assert exposed(FIGURES) == LISTED


def test_a_node_that_did_nothing_yet_can_be_asked() -> None:
    assert samples(Figures())["waystation_arrivals_per_commit", ()] == 0


def test_a_name_with_a_quote_stays_one_label() -> None:
    lane = LaneFigures(
        destination='a"b\\c\nd', open=True, down=False, blocked=False, associations=0
    )
    assert samples(Figures(lanes=[lane]))["waystation_lane_open", ('a"b\\c\nd',)] == 1


@pytest.mark.req("R-85")
def test_no_receiver_can_make_labels_of_its_own() -> None:
    words = {status_word(status) for status in range(0x10000)}
    assert len(words) < 80
    assert all(re.fullmatch(r"[0-9A-F]{4}|[ABC]xxx|other|[2-5]\d\d", word) for word in words)
