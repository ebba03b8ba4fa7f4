"""``waystation send`` against DCMTK: bytes as stored, each failure named."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.study import Kind, make_study
from tests.peers.dcmtk import StoreScp
from tests.peers.program import free_port

KEYS = ["sent", "warned", "failed", "seconds", "failures"]
JPEG_LS = "1.2.840.10008.1.2.4.80"
SMALL_JPEG = Kind(
    sop_class="1.2.840.10008.5.1.4.1.1.2",
    modality="CT",
    side=16,
    transfer_syntax=JPEG_LS,
    compressed_bytes=100,
)


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[StoreScp]:
    with StoreScp(tmp_path / "scp", ae_title="PACS", options=["+xa"]) as started:
        yield started


def sent(run: Run, scp: StoreScp, *words: object) -> tuple[int, dict[str, Any]]:
    done = run("send", f"PACS@127.0.0.1:{scp.port}", *words, "--json")
    document: dict[str, Any] = json.loads(done.out)
    assert list(document) == KEYS
    return done.code, document


@pytest.mark.peer
def test_folders_are_searched_and_bytes_arrive_as_they_are(
    tmp_path: Path, scp: StoreScp, run: Run
) -> None:
    study = make_study(tmp_path / "a", "tiny", 6, seed="s", folders=3)
    other = make_study(tmp_path / "b", SMALL_JPEG, 2, seed="j")
    code, found = sent(run, scp, study.folder, other.folder)
    assert (code, found["sent"], found["failed"], found["warned"]) == (0, 8, 0, 0)
    assert scp.digests() == study.digests | other.digests


@pytest.mark.peer
def test_a_large_object_goes_out_in_pieces(tmp_path: Path, scp: StoreScp, run: Run) -> None:
    large = Kind(sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", side=1600)
    study = make_study(tmp_path / "large", large, 1, seed="large")
    assert study.files[0].stat().st_size > 4 << 20
    assert sent(run, scp, study.files[0])[0] == 0
    assert scp.digests() == study.digests


@pytest.mark.peer
def test_several_associations_share_the_work(tmp_path: Path, scp: StoreScp, run: Run) -> None:
    study = make_study(tmp_path / "a", "tiny", 40, seed="p")
    code, found = sent(run, scp, study.folder, "--parallel", "4")
    assert (code, found["sent"]) == (0, 40)
    assert scp.digests() == study.digests


@pytest.mark.peer
def test_more_than_128_classes_need_more_than_one_association(
    tmp_path: Path, scp: StoreScp, run: Run
) -> None:
    digests: dict[str, str] = {}
    for number in range(130):
        kind = Kind(sop_class=f"1.2.826.0.1.3680043.10.1471.98.{number}", modality="OT", side=4)
        digests |= make_study(tmp_path / "many" / str(number), kind, 1, seed=number).digests
    code, found = sent(run, scp, tmp_path / "many")
    assert (code, found["sent"], found["failed"]) == (0, 130, 0)
    assert scp.digests() == digests


@pytest.mark.peer
def test_a_syntax_that_is_refused_fails_with_the_reason_and_the_others_go_on(
    tmp_path: Path, run: Run
) -> None:
    good = make_study(tmp_path / "in" / "good", "tiny", 2, seed="g")
    bad = make_study(tmp_path / "in" / "bad", SMALL_JPEG, 2, seed="b")
    with StoreScp(tmp_path / "scp", ae_title="PACS", options=["+xe"]) as scp:
        code, found = sent(run, scp, tmp_path / "in")
        assert (code, found["sent"], found["failed"]) == (1, 2, 2)
        assert scp.digests() == good.digests
    assert {failure["path"] for failure in found["failures"]} == set(map(str, bad.files))
    assert all("transfer syntax" in failure["why"] for failure in found["failures"])
    assert EXPLICIT_LITTLE not in found["failures"][0]["why"]


@pytest.mark.peer
def test_an_abort_costs_one_object_and_the_rest_goes_over_a_new_association(
    tmp_path: Path, run: Run
) -> None:
    study = make_study(tmp_path / "a", "tiny", 3, seed="x")
    with StoreScp(tmp_path / "scp", ae_title="PACS", options=["--abort-after"]) as scp:
        code, found = sent(run, scp, study.folder)
    assert (code, found["sent"], found["failed"]) == (1, 0, 3)
    assert all("abort" in failure["why"] for failure in found["failures"])


@pytest.mark.peer
def test_what_is_no_dicom_file_is_left_out_of_a_folder_but_named_when_asked_for(
    tmp_path: Path, scp: StoreScp, run: Run
) -> None:
    study = make_study(tmp_path / "in", "tiny", 1, seed="n")
    text = tmp_path / "in" / "readme.txt"
    text.write_text("hello, this is no image")
    (tmp_path / "in" / ".hidden.dcm").write_bytes(study.files[0].read_bytes())
    (tmp_path / "in" / "DICOMDIR").write_bytes(study.files[0].read_bytes())
    code, found = sent(run, scp, tmp_path / "in")
    assert (code, found["sent"], found["failures"]) == (0, 1, [])
    human = run("send", f"PACS@127.0.0.1:{scp.port}", tmp_path / "in")
    assert "left out: 1 files" in human.err
    code, found = sent(run, scp, study.files[0], text, tmp_path / "missing.dcm")
    assert (code, found["sent"], found["failed"]) == (1, 1, 2)
    assert {failure["path"] for failure in found["failures"]} == {
        str(text),
        str(tmp_path / "missing.dcm"),
    }


@pytest.mark.peer
def test_a_file_cut_in_its_meta_information_is_a_failure_even_in_a_folder(
    tmp_path: Path, scp: StoreScp, run: Run
) -> None:
    study = make_study(tmp_path / "in", "tiny", 1, seed="c")
    (tmp_path / "in" / "cut.dcm").write_bytes(study.files[0].read_bytes()[:150])
    code, found = sent(run, scp, tmp_path / "in")
    assert (code, found["sent"], found["failed"]) == (1, 1, 1)
    assert found["failures"][0]["path"].endswith("cut.dcm")


@pytest.mark.peer
def test_a_bare_data_set_is_sent_by_its_own_identity(
    tmp_path: Path, scp: StoreScp, run: Run
) -> None:
    study = make_study(tmp_path / "in", "tiny", 1, seed="bare")
    content = study.files[0].read_bytes()
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(content[content.index(b"\x08\0\x05\0CS") :])
    assert sent(run, scp, bare)[0] == 0
    assert scp.digests() == study.digests


@pytest.mark.parametrize("as_json", [True, False])
def test_nobody_there_is_exit_3_with_every_file_named(
    as_json: bool, tmp_path: Path, run: Run
) -> None:
    study = make_study(tmp_path / "in", "tiny", 2, seed="u")
    target = f"PACS@127.0.0.1:{free_port()}"
    done = run("send", target, study.folder, *(["--json"] if as_json else []))
    assert done.code == 3
    assert "connect: " in done.err
    if as_json:
        assert json.loads(done.out)["failed"] == 2
    else:
        assert "0 sent (0 with a warning), 2 failed" in done.out


def test_nothing_to_send_is_no_success(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    done = run("send", "PACS@127.0.0.1:1", tmp_path / "empty", "--json")
    assert (done.code, json.loads(done.out)["sent"]) == (1, 0)
