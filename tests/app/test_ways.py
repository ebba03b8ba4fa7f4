"""Destinations of kind stow, webhook and command as an operator writes them."""

import json
from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from waystation.app import wiring
from waystation.app.schema import as_toml, effective
from waystation.destinations.command import CommandDestination
from waystation.destinations.stow import StowDestination
from waystation.destinations.webhook import WebhookDestination
from waystation.model.errors import ConfigError

RULE = '[[rule]]\nname = "all"\nsend = ["x"]\n[dicom]\npeers = "any"\n'
STOW = '[destination.x]\nkind = "stow"\nurl = "https://pacs.example/dicom-web"\n'
HOOK = '[destination.x]\nkind = "webhook"\nurl = "https://ris.example/hook?token=1"\n'
RUN = '[destination.x]\nkind = "command"\ncommand = ["/bin/true", "{file}"]\n'
WHERE = "destination.x"


def said(faults: Complain, text: str) -> list[str]:
    """Return what is said about a destination, without its line."""
    found = faults(text + RULE, {"A_SECRET": "sesame"})
    return [fault.split(" ", 1)[1] for fault in found]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("pacs", 'expected an address like "https://pacs.example/dicom-web"'),
        ("ftp://pacs/x", 'expected an address like "https://pacs.example/dicom-web"'),
        ("https://", 'expected an address like "https://pacs.example/dicom-web"'),
        ("https://pacs:99999", 'expected an address like "https://pacs.example/dicom-web"'),
        ("https://pacs/a b", 'expected an address like "https://pacs.example/dicom-web"'),
        ("https://[::1", 'expected an address like "https://pacs.example/dicom-web"'),
        (
            "https://u:sesame@pacs/x",
            "credentials do not belong in the address; write them under auth",
        ),
        ("https://pacs/x#y", "an address has no part behind #"),
        ("https://pacs/x?y=1", "the root of a service has no part behind ?"),
        ("https://pacs/rs/studies/", 'write the root of the service, without "/studies"'),
    ],
)
def test_an_address_is_a_whole_one_without_secrets(
    faults: Complain, url: str, complaint: str
) -> None:
    text = f'[destination.x]\nkind = "stow"\nurl = "{url}"\n'
    assert said(faults, text) == [f"{WHERE}.url: {complaint}"]


def test_the_root_of_a_service_may_end_with_a_slash(read: Load) -> None:
    text = STOW.replace("dicom-web", "dicom-web/")
    table = read(text + RULE).settings.destination["x"]
    assert getattr(table, "url", "") == "https://pacs.example/dicom-web"


ONE_WAY = "expected user and password, or token, or token_url, client_id and client_secret"


@pytest.mark.parametrize(
    "auth",
    [
        "{}",
        '{ user = "u" }',
        '{ password = { env = "A_SECRET" } }',
        '{ user = "u", password = { env = "A_SECRET" }, token = { env = "A_SECRET" } }',
        '{ token_url = "https://idp/token", client_id = "c" }',
    ],
)
def test_there_is_one_way_to_say_who_we_are(faults: Complain, auth: str) -> None:
    assert said(faults, f"{STOW}auth = {auth}\n") == [f"{WHERE}.auth: {ONE_WAY}"]


