"""What files, libraries and neighbouring keys say about destinations on other machines.

Contract: a missing library, key or secret is a fault with its line: the lane could not start.
Nothing is connected to.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

from waystation.app.faults import Problem
from waystation.app.lines import Path as KeyPath
from waystation.app.parts import Parts
from waystation.app.places import secret_problems
from waystation.app.settings_base import Secret, reveal
from waystation.app.settings_destination import DestinationSettings
from waystation.app.settings_remote import S3Destination, SftpDestination
from waystation.app.wiring_remote import Reveal, s3_settings, sftp_call
from waystation.model.errors import ConfigError

LIBRARIES = {"sftp": "asyncssh", "s3": "obstore"}
FILES = ("key", "known_hosts", "ca")
SECRETS = ("key_password", "password", "key_id", "secret_key", "session_token")


def remote(parts: Parts, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with destinations of kind sftp and s3."""
    for name, table in parts.destinations.items():
        at: KeyPath = ("destination", name)
        if not isinstance(table, SftpDestination | S3Destination):
            continue
        installed = importlib.util.find_spec(LIBRARIES[table.kind]) is not None
        if not installed:
            text = f'needs a library that is not installed: pip install "waystation[{table.kind}]"'
            yield Problem(path=(*at, "kind"), text=text)
        places = [*_files(table, at), *_secrets(table, at, environ)]
        yield from places
        sound = installed and all(place.warning for place in places)
        if isinstance(table, S3Destination):
            yield from _s3(table, at)
            if sound:
                yield from _client(table, at, environ)
            continue
        yield from _login(table, at)
        if not table.known_hosts and not table.host_key:
            yield Problem(path=(*at, "known_hosts"), text=NO_KEY)
        elif sound:
            yield from _keys(table, at, environ)


NO_KEY = (
    "is missing: without it anybody could pose as the server; write the file that "
    '"ssh-keyscan HOST" and a look at the server\'s own key gave, or host_key = ["SHA256:..."]'
)


def _files(table: DestinationSettings, at: KeyPath) -> Iterator[Problem]:
    for key in FILES:
        path = getattr(table, key, None)
        if isinstance(path, Path) and not path.is_file():
            yield Problem(path=(*at, key), text="there is no such file")


def _secrets(
    table: DestinationSettings, at: KeyPath, environ: Mapping[str, str]
) -> Iterator[Problem]:
    for key in SECRETS:
        secret = getattr(table, key, None)
        if isinstance(secret, Secret):
            yield from secret_problems(secret, (*at, key), environ)


def _login(table: SftpDestination, at: KeyPath) -> Iterator[Problem]:
    if table.key is None and table.password is None:
        yield Problem(path=(*at, "key"), text="is missing: log in with a key or a password")
    if table.key is None and table.key_password is not None:
        yield Problem(path=(*at, "key_password"), text="is only for a key")
    if table.known_hosts and table.host_key:
        yield Problem(path=(*at, "host_key"), text="write either known_hosts or host_key")
    for position, text in enumerate(table.host_key):
        if not text.startswith(("SHA256:", "ssh-", "ecdsa-", "sk-")):
            yield Problem(
                path=(*at, "host_key", position),
                text='expected "ssh-ed25519 AAAA..." or "SHA256:..."',
            )


def _keys(table: SftpDestination, at: KeyPath, environ: Mapping[str, str]) -> Iterator[Problem]:
    """What only reading the keys can tell."""
    from waystation.destinations import sftp_session

    call = sftp_call(table, revealed(environ))
    try:
        sftp_session.own_key(call)
        trusted = sftp_session.trusted_keys(call)
    except ConfigError as error:
        yield Problem(path=(*at, error.where), text=error.problem)
        return
    if table.known_hosts and not sftp_session.names_host(trusted.known, call):
        text = f"has no line for {table.host}, port {table.port}: its key would not be trusted"
        yield Problem(path=(*at, "known_hosts"), text=text, warning=True)


def revealed(environ: Mapping[str, str]) -> Reveal:
    """Return what looks up secrets in ``environ``."""
    return lambda secret: "" if secret is None else reveal(secret, dict(environ))


def _s3(table: S3Destination, at: KeyPath) -> Iterator[Problem]:
    if (table.key_id is None) is not (table.secret_key is None):
        missing = "key_id" if table.key_id is None else "secret_key"
        yield Problem(path=(*at, missing), text="is missing: key_id and secret_key go together")
    if table.session_token is not None and table.key_id is None:
        yield Problem(path=(*at, "session_token"), text="needs key_id and secret_key beside it")
    if table.endpoint and table.endpoint.startswith("http:") and not table.allow_http:
        yield Problem(
            path=(*at, "endpoint"), text="is not encrypted: write https, or state allow_http = true"
        )
    if table.kms_key is not None and not (table.encryption or "").startswith("aws:kms"):
        yield Problem(path=(*at, "kms_key"), text='needs encryption = "aws:kms" beside it')


def _client(table: S3Destination, at: KeyPath, environ: Mapping[str, str]) -> Iterator[Problem]:
    """What only the library can tell, without a connection."""
    from waystation.destinations import s3

    try:
        s3.open_store(s3_settings(table, revealed(environ)), 0)
    except (ConfigError, OSError, UnicodeError) as error:
        where = error.where if isinstance(error, ConfigError) else "ca"
        text = error.problem if isinstance(error, ConfigError) else "cannot be read"
        yield Problem(path=(*at, where), text=text)
