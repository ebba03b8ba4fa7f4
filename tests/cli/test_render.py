"""``waystation render``: pictures of files, whole or not there."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.objects.pictures import picture, pixels_of
from tests.objects.samples import as_file

RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one image, one of three frames, one that is broken, and no image."""
    place = tmp_path / "in"
    (place / "inner").mkdir(parents=True)
    film = np.stack([RAMP, RAMP, RAMP])
    for name, one in (
        ("one.dcm", picture(RAMP, WindowCenter="128", WindowWidth="256")),
        ("inner/film.dcm", picture(film, 1)),
        ("broken.dcm", picture(RAMP, 2, Rows=900)),
    ):
        (place / name).write_bytes(as_file(one))
    (place / "notes.txt").write_text("no image")
    return place


def test_a_folder_becomes_a_folder_of_pictures(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("render", folder, "-o", out, "--json")
    said = json.loads(done.out)
    assert (done.code, said["pictures"], said["ignored"]) == (1, 4, 1)
    assert [Path(one["path"]).name for one in said["failures"]] == ["broken.dcm"]
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {"one.png", *(f"inner/film_{number}.png" for number in (1, 2, 3))}
    assert (pixels_of((out / "one.png").read_bytes()) == RAMP).all()
    again = run("render", folder / "one.dcm", "-o", out)
    assert (again.code, "--force" in again.err) == (1, True)
    assert run("render", folder / "one.dcm", "-o", out, "--force", "--size", "8x8").code == 0
    assert pixels_of((out / "one.png").read_bytes()).shape == (8, 8)


def test_one_picture_takes_the_name_and_the_kind_of_the_file(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "film.jpg"
    one = folder / "inner" / "film.dcm"
    assert run("render", one, "-o", file, "--frames", "2", "--window", "128,256").code == 0
    assert file.read_bytes().startswith(b"\xff\xd8")
    many = run("render", one, "-o", tmp_path / "all.png")
    assert (many.code, "name a folder" in many.err) == (1, True)
    beyond = run("render", one, "-o", tmp_path / "x.png", "--frames", "4")
    assert (beyond.code, "last frame is 3" in beyond.err) == (1, True)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--window", "lungs", "mediastinum"),
        ("--window", "1,0", "width"),
        ("--frames", "0", "1,5-9"),
        ("--frames", "5-2", "lower"),
        ("--size", "0x5", "800x600"),
        ("--format", "bmp", "webp"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    run: Run, folder: Path, tmp_path: Path, option: str, value: str, says: str
) -> None:
    done = run("render", folder, "-o", tmp_path / "out", option, value)
    assert (done.code, says in done.err) == (2, True)
    assert not (tmp_path / "out").exists()
