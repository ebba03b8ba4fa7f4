"""Secrets are named, never shown (S-70)."""

import json
from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.schema import as_toml, effective
from waystation.app.settings_base import Secret, reveal

CANARY = "correct-horse-battery"
TLS = '[dicom.tls]\ncertificate = "c.pem"\nkey = "k.pem"\n'


@pytest.fixture(autouse=True)
def pem_files(in_folder: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (in_folder / name).touch()


def test_an_inline_secret_is_refused_and_not_repeated(faults: Complain) -> None:
    said = faults(f'{TLS}key_password = "{CANARY}"\n')
    assert said == [
        "waystation.toml:4 dicom.tls.key_password: a secret is given as "
        '{ env = "NAME" } or { file = "PATH" }, never inline'
    ]


@pytest.mark.parametrize("value", ["{}", '{ env = "A", file = "b" }', '{ vault = "x" }', "[1]"])
def test_a_secret_has_exactly_one_place(value: str, faults: Complain) -> None:
    (fault,) = faults(f"{TLS}key_password = {value}\n")
    assert fault.startswith("waystation.toml:4 dicom.tls.key_password")


def test_a_secret_from_the_environment_is_revealed_only_on_demand(read: Load) -> None:
    environ = {"KEY_PASSWORD": CANARY}
    loaded = read(f'{TLS}key_password = {{ env = "KEY_PASSWORD" }}\n', environ)
    shown = effective(loaded.settings)
    for text in (json.dumps(shown), as_toml(shown), repr(loaded.settings)):
        assert CANARY not in text
    assert loaded.settings.dicom.tls is not None
    secret = loaded.settings.dicom.tls.key_password
    assert secret is not None
    assert reveal(secret, environ) == CANARY


def test_a_secret_from_a_file_is_its_first_line(in_folder: Path) -> None:
    (in_folder / "secret").write_text(f"{CANARY}\n")
    assert reveal(Secret(file=in_folder / "secret"), {}) == CANARY


def test_a_secret_that_is_not_there_is_a_fault(faults: Complain) -> None:
    assert faults(f'{TLS}key_password = {{ env = "NOWHERE" }}\n') == [
        "waystation.toml:4 dicom.tls.key_password.env: there is no such environment variable"
    ]
    assert faults(f'{TLS}key_password = {{ file = "nowhere" }}\n') == [
        "waystation.toml:4 dicom.tls.key_password.file: there is no such file"
    ]


def test_a_secret_that_everyone_may_read_is_a_warning(in_folder: Path, warnings: Complain) -> None:
    (in_folder / "secret").write_text(CANARY)
    (in_folder / "secret").chmod(0o644)
    (warning,) = warnings(f'{TLS}key_password = {{ file = "secret" }}\n')
    assert warning.endswith("everyone may read this file")
    (in_folder / "secret").chmod(0o640)
    assert warnings(f'{TLS}key_password = {{ file = "secret" }}\n') == []
