"""``waystation echo`` against DCMTK, and every layer at which it can end."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import Run
from tests.peers.dcmtk import StoreScp
from tests.peers.program import free_port


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[StoreScp]:
    with StoreScp(tmp_path / "scp", ae_title="PACS") as started:
        yield started


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.peer
def test_an_answer_tells_its_time_and_the_peer(scp: StoreScp, run: Run) -> None:
    done = run("echo", f"PACS@127.0.0.1:{scp.port}", "--repeat", "3", "--json")
    found = json.loads(done.out)
    assert (done.code, found["ok"], len(found["times_ms"])) == (0, True, 3)
    assert found["ms"] > 0
    assert found["peer"]["version"].startswith("OFFIS_DCMTK")
    assert found["peer"]["max_pdu"] > 0
    human = run("echo", f"PACS@127.0.0.1:{scp.port}")
    assert (human.code, human.out.startswith("PACS answers in ")) == (0, True)


@pytest.mark.peer
def test_a_destination_is_called_by_its_name(scp: StoreScp, config: Path, run: Run) -> None:
    config.write_text(config.read_text().replace("port = 1\n", f"port = {scp.port}\n"))
    assert run("echo", "pacs", "--config", config).code == 0
    unknown = run("echo", "nope", "--config", config)
    assert (unknown.code, unknown.out) == (2, "")


@pytest.mark.peer
@pytest.mark.req("T-75")
def test_each_refusal_tells_its_layer_and_what_to_look_at(
    tmp_path: Path, silent: int, run: Run
) -> None:
    with StoreScp(tmp_path / "refusing", ae_title="PACS", options=["--refuse"]) as refusing:
        cases = [
            (f"PACS@127.0.0.1:{free_port()}", [], "connect", 3, "does it run"),
            ("PACS@nowhere.invalid:104", [], "name", 3, "resolve"),
            (f"PACS@127.0.0.1:{silent}", [], "associate", 3, "DICOM port"),
            (f"PACS@127.0.0.1:{silent}", ["--tls"], "connect", 3, "no connection within"),
            (f"PACS@127.0.0.1:{refusing.port}", [], "rejected", 1, "must know US"),
        ]
        for target, options, layer, code, hint in cases:
            words = ("echo", target, "--calling", "US", "--timeout", "500ms", *options)
            found = run(*words, "--json")
            document = json.loads(found.out)
            assert (found.code, document["ok"], document["layer"]) == (code, False, layer), found
            assert hint in document["why"]
            human = run(*words)
            assert (human.code, human.out) == (code, "")
            assert human.err.startswith(f"{layer}: ")
            assert human.err.count("\n") == 1


@pytest.mark.peer
def test_tls_is_checked_against_the_given_authority(tmp_path: Path, run: Run) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    files = {name: tmp_path / f"{name}.pem" for name in ("key", "cert", "ca", "other")}
    certificate.private_key_pem.write_to_path(files["key"])
    certificate.cert_chain_pems[0].write_to_path(files["cert"])
    authority.cert_pem.write_to_path(files["ca"])
    other.cert_pem.write_to_path(files["other"])
    options = ["+tls", str(files["key"]), str(files["cert"]), "-ic"]
    with StoreScp(tmp_path / "tls", ae_title="PACS", options=options) as scp:
        target = f"PACS@localhost:{scp.port}"
        assert run("echo", target, "--ca", files["ca"]).code == 0
        assert run("echo", target, "--insecure").code == 0
        wrong = run("echo", target, "--ca", files["other"])
        assert (wrong.code, wrong.err.startswith("tls: ")) == (3, True)
        plain = run("echo", target, "--timeout", "2s")
        assert plain.code == 3


@pytest.mark.parametrize(
    "words",
    [
        ["echo", "PACS"],
        ["echo", "PACS@host"],
        ["echo", "@host:104"],
        ["echo", "PACS@host:99999"],
        ["echo", "PACS@host:104", "--calling", "SEVENTEEN_LETTERS"],
        ["echo", "PACS@host:104", "--timeout", "10"],
        ["echo", "PACS@host:104", "--repeat", "0"],
        ["echo", "PACS@host:104", "--ca", "/nowhere.pem"],
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(
    words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert (done.code, done.out) == (2, "")


def test_an_address_needs_no_configuration(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waystation.toml").write_text("broken [")
    assert run("echo", f"PACS@127.0.0.1:{free_port()}").code == 3
