"""STOW-RS to a real Orthanc with its DICOMweb plug-in."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.conftest import StartNode
from tests.objects.study import Study, make_study
from tests.peers.dcmtk import storescu
from tests.peers.dicomweb import DicomWebOrthanc
from tests.peers.node import QUICK_RETRY, rule_to
from tests.peers.program import wait_until

pytestmark = pytest.mark.peer
PASSWORD = "correct-horse"


def stow(
    url: str, *, password: str = "STOW_PASSWORD", extra: str = "", retry: str = QUICK_RETRY
) -> str:
    return (
        f'\n[destination.web]\nkind = "stow"\nurl = "{url}"\n'
        f'auth = {{ user = "gateway", password = {{ env = "{password}" }} }}\n{retry}\n{extra}\n'
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOW_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "something-else")


def orthanc_in(folder: Path, http_port: int = 0) -> DicomWebOrthanc:
    return DicomWebOrthanc(folder, login=("gateway", PASSWORD), http_port=http_port)


@pytest.mark.req("R-54", "S-7", "O1")
@pytest.mark.usefixtures("environment")
def test_a_study_reaches_orthanc_by_stow_byte_for_byte(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    study = make_study(tmp_path / "study", "small", 50, seed="stow")
    big = make_study(tmp_path / "big", "ct", 3, seed="stow big")
    orthanc = stack.enter_context(orthanc_in(tmp_path / "orthanc"))
    node = start_node(stow(orthanc.url, extra="max_per_request = 20") + rule_to("web"))
    assert storescu(node.port, study.folder, big.folder).exit_code == 0
    node.wait_for({"done": 53})
    assert orthanc.digests() == study.digests | big.digests


@pytest.mark.req("O7", "R-57")
@pytest.mark.usefixtures("environment")
def test_a_wrong_password_blocks_the_lane_and_the_right_one_drains_it(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    study = make_study(tmp_path / "study", "small", 6, seed="blocked")
    orthanc = stack.enter_context(orthanc_in(tmp_path / "orthanc"))
    url = orthanc.url
    node = start_node(stow(url, password="WRONG_PASSWORD") + rule_to("web"))
    assert storescu(node.port, study.folder).exit_code == 0

    def blocked() -> bool:
        lanes = json.loads(node.command("queue", "--json").stdout)["lanes"]
        return any(lane["state"] == "blocked" and "401" in lane["why"] for lane in lanes)

    wait_until(blocked, "the lane is blocked")
    assert node.states() == {"waiting": 6}
    assert PASSWORD not in node.log
    assert "something-else" not in node.log
    node.write_config(stow(url) + rule_to("web"))
    assert node.command("reload").returncode == 0
    node.wait_for({"done": 6})
    assert orthanc.digests() == study.digests


@pytest.mark.req("R-54", "R-57", "O3", "O4")
@pytest.mark.usefixtures("environment")
def test_a_server_that_is_killed_in_the_middle_gets_all_when_it_rises(
    tmp_path: Path, stack: ExitStack, start_node: StartNode
) -> None:
    studies: list[Study] = [
        make_study(tmp_path / f"s{number}", "ct", 20, seed=f"killed {number}")
        for number in range(3)
    ]
    folder = tmp_path / "orthanc"
    orthanc = stack.enter_context(orthanc_in(folder))
    node = start_node(stow(orthanc.url, extra="max_per_request = 3") + rule_to("web"))
    for study in studies:
        assert storescu(node.port, study.folder).exit_code == 0
    wait_until(lambda: node.states().get("done", 0) > 5, "some have arrived")
    orthanc.kill()
    assert node.states().get("held", 0) == 0
    risen = stack.enter_context(orthanc_in(folder, http_port=orthanc.http_port))
    node.wait_for({"done": 60})
    every = {uid: digest for study in studies for uid, digest in study.digests.items()}
    assert risen.digests() == every
