"""``waystation edit`` over files: what was asked for changes, every other byte stays."""

import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.test_anonymize import everything, lines, written
from tests.objects.samples import as_file, compressed, deflated
from waystation.app.object_files import opened
from waystation.dicom.head import Head

TAIL = 64
pytestmark = pytest.mark.req("T-77")


def head_of(path: Path) -> Head:
    with opened(path) as found:
        return found.head


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return written(tmp_path / "a.dcm", 1, (0x00101040, "LO", "Waldweg 3"))


def test_a_head_is_spliced_onto_its_tail_and_the_meta_stays(
    tmp_path: Path, run: Run, one: Path
) -> None:
    before = one.read_bytes()
    done = run("edit", one, "--set", "PatientID=77", "--output", tmp_path / "out")
    assert (done.code, one.read_bytes()) == (0, before)
    made = (tmp_path / "out" / "a.dcm").read_bytes()
    assert head_of(tmp_path / "out" / "a.dcm").text(0x00100020) == "77"
    at = before.index(b"PID-4711")
    assert made == before[: at - 2] + b"\2\x0077" + before[at + 8 :]


def test_a_compressed_or_deflated_object_keeps_its_pixels(tmp_path: Path, run: Run) -> None:
    for name, stored in (("c", compressed("1.2.840.10008.1.2.4.70")), ("d", deflated())):
        path = tmp_path / name
        path.write_bytes(as_file(stored))
        assert run("edit", path, "--set", "PatientID=77", "--output", tmp_path / "out").code == 0
        with opened(path) as old, opened(tmp_path / "out" / name) as new:
            assert new.head.text(0x00100020) == "77"
            assert new.head.transfer_syntax_uid == stored.transfer_syntax
            begin, after = old.head.pixel_offset, new.head.pixel_offset
            assert bytes(new.data[after:]) == bytes(old.data[begin:])


def test_nothing_changes_in_place_without_being_asked(tmp_path: Path, run: Run, one: Path) -> None:
    before = one.read_bytes()
    assert run("edit", one, "--set", "PatientID=77").code == 2
    assert run("edit", one, "--set", "PatientID=77", "--backup", "--dry-run").code == 2
    assert one.read_bytes() == before
    assert run("edit", one, "--set", "PatientID=77", "--in-place", "--backup").code == 0
    assert head_of(one).text(0x00100020) == "77"
    assert (tmp_path / "a.dcm.bak").read_bytes() == before
    done = run("edit", one, "--set", "PatientID=78", "--in-place", "--backup")
    assert (done.code, "is there already" in done.err) == (1, True)
    assert head_of(one).text(0x00100020) == "77"
    assert {path.name for path in tmp_path.iterdir()} == {"a.dcm", "a.dcm.bak"}


def test_every_kind_of_edit_in_its_order(tmp_path: Path, run: Run, one: Path) -> None:
    (tmp_path / "text").write_text("from a file\n", encoding="utf-8")
    words: tuple[str, ...] = ("--erase", "PatientAddress", "--add", "PatientComments=a")
    words += ("--add", "Modality=MR")
    words += ("--insert-item", "RequestAttributesSequence")
    words += ("--set", "RequestAttributesSequence[*].RequestedProcedureID={PatientID}")
    words += ("--set", "ImageType=DERIVED\\SECONDARY")
    words += ("--from-file", f"AdditionalPatientHistory={tmp_path / 'text'}")
    words += ("--edit", '{ replace = "PatientName", upper = true }')
    assert run("edit", one, *words, "--output", tmp_path / "out").code == 0
    head = head_of(tmp_path / "out" / "a.dcm")
    assert not head.has("PatientAddress")
    assert head.values("PatientComments") == ["a"]
    assert head.values("Modality") == ["CT"]
    assert head.values("RequestAttributesSequence.RequestedProcedureID") == ["PID-4711"]
    assert head.values("ImageType") == ["DERIVED", "SECONDARY"]
    assert head.values("AdditionalPatientHistory") == ["from a file"]
    assert [str(name) for name in head.values("PatientName") or ()] == ["MUSTER^ERIKA"]
    assert not head.has("OriginalAttributesSequence")


