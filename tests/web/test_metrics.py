"""The exposition: the names of R-84, labels that no peer can choose."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from waystation.web.metrics import Figures, LaneFigures, WaitingFigures, metrics_text

FIGURES = Figures(
    received={("ct1", 0): 7, ("ct1", 0xA700): 1},
    received_bytes={"ct1": 4096},
    refused={"address": 2},
    outcomes={("pacs", "done"): 6},
    held={"no-rule": 1},
    lanes=[
        LaneFigures(
            destination="pacs",
            open=True,
            down=False,
            blocked=True,
            associations=2,
            rate_bytes=2048.0,
            waiting=[
                WaitingFigures(priority=0, n=1, size_bytes=10, oldest_s=5.0),
                WaitingFigures(priority=1, n=3, size_bytes=30, oldest_s=90.0, clears_at=17.0),
            ],
        )
    ],
    unaccounted=2,
    free_bytes=1000,
    config_ok=False,
    commits=10,
    jobs=25,
)


def samples(figures: Figures) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(metrics_text(figures).decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("received_total", ("ct1", "0000"), 7),
        ("received_total", ("ct1", "A700"), 1),
        ("received_bytes_total", ("ct1",), 4096),
        ("refused_total", ("", "address"), 2),
        ("deliveries_total", ("pacs", "done"), 6),
        ("queue_deliveries", ("pacs", "stat"), 1),
        ("queue_deliveries", ("pacs", "normal"), 3),
        ("queue_deliveries", ("pacs", "low"), 0),
        ("queue_bytes", ("pacs", "normal"), 30),
        ("queue_bytes", ("pacs", "low"), 0),
        ("queue_oldest_seconds", ("pacs", "normal"), 90),
        ("clears_at", ("pacs", "normal"), 17),
        ("lane_rate_bytes", ("pacs",), 2048),
        ("lane_open", ("pacs",), 1),
        ("lane_breaker", ("pacs",), 1),
        ("lane_blocked", ("pacs",), 1),
        ("lane_associations", ("pacs",), 2),
        ("held", ("no-rule",), 1),
        ("unaccounted", (), 2),
        ("spool_free_bytes", (), 1000),
        ("config_ok", (), 0),
        ("arrivals_per_commit", (), 2.5),
    ],
)
def test_each_figure_has_its_name_and_labels(
    name: str, labels: tuple[str, ...], value: float
) -> None:
    assert samples(FIGURES)["waystation_" + name, labels] == value


def test_a_node_that_did_nothing_yet_can_be_asked() -> None:
    assert samples(Figures())["waystation_arrivals_per_commit", ()] == 0


def test_a_name_with_a_quote_stays_one_label() -> None:
    lane = LaneFigures(
        destination='a"b\\c\nd', open=True, down=False, blocked=False, associations=0
    )
    assert samples(Figures(lanes=[lane]))["waystation_lane_open", ('a"b\\c\nd',)] == 1
