"""``waystation anonymize --ocr``: what still shows text is held, the others go on (D-36)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.test_anonymize import lines
from tests.objects.layouts import Picture
from tests.objects.samples import sample
from tests.objects.study import Kind
from tests.objects.written import NAME, drawn, with_pixels
from tests.peers.program import need
from waystation.dicom.part10 import file_meta
from waystation.transforms.deid_step import TEXT_LEFT

WHY = f"{TEXT_LEFT} (frame 1)"
MR = "1.2.840.10008.5.1.4.1.1.4"
PROFILE = """
project = { id = "lung", key = { file = "lung.key" } }
options = ["clean_pixel_data"]
pixels = { rules = ["devices.toml"] }
"""
DEVICES = '[[device]]\nname = "corner"\nrows = 80\nrectangles = [[0, 0, 80, 30]]\n'


@pytest.fixture
def profile(tmp_path: Path, run: Run) -> Path:
    assert run("anonymize", "--new-key", tmp_path / "lung.key").code == 0
    (tmp_path / "devices.toml").write_text(DEVICES)
    path = tmp_path / "research.toml"
    path.write_text(PROFILE)
    return path


def written(path: Path, text: str, side: int = 76) -> Path:
    one = sample(Kind(sop_class=MR, modality="MR", side=side), seed=path.name)
    numbers = drawn(Picture(rows=side, columns=side, allocated=16), text, place=(4, 4))
    made = with_pixels(one, numbers.astype("<u2").tobytes())
    path.parent.mkdir(exist_ok=True)
    meta = file_meta(made.sop_class, made.sop_instance, made.transfer_syntax)
    path.write_bytes(meta + made.data_set)
    return path


def states(out: str) -> list[Any]:
    return [
        (one["state"], one.get("why", ""))
        for one in sorted(lines(out)[:-1], key=lambda one: str(one["path"]))
    ]


@pytest.mark.peer
@pytest.mark.req("D-36")
def test_what_still_shows_text_is_held_and_nothing_tells_what_it_says(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    need("/usr/bin/tesseract")
    source = tmp_path / "in"
    for name, text, side in (("a", "ERIKA", 76), ("b", NAME, 80)):
        written(source / name, text, side)
    ways = (source, "--profile", profile, "--json", "--jobs", "1")
    report = tmp_path / "report.json"
    done = run("anonymize", *ways, "--ocr", "-o", tmp_path / "out", "--report", report)
    assert done.code == 1
    assert states(done.out) == [("held", WHY), ("written", "")]
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1
    assert not list((tmp_path / "out").glob(".waystation-work*"))
    assert "ERIKA" not in done.out + done.err + report.read_text()
    held = [study["objects"]["held"] for study in json.loads(report.read_text())["studies"]]
    assert {WHY: 1} in held
    for number, more in enumerate(((), ("--ocr", "--approve", "pixels"))):
        again = run("anonymize", source / "a", *ways[1:], *more, "-o", tmp_path / f"o{number}")
        assert again.code == 0, more


@pytest.mark.req("D-36", "D-38")
def test_without_the_program_neither_the_option_nor_the_profile_can_be_used(
    tmp_path: Path, run: Run, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    one = written(tmp_path / "in" / "a", "")
    ways = (one, "--profile", profile, "-o", tmp_path / "out")
    done = run("anonymize", *ways, "--ocr")
    assert done.code == 2
    assert "--ocr: needs the program tesseract (apt-get install tesseract-ocr)" in done.err
    profile.write_text("ocr = true\n" + PROFILE)
    done = run("anonymize", *ways)
    assert done.code == 2
    assert "research.toml:1 ocr: needs the program tesseract" in done.err
    assert not (tmp_path / "out").exists()