def test_private_elements_go_and_a_record_is_kept_if_asked_for(tmp_path: Path, run: Run) -> None:
    rows = ((0x00090010, "LO", "ACME"), (0x00091001, "LO", "x"))
    one = written(tmp_path / "a.dcm", 1, *rows)
    words = ("--erase-private", "--set", "PatientID=7", "--record")
    assert run("edit", one, *words, "--output", tmp_path / "out").code == 0
    head = head_of(tmp_path / "out" / "a.dcm")
    assert not any(tag >> 16 & 1 for tag in head.elements)
    path = "OriginalAttributesSequence.ModifiedAttributesSequence.PatientID"
    assert head.values(path) == ["PID-4711"]


def test_new_uids_are_the_same_over_all_files_and_listed(tmp_path: Path, run: Run) -> None:
    for number in range(3):
        written(tmp_path / "in" / "deep" / f"{number}", number)
    words = ("edit", tmp_path / "in", "--new-uids", "--json")
    done = run(*words, "--output", tmp_path / "out")
    assert done.code == 0
    *files, last = lines(done.out)
    assert last["summary"]["edited"] == 3
    assert len({one["uids"]["study"]["after"] for one in files}) == 1
    assert len({one["uids"]["instance"]["after"] for one in files}) == 3
    made = tmp_path / "out" / "deep" / "0"
    uid = head_of(made).text(0x00080018)
    assert uid == files[0]["uids"]["instance"]["after"]
    assert made.read_bytes()[132:].index(uid.encode()) < 120
    (tmp_path / "key").write_text("1")
    keyed = [
        everything_after(run(*words, "--uid-key", tmp_path / "key", "--output", tmp_path / name))
        for name in ("x", "y")
    ]
    assert keyed[0] == keyed[1]
    assert everything(tmp_path / "x") == everything(tmp_path / "y")


def everything_after(done: Any) -> list[Any]:
    return [one["uids"] for one in lines(done.out) if "uids" in one]


def test_a_dry_run_shows_the_difference_only(tmp_path: Path, run: Run, one: Path) -> None:
    before = everything(tmp_path)
    done = run("edit", one, "--set", "PatientID=77", "--dry-run")
    assert done.out.splitlines()[1:] == [
        "- (0010,0020) PatientID: PID-4711",
        "+ (0010,0020) PatientID: 77",
    ]
    assert everything(tmp_path) == before


def test_a_condition_chooses_and_exit_1_tells_that_it_was_not_true(
    tmp_path: Path, run: Run, one: Path
) -> None:
    words = ("edit", one, "--set", "PatientID=77", "--output", tmp_path / "out")
    assert run(*words, "--if", "Modality == 'MR'").code == 1
    assert not (tmp_path / "out").exists()
    assert run(*words, "--if", "Modality == 'CT' and Rows > 4").code == 0
    assert run(*words, "--if", "Modality ==").code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "PatientID"),
        ("--set", "NoSuchThing=1"),
        ("--set", "Rows=3"),
        ("--set", "StudyInstanceUID=1.2"),
        ("--erase", "SOPClassUID"),
        ("--edit", "{ replace"),
        ("--edit", '{ lookup = "x" }'),
        ("--insert-item", "PixelData"),
        ("--from-file", "PatientID=/nowhere"),
        (),
    ],
)
def test_an_edit_that_is_none_ends_with_2(run: Run, one: Path, words: tuple[str, ...]) -> None:
    before = one.read_bytes()
    assert run("edit", one, *words, "--in-place").code == 2
    assert one.read_bytes() == before


@pytest.mark.req("T-26", "T-72")
def test_what_fails_is_listed_and_the_others_go_on(tmp_path: Path, run: Run, one: Path) -> None:
    (tmp_path / "b.dcm").write_bytes(b"no dicom")
    cut = written(tmp_path / "c.dcm", 3)
    cut.write_bytes(cut.read_bytes()[:-9])
    words = ("edit", tmp_path, "--set", "PatientName=Ж", "--output", tmp_path / "out")
    done = run(*words, "--json")
    states = {Path(row["path"]).name: row["state"] for row in lines(done.out)[:-1]}
    assert done.code == 1
    assert states == {"a.dcm": "failed", "b.dcm": "left-out", "c.dcm": "failed"}
    cut.unlink()
    assert run(*words, "--utf-8").code == 0
    assert head_of(tmp_path / "out" / "a.dcm").text(0x00080005) == "ISO_IR 192"


def test_standard_input_goes_to_standard_output(
    one: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(one.read_bytes())))
    out = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(out))
    run("edit", "-", "--set", "PatientID=77")
    (tmp_path / "b.dcm").write_bytes(out.getvalue())
    assert head_of(tmp_path / "b.dcm").text(0x00100020) == "77"
