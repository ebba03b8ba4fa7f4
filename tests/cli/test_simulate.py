"""`waystation simulate-peer` against real DCMTK, and each of its ways to misbehave."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.objects.study import make_study
from tests.peers import dcmtk
from tests.peers.program import WAYSTATION, Program, command, free_port, wait_until

READY = re.compile(r"^ready ae=PACS port=(\d+)$", re.MULTILINE)


class Pacs(Program):
    """`simulate-peer pacs` as a child process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ledger = folder / "ledger.jsonl"
        command = [str(WAYSTATION), "simulate-peer", "pacs", "--ledger", str(self.ledger)]
        super().__init__([*command, *options], folder)
        wait_until(lambda: READY.search(self.log) is not None, "the ready line of the PACS")
        found = READY.search(self.log)
        assert found is not None
        self.port = int(found[1])

    def summary(self) -> dict[str, Any]:
        """End it by SIGTERM and return the last line that it prints."""
        self.signal(signal.SIGTERM)
        assert self.wait() == 0
        summary: dict[str, Any] = json.loads(self.log.splitlines()[-1])
        return summary

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]


@pytest.fixture
def made() -> Iterator[list[Pacs]]:
    running: list[Pacs] = []
    yield running
    for each in running:
        each.close()


def modality(port: int, *options: str, images: int = 4) -> "subprocess.CompletedProcess[str]":
    wanted = ["--images", str(images), "--size", "12kB", "--json", *options]
    target = f"PACS@127.0.0.1:{port}"
    return command(["simulate-peer", "modality", target, *wanted], Path())


def endings(done: "subprocess.CompletedProcess[str]") -> list[str]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [row["ending"] for row in rows if "ending" in row]


@pytest.mark.peer
def test_storescu_stores_and_echoscu_is_heard(tmp_path: Path, made: list[Pacs]) -> None:
    study = make_study(tmp_path / "study", "small", 5)
    pacs = Pacs(tmp_path / "pacs", "--output", str(tmp_path / "kept"))
    made.append(pacs)
    assert dcmtk.echoscu(pacs.port, called="PACS").exit_code == 0
    assert dcmtk.echoscu(pacs.port, called="OTHER").exit_code != 0
    assert dcmtk.storescu(pacs.port, study.folder, called="PACS").exit_code == 0
    assert {row["sop_instance"]: row["sha256"] for row in pacs.lines()} == study.digests
    kept = sorted((tmp_path / "kept").iterdir())
    assert [file.name for file in kept] == [f"{n:08}.dcm" for n in range(1, 6)]
    summary = pacs.summary()
    assert (summary["received"], summary["distinct"]) == (5, 5)


@pytest.mark.peer
def test_storescp_takes_what_the_modality_sends(tmp_path: Path) -> None:
    with dcmtk.StoreScp(tmp_path / "scp", ae_title="PACS") as scp:
        ledger = tmp_path / "sent.jsonl"
        done = modality(scp.port, "--studies", "2", "--parallel", "2", "--ledger", str(ledger))
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in ledger.read_text().splitlines()]
        acked = {row["sop_instance"]: row["sha256"] for row in rows if row["event"] == "acked"}
        assert len(acked) == 8
        assert scp.digests() == acked
        assert [row["event"] for row in rows].count("attempted") == 8


@pytest.mark.parametrize(
    ("options", "expected", "code"),
    [
        (("--status", "A700", "--status-every", "2"), ["acked", "refused"] * 2, 1),
        (("--status", "B007"), ["acked"] * 4, 0),
        (("--abort-after", "2"), ["acked", "acked", "lost", "unreachable"], 1),
        (("--drop-every", "2"), ["acked", "lost", "unreachable", "unreachable"], 1),
        (("--reject", "transient"), ["unreachable"] * 4, 1),
        (("--reject", "permanent"), ["unreachable"] * 4, 1),
        (("--accept-syntax", "1.2.840.10008.1.2"), ["refused"] * 4, 1),
        (("--accept-class", "1.2.840.10008.5.1.4.1.1.2"), ["refused"] * 4, 1),
        (("--delay", "10ms", "--slow", "1MiB/s", "--max-pdu", "4KiB"), ["acked"] * 4, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_pacs_misbehaves_as_told_and_the_modality_says_what_it_saw(
    tmp_path: Path, made: list[Pacs], options: tuple[str, ...], expected: list[str], code: int
) -> None:
    pacs = Pacs(tmp_path, *options)
    made.append(pacs)
    done = modality(pacs.port)
    assert endings(done) == expected
    assert done.returncode == code
    assert len(pacs.lines()) == expected.count("acked")


def test_nobody_there_is_exit_code_3_and_a_strange_target_2(tmp_path: Path) -> None:
    assert modality(free_port()).returncode == 3
    command = [str(WAYSTATION), "simulate-peer", "modality", "nobody"]
    assert subprocess.run(command, capture_output=True, check=False, cwd=tmp_path).returncode == 2
