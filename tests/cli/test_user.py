"""``waystation user`` without and beside a node, and a node that others can reach (S-55)."""

import json
import os
import re
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import Ran, Run
from waystation.app.people import AUDIT_KEY, LOCAL_KEY, SETUP_TOKEN

WAYSTATION = str(Path(sys.executable).with_name("waystation"))
PASSWORD = "correct horse battery"
BASE = (
    '[node]\ndata = "data"\n[spool]\nmin_free = "1KiB"\n[dicom]\nport = 0\n'
    "[web.viewer]\nport = 0\n[web]\nport = 0\n"
)
READY = re.compile(r"web=(\S+)")


class Here:
    """A folder with a configuration, and its commands."""

    def __init__(self, folder: Path, run: Run, web: str = "") -> None:
        self.config = folder / "waystation.toml"
        self.config.write_text(BASE + web)
        self.password = folder / "password"
        self.password.write_text(PASSWORD + "\n")
        self._run = run
        self.node: subprocess.Popen[str] | None = None

    def run(self, *words: object) -> Ran:
        return self._run(*words, "--config", self.config)

    def user(self, *words: object) -> str:
        done = self.run("user", *words)
        assert done.code == 0, done.err
        return done.out

    def add(self, name: str, *words: object) -> str:
        return self.user("add", name, "--password-file", self.password, *words)

    def start(self) -> str:
        """Start the node; return the URL of its web."""
        self.node = subprocess.Popen(
            [WAYSTATION, "serve", "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.node.stdout is not None
        found = READY.search(self.node.stdout.readline())
        assert found is not None
        return found[1]

    def stop(self) -> None:
        if self.node is not None:
            self.node.terminate()
            assert self.node.stdout is not None
            self.node.stdout.close()
            assert self.node.wait(30) == 0


def status_of(url: str, context: ssl.SSLContext | None = None) -> int:
    handler = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    try:
        with opener.open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_users_are_kept_without_a_node_and_beside_one(tmp_path: Path, run: Run) -> None:
    here = Here(tmp_path, run)
    assert here.add("ann", "--role", "admin", "--grant", "phi") == "ann can sign in\n"
    (tmp_path / "short").write_text("short\n")
    short = here.run("user", "add", "bob", "--password-file", tmp_path / "short")
    assert (short.code, "at least 12 characters" in short.err) == (1, True)
    url = here.start()
    try:
        assert status_of(f"{url}/api/v1/status") == 401
        assert status_of(f"{url}/health/ready") == 200
        for name in (LOCAL_KEY, AUDIT_KEY):
            mode = (tmp_path / "data" / name).stat().st_mode
            assert stat.S_IMODE(mode) == 0o600
        here.add("bob", "--role", "operator")
        last = here.run("user", "disable", "ann")
        assert (last.code, "nobody would be left" in last.err) == (1, True)
        here.user("change", "bob", "--role", "admin")
        here.user("disable", "ann")
        found = json.loads(here.user("list", "--json"))
        assert [(one["name"], one["role"], one["disabled"]) for one in found] == [
            ("ann", "admin", True),
            ("bob", "admin", False),
        ]
        token = here.user("token", "add", "viewer", "--may", "see").strip()
        asked = urllib.request.Request(f"{url}/api/v1/status")
        asked.add_header("Authorization", f"Bearer {token}")
        assert urllib.request.urlopen(asked, timeout=10).status == 200
        assert here.run("queue").code == 0
        assert here.run("health").code == 0
    finally:
        here.stop()
    assert not (tmp_path / "data" / LOCAL_KEY).exists()
    audit = here.run("doctor", "--audit", "--json")
    assert audit.code == 0
    assert json.loads(audit.out)["broken"] is None
    assert PASSWORD not in audit.out
    here.user("remove", "ann")


@pytest.mark.req("S-55")
def test_beyond_loopback_nothing_starts_that_nobody_could_sign_in_to(
    tmp_path: Path, run: Run
) -> None:
    here = Here(tmp_path, run, 'host = "0.0.0.0"\n')
    plain = here.run("serve")
    assert plain.code == 2
    assert "anything but loopback needs TLS" in plain.err
    here.config.write_text(BASE + 'host = "0.0.0.0"\ninsecure = true\n')
    command = [WAYSTATION, "serve", "--config", str(here.config)]
    nobody = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert nobody.returncode == 2
    assert "waystation user add NAME --role admin" in nobody.stderr
    assert "ready" not in nobody.stdout


@pytest.mark.req("S-55")
def test_set_up_serves_health_and_one_page_until_there_is_a_user(tmp_path: Path, run: Run) -> None:
    here = Here(tmp_path, run, 'host = "0.0.0.0"\ninsecure = true\nsetup = true\n')
    url = here.start().replace("0.0.0.0", "127.0.0.1")
    try:
        path = tmp_path / "data" / SETUP_TOKEN
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_text()) == 43
        assert status_of(f"{url}/health/ready") == 200
        assert status_of(f"{url}/setup") == 200
        for closed in ("/api/v1/status", "/users", "/", "/dicom-web/studies"):
            assert status_of(url + closed) == 401
    finally:
        here.stop()


@pytest.mark.req("S-55")
def test_over_tls_commands_find_their_own_node(tmp_path: Path, run: Run) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("gateway.example.org")
    issued.private_key_pem.write_to_path(str(tmp_path / "web.key"))
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(tmp_path / "web.pem"), append=number > 0)
    web = 'host = "0.0.0.0"\n[web.tls]\ncertificate = "web.pem"\nkey = "web.key"\n'
    here = Here(tmp_path, run, web)
    here.add("ann", "--role", "admin")
    url = here.start()
    try:
        assert url.startswith("https://")
        context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        context.check_hostname = False
        assert status_of(f"{url}/api/v1/status", context) == 401
        assert "ann" in here.user("list")
        assert here.run("health").code == 0
        with pytest.raises(OSError, match=r"refused|reset|closed|wrong|EOF|BadStatus|disconn|"):
            status_of(url.replace("https", "http") + "/health/live")
    finally:
        here.stop()
    assert os.listdir(tmp_path / "data")
