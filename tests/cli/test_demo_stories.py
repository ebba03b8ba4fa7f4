"""The two published set-ups of DicomFlowRouter, told by `waystation demo` (R-90)."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.peers.program import WAYSTATION


def told(story: str, folder: Path) -> str:
    done = subprocess.run(
        [str(WAYSTATION), "demo", story, "--folder", str(folder)],
        cwd=folder.parent,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def numbers(out: str, site: str) -> list[int]:
    """Return the ledger's line of a site: sent, kept, done, same, lost, twice."""
    line = re.search(rf"^{site}((?: +\d+)+)$", out, re.MULTILINE)
    assert line is not None, out
    return [int(word) for word in line[1].split()]


@pytest.mark.req("R-90")
def test_a_study_is_kept_while_the_receiver_is_away_and_goes_out_within_6_s(tmp_path: Path) -> None:
    out = told("retry", tmp_path / "demo")
    assert numbers(out, "receiver") == [24, 24, 24, 24, 0, 0]
    assert "waiting 12 of 12" in out
    assert out.endswith("as promised\n")
    assert "as promised" in told("retry", tmp_path / "demo"), "a second run in the same folder"


@pytest.mark.req("R-90")
def test_the_far_site_gets_nothing_before_its_window_opens(tmp_path: Path) -> None:
    out = told("schedule", tmp_path / "demo")
    assert numbers(out, "local") == numbers(out, "remote") == [8, 8, 8, 8, 0, 0]
    assert "THE CLOCK IS SIMULATED" in out
    assert "remote has 0" in out
    assert out.endswith("as promised\n")


def test_an_unknown_story_is_a_usage_error(run: Run) -> None:
    done = run("demo", "opera")
    assert (done.code, done.out) == (2, "")
    assert 'no story "opera"; there are retry and schedule' in done.err