SECRET = 'a secret is given as { env = "NAME" } or { file = "PATH" }, never inline'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('auth = { token = "sesame" }', f"{WHERE}.auth.token: {SECRET}"),
        ('secret_headers = { X-Key = "sesame" }', f"{WHERE}.secret_headers.X-Key: {SECRET}"),
        (
            'secret_headers = { X-Key = { env = "NONE" } }',
            f"{WHERE}.secret_headers.X-Key.env: there is no such environment variable",
        ),
        (
            'auth = { token = { env = "NONE" } }',
            f"{WHERE}.auth.token.env: there is no such environment variable",
        ),
        (
            'headers = { "a b" = "c" }',
            f"{WHERE}.headers: a header's name has letters, digits and - only",
        ),
        (
            'headers = { Authorization = "c" }',
            f"{WHERE}.headers: Authorization is written by Waystation itself",
        ),
        (
            'headers = { X-Site = "a\\r\\nb" }',
            f"{WHERE}.headers.X-Site: a header's value is printable ASCII on one line",
        ),
        ("max_per_request = 101", f"{WHERE}.max_per_request: expected 1 to 100, got 101"),
        ('max_request = "0B"', f"{WHERE}.max_request: expected a size above zero"),
        ('probe = "ping"', f'{WHERE}.probe: expected "store" or "query"'),
        ('tls = { ca = "none.pem" }', f"{WHERE}.tls.ca: there is no such file"),
        ('timeouts = { response = "0s" }', f"{WHERE}.timeouts.response: expected a duration "
         "above zero"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(faults: Complain, line: str, complaint: str) -> None:
    (found,) = said(faults, f"{STOW}{line}\n")
    assert found == complaint
    assert "sesame" not in found


def test_tls_beside_a_plain_address_is_a_fault(faults: Complain) -> None:
    text = STOW.replace("https", "http") + "tls = {}\n"
    assert said(faults, text) == [f'{WHERE}.tls: has no effect: the address begins with "http:"']


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            STOW.replace("https", "http") + 'auth = { token = { env = "A_SECRET" } }\n',
            f"{WHERE}.url: credentials go over the network in plain text; write https",
        ),
        (
            STOW + 'auth = { token_url = "http://idp/t", client_id = "c", '
            'client_secret = { env = "A_SECRET" } }\n',
            f"{WHERE}.auth.token_url: credentials go over the network in plain text; write https",
        ),
        (
            STOW + "tls = { verify = false }\n",
            f"{WHERE}.tls.verify: anybody can pose as this destination",
        ),
        (
            RUN.replace("/bin/true", "/nowhere/true"),
            f"{WHERE}.command: /nowhere/true No such file or directory",
        ),
    ],
)
def test_what_is_unsafe_or_not_there_yet_is_a_warning(
    warnings: Complain, text: str, warning: str
) -> None:
    assert any(line.endswith(warning) for line in warnings(text + RULE, {"A_SECRET": "sesame"})), (
        warnings(text + RULE, {"A_SECRET": "sesame"})
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('command = ["true"]', "the program is given with its whole path, like "
         '"/usr/local/bin/import"'),
        ("command = []", "must not be empty"),
        ('command = "/bin/true {file}"', 'expected a list, like ["/bin/true {file}"]'),
        ('command = ["/bin/{file}"]', "the program is a plain path"),
        ('command = ["/bin/true", "{PatientID}"]', "unknown place {PatientID}; there is {file}, "
         "the rest comes as environment variables such as WAYSTATION_STUDY_UID"),
    ],
)  # fmt: skip
def test_a_program_is_a_path_with_arguments(faults: Complain, line: str, complaint: str) -> None:
    text = f'[destination.x]\nkind = "command"\n{line}\n'
    assert said(faults, text) == [f"{WHERE}.command: {complaint}"]


@pytest.mark.parametrize("key", ["environment", "secret_environment"])
@pytest.mark.parametrize("name", ["a-b", "1A", "WAYSTATION_FILE"])
def test_a_variable_has_a_name_of_its_own(faults: Complain, key: str, name: str) -> None:
    value = '"x"' if key == "environment" else '{ env = "A_SECRET" }'
    assert said(faults, f"{RUN}{key} = {{ {name} = {value} }}\n") == [
        f"{WHERE}.{key}: a variable has a name like SITE_CODE, not beginning with WAYSTATION_"
    ]


def test_an_event_has_known_fields(faults: Complain) -> None:
    (found,) = said(faults, HOOK + 'fields = ["PatientID"]\n')
    assert found.startswith(f"{WHERE}.fields: unknown field PatientID; there are SOPInstanceUID, ")


def test_each_kind_becomes_its_destination(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "sesame")
    environ = {"A_SECRET": "sesame"}
    secret = '{ env = "A_SECRET" }'
    written = [
        (STOW + f'auth = {{ user = "u", password = {secret} }}\n', StowDestination),
        (STOW + f"secret_headers = {{ X-Key = {secret} }}\n", StowDestination),
        (
            STOW + 'auth = { token_url = "https://idp/t", client_id = "c", '
            f"client_secret = {secret} }}\n",
            StowDestination,
        ),
        (HOOK + f"secret = {secret}\nauth = {{ token = {secret} }}\n", WebhookDestination),
        (RUN + f"secret_environment = {{ KEY = {secret} }}\n", CommandDestination),
    ]
    for text, kind in written:
        settings = read(text + RULE, environ).settings
        table = settings.destination["x"]
        wiring.check_destination("x", table, "WAYSTATION", tmp_path)
        made = wiring.destination("x", table, "WAYSTATION", tmp_path)
        assert isinstance(made, kind)
        shown = effective(settings)
        for form in (json.dumps(shown), as_toml(shown), repr(settings)):
            assert "sesame" not in form
        again = read(as_toml(shown), environ).settings
        assert again.destination["x"] == table


def test_a_key_that_is_no_base64_is_a_fault(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "whsec_???")
    text = HOOK + 'secret = { env = "A_SECRET" }\n' + RULE
    table = read(text, {"A_SECRET": "whsec_???"}).settings.destination["x"]
    with pytest.raises(ConfigError, match="base64"):
        wiring.check_destination("x", table, "WAYSTATION", tmp_path)


@pytest.mark.parametrize(
    "line",
    ['auth = { token = { env = "A_SECRET" } }', 'secret_headers = { X = { env = "A_SECRET" } }'],
)
def test_a_secret_that_no_header_can_carry_is_a_fault(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("A_SECRET", "sesame\topen")
    table = read(f"{STOW}{line}\n{RULE}", {"A_SECRET": "x"}).settings.destination["x"]
    with pytest.raises(ConfigError, match="no header can carry it") as caught:
        wiring.check_destination("x", table, "WAYSTATION", tmp_path)
    assert "sesame" not in str(caught.value)
