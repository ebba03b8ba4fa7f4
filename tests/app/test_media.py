"""A DICOMDIR is made of what stands at the beginning of files, one file at a time."""

import gc
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.objects.samples import as_file, sample, study
from waystation.app import media, object_files
from waystation.dicom.head import Head


def heads() -> int:
    return sum(type(one) is Head for one in gc.get_objects())


@pytest.mark.req("D-19")
def test_no_more_than_one_head_is_held_and_no_pixels_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [as_file(one) for one in study(5, "media", "ct")]
    assert all(len(file) > object_files.PREFIX for file in files)
    for number, file in enumerate(files):
        (tmp_path / f"IM{number}").write_bytes(file)
    (tmp_path / "README").write_text("no object")
    (tmp_path / "CUT").write_bytes(files[0][:300])
    monkeypatch.setattr(object_files, "opened", None)
    before, most = heads(), 0
    head_of = object_files.head_of

    def noted(path: Path) -> Head:
        nonlocal most
        head = head_of(path)
        most = max(most, heads() - before)
        return head

    monkeypatch.setattr(media, "head_of", noted)
    assert media.write(tmp_path) == (5, 0)
    assert most <= 2
    records = dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence
    assert [one.DirectoryRecordType for one in records] == ["PATIENT", "STUDY", "SERIES"] + [
        "IMAGE"
    ] * 5


@pytest.mark.req("D-19")
def test_a_head_is_the_same_however_much_of_the_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one"
    path.write_bytes(as_file(sample("ct", seed="media")))
    monkeypatch.setattr(object_files, "PREFIX", 200)
    for most in (400, 4 << 20):
        monkeypatch.setattr(object_files, "LONG_PREFIX", most)
        with object_files.opened(path) as whole:
            assert object_files.head_of(path).data == whole.head.data
