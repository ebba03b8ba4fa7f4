"""The comparison of de-identifiers: one that lets everything through scores nothing (D-47)."""

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import deidentify_driver, deidentify_tools
from benchmarks.deidentify_driver import WARM
from benchmarks.deidentify_tools import OURS, Absent, Result, interpreter, judge, settings, table
from tests.objects.phi.generate import subjects
from tests.objects.phi.kinds import KINDS

PEOPLE = list(subjects(1))


def results(folder: Path, *, untouched: bool) -> Result:
    """Return what our tool, or one that only copies, makes of one subject."""
    told, source, out = settings(folder / "settings"), folder / "in", folder / "out"
    for place in (source, out):
        place.mkdir()
    files = {f"{number}.dcm": case for number, case in enumerate(PEOPLE[0])}
    for name, case in files.items():
        (source / name).write_bytes(case.file)
    if untouched:
        said: dict[str, Any] = {"files": len(files), "cpu_s": 1.0, "failed": {}}
        for name, case in files.items():
            (out / name).write_bytes(case.file)
    else:
        said = deidentify_driver.run(OURS, told, source, out)
    made = deidentify_tools.read("1", said, out, files)
    judge(made, PEOPLE, {case.name: set() for case in PEOPLE[0]}, looks=False)
    return made


@pytest.mark.req("D-47")
@pytest.mark.filterwarnings("ignore")
def test_ours_is_right_and_one_that_only_copies_leaks_everything(tmp_path: Path) -> None:
    ours, copied = tmp_path / "ours", tmp_path / "copied"
    for folder in (ours, copied):
        folder.mkdir()
    good, bad = results(ours, untouched=False), results(copied, untouched=True)
    assert (good.leaks, good.broken, good.failed) == (0, 0, {})
    assert good.score.overall == 1
    assert bad.leaks == len(PEOPLE[0])
    assert bad.score.share("text_removed") == 0
    lines = list(table({OURS: good, "copier": bad, "other": "no such version"}))
    assert lines[0] == "| | Waystation, 1 | copier 1 |"
    assert "| planted words removed where they stood | 100.00% | 0.00% |" in lines
    assert lines[-1] == "\nother: absent (no such version)"


def test_a_tool_that_cannot_be_had_is_absent_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interpreter(OURS, tmp_path) == sys.executable
    monkeypatch.setattr("shutil.which", lambda _: "/nowhere/uv")
    with pytest.raises(Absent, match="FileNotFoundError from uv"):
        interpreter("deid", tmp_path)
    assert not list(tmp_path.rglob("whole"))


def test_the_tools_are_told_all_device_rules(tmp_path: Path) -> None:
    told = settings(tmp_path / "settings")
    recipe = (told / "deid.devices").read_text()
    for kind in KINDS:
        assert (f"LABEL {kind.name}\n" in recipe) is bool(kind.boxes)
    assert (told / WARM).stat().st_size > 1000
