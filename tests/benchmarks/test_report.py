"""What a run prints and publishes."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS, parts_of
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.limits import BAR_EXIT_S, BAR_THROUGH_MB, resident_bar_mb
from benchmarks.plan import FULL
from benchmarks.report import machine, missed, published, table, write

RATE = Figure(name="receive.ct", unit="objects/s", ours=500.0, peer=250.0, bar=3.0)
SIZE = Figure(name="limits.memory", unit="MB", ours=130.0, bar=152.0, higher=False)
PLAIN = Figure(name="queue.p50", unit="ms", ours=2.5)


@pytest.mark.req("RT-18")
def test_every_ratio_stands_beside_its_bar() -> None:
    _, rate, size, plain = table([RATE, SIZE, PLAIN]).splitlines()
    assert rate.split() == ["receive.ct", "objects/s", "500", "250", "2.00x", ">=", "3", "MISSED"]
    assert size.split() == ["limits.memory", "MB", "130", "-", "-", "<=", "152", "reached"]
    assert plain.split() == ["queue.p50", "ms", "2.5", "-", "-"]


@pytest.mark.req("RT-18")
def test_the_table_is_published_with_the_machine() -> None:
    text = published([RATE], 5)
    assert text.startswith(machine())
    assert "median of 5" in text
    assert table([RATE]) in text


def test_only_a_bar_that_was_not_reached_is_missed() -> None:
    assert missed([RATE, SIZE, PLAIN]) == ["receive.ct"]


@pytest.mark.req("R-88")
def test_medians_of_five_make_the_ratio() -> None:
    samples = Samples()
    for ours, theirs in ((10, 6), (100, 5), (12, 5), (11, 1), (13, 90)):
        samples.add(OURS, ours)
        samples.add("dcmtk", theirs)
    (figure,) = against_each("receive", "objects/s", samples, bars={"dcmtk": 2.4})
    assert (figure.ours, figure.peer, figure.ratio, figure.reached) == (12, 5, 2.4, True)
    assert FULL.rounds == 5


def test_the_file_has_a_ratio_and_a_bar_for_each_figure(tmp_path: Path) -> None:
    write([RATE], tmp_path / "latest.json")
    assert json.loads((tmp_path / "latest.json").read_text()) == {
        "receive.ct": {
            "ours": 500.0,
            "peer": 250.0,
            "ratio": 2.0,
            "unit": "objects/s",
            "bar": 3.0,
            "reached": False,
        }
    }


@pytest.mark.req("R-88")
@pytest.mark.parametrize("part", ["receive", "relay"])
def test_syncs_are_counted_before_a_rate_is_measured(part: str) -> None:
    assert parts_of([part]) == ["durable", part]
    assert parts_of(["rules"]) == ["rules"]
    assert parts_of(list(PARTS)) == list(PARTS)


@pytest.mark.req("R-89")
def test_the_bars_of_one_node_are_those_of_the_specification() -> None:
    assert [resident_bar_mb(many) for many in FULL.associations] == [152, 166, 550]
    assert (FULL.through_bytes, BAR_THROUGH_MB, BAR_EXIT_S) == (4_000_000_000, 50, 10)
    assert 1_000_000 in FULL.queue_levels


@pytest.mark.req("RT-18")
def test_the_suite_runs_no_benchmark() -> None:
    recipe = Path("Makefile").read_text().split("\ntest:")[1].split("\n\n")[0]
    assert "benchmarks" not in recipe
