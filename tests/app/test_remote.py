"""Destinations on other machines in the configuration: keys, secrets, libraries."""

import importlib.util
from pathlib import Path

import asyncssh
import pytest

from tests.app.conftest import Complain, Load
from tests.peers.sshd import make_key
from waystation.app import wiring
from waystation.app.settings_remote import SftpDestination
from waystation.destinations.folder import FolderDestination
from waystation.destinations.s3 import S3Destination as S3Way
from waystation.destinations.sftp import SftpDestination as SftpWay

ENVIRON = {"PASSWORD": "hush-hush", "KEY_ID": "id", "SECRET": "s"}
SFTP = (
    '[destination.far]\nkind = "sftp"\nhost = "files.example"\nuser = "gateway"\npath = "in"\n'
    'password = { env = "PASSWORD" }\n'
)
PINNED = 'host_key = ["SHA256:abc"]\n'
S3 = (
    '[destination.cloud]\nkind = "s3"\nbucket = "images"\n'
    'key_id = { env = "KEY_ID" }\nsecret_key = { env = "SECRET" }\n'
)
RULE = '[[rule]]\nname = "all"\nsend = ["{0}"]\n'


def public_line() -> str:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return key.export_public_key().decode().strip()


@pytest.mark.req("R-1", "R-54")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SFTP, "1 destination.far.known_hosts: is missing: without it anybody could pose"),
        (SFTP + 'known_hosts = "none"\n', "7 destination.far.known_hosts: there is no such file"),
        (SFTP + "host_key = []\n", "1 destination.far.known_hosts: is missing"),
        (SFTP + 'host_key = ["any"]\n', '7 destination.far.host_key: expected "ssh-ed25519'),
        (SFTP + 'host_key = ["ssh-rsa A"]\n', "7 destination.far.host_key: is no public key"),
        (SFTP + PINNED + 'known_hosts = "known"\n', "7 destination.far.host_key: write either"),
        (SFTP + PINNED + 'key = "no"\n', "8 destination.far.key: there is no such file"),
        (SFTP + PINNED + 'key = "known"\n', "8 destination.far.key: cannot be read"),
        (SFTP + PINNED + 'name = "../{PatientID}"\n', "8 destination.far.name: must stay inside"),
        (SFTP.replace("PASSWORD", "NOT") + PINNED, "6 destination.far.password.env: there is no"),
        (SFTP.replace("password =", "key_password =") + PINNED, "1 destination.far.key: is"),
        (SFTP.replace('"in"', '""') + PINNED, "5 destination.far.path: expected a folder of the"),
        (S3.replace("images", "s3://images"), "3 destination.cloud.bucket: a bucket has 3 to 63"),
        (S3 + 'prefix = "/a"\n', '6 destination.cloud.prefix: a prefix is written like'),
        (S3 + 'endpoint = "http://minio:9000"\n', "6 destination.cloud.endpoint: is not encrypted"),
        (S3 + 'endpoint = "minio:9000"\n', "6 destination.cloud.endpoint: expected an address"),
        (S3.replace("key_id", "#"), "1 destination.cloud.key_id: is missing: key_id and"),
        (S3.replace("secret_key", "#"), "1 destination.cloud.secret_key: is missing"),
        (S3.replace("SECRET", "NOT"), "5 destination.cloud.secret_key.env: there is no such"),
        (S3 + 'kms_key = "k"\n', '6 destination.cloud.kms_key: needs encryption = "aws:kms"'),
        (S3 + 'storage_class = "cold"\n', "6 destination.cloud.storage_class: a storage class"),
        (S3 + 'ca = "known"\n', "6 destination.cloud.ca: cannot be used: No certificates found"),
        (S3 + 'ca = "no.pem"\n', "6 destination.cloud.ca: there is no such file"),
        ('[destination.disk]\nkind = "folder"\npath = "known"\n', "3 destination.disk.path: is a"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_a_fault_with_its_line(
    text: str, expected: str, faults: Complain
) -> None:
    Path("known").write_text("# nothing\n")
    said = faults(text, ENVIRON)
    assert any(fault.startswith(f"waystation.toml:{expected}") for fault in said), said


@pytest.mark.req("R-1")
@pytest.mark.parametrize(("text", "name"), [(SFTP + PINNED, "sftp"), (S3, "s3")])
def test_a_missing_library_is_a_fault_that_says_what_to_install(
    text: str, name: str, faults: Complain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    (fault,) = faults(text, ENVIRON)
    assert fault.startswith("waystation.toml:2 destination.")
    assert fault.endswith(
        f'.kind: needs a library that is not installed: pip install "waystation[{name}]"'
    )


def test_known_hosts_without_the_host_are_a_warning(read: Load) -> None:
    line = public_line()
    rule = RULE.format("far")
    for known, warned in (
        (f"files.example {line}\n", False),
        (f"other.example {line}\n", True),
        ("", True),
    ):
        Path("known").write_text(known)
        loaded = read(f'{SFTP}known_hosts = "known"\n{rule}', ENVIRON)
        said = [str(warning) for warning in loaded.warnings]
        assert [text for text in said if "known_hosts: has no line for files.example" in text] == (
            said if warned else []
        )


@pytest.mark.req("S-70")
def test_a_destination_gets_its_secrets_and_shows_none(
    read: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    make_key(Path("key"), "hush-hush")
    keyed = 'key = "key"\nkey_password = { env = "PASSWORD" }\n'
    loaded = read(SFTP + PINNED + keyed + S3 + RULE.format("far"), ENVIRON)
    tables = loaded.settings.destination
    assert isinstance(tables["far"], SftpDestination)
    assert isinstance(wiring.destination("far", tables["far"], "X", Path()), SftpWay)
    assert isinstance(wiring.destination("cloud", tables["cloud"], "X", Path()), S3Way)
    assert "hush-hush" not in loaded.settings.model_dump_json()


def test_a_folder_is_made_when_it_is_loaded_and_only_where_that_was_said(read: Load) -> None:
    text = '[destination.disk]\nkind = "folder"\npath = "a/b"\n'
    for stated, made in (("", False), ("create = true\n", True)):
        table = read(text + stated + RULE.format("disk")).settings.destination["disk"]
        assert not Path("a").exists()
        assert isinstance(wiring.destination("disk", table, "X", Path()), FolderDestination)
        assert Path("a/b").is_dir() is made


def test_a_pinned_line_and_a_key_in_place_are_in_order(read: Load) -> None:
    text = f'{SFTP}host_key = ["{public_line()}", "SHA256:abc"]\n'
    assert read(text + RULE.format("far"), ENVIRON).warnings == []
