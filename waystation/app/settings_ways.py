"""The ways out that speak HTTP, and the hooks: ``kind = "stow"``, ``"webhook"``, ``"command"``.

Contract: an address carries no credentials (they have keys of their own, which take no inline
secrets), a header carries no line break and none of those that we write ourselves.
"""

import re
from pathlib import PurePath
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from waystation.app.settings_base import (
    Count,
    Flag,
    Name,
    Names,
    SecretSource,
    Table,
    complaint,
)
from waystation.app.settings_destination import VERIFY_AFTER, CallTls, DestinationSettings
from waystation.app.settings_dicom import Limit, Wait
from waystation.destinations.fields import EVENT_FIELDS

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")
OURS = frozenset(
    {
        *("authorization", "connection", "content-length", "content-type", "cookie", "host"),
        *("proxy-authorization", "te", "transfer-encoding", "upgrade"),
    }
)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}")
PLACE = re.compile(r"\{[^{}]*\}")
MOST_OBJECTS = 100


def _address(text: str) -> str:
    """An http or https address without credentials and fragment."""
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.scheme not in {"http", "https"} or not text.isprintable() or " " in text:
        raise complaint('expected an address like "https://pacs.example/dicom-web"')
    if parts.username is not None or parts.password is not None:
        raise complaint("credentials do not belong in the address; write them under auth")
    if parts.fragment:
        raise complaint("an address has no part behind #")
    return text


def _root(text: str) -> str:
    if "?" in _address(text):
        raise complaint("the root of a service has no part behind ?")
    if text.rstrip("/").endswith("/studies"):
        raise complaint('write the root of the service, without "/studies"')
    return text.rstrip("/")


def _header_names(headers: dict[str, object]) -> dict[str, object]:
    for name in headers:
        if not HEADER.fullmatch(name):
            raise complaint("a header's name has letters, digits and - only")
        if name.lower() in OURS:
            raise complaint(f"{name} is written by Waystation itself")
    return headers


def _header_value(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise complaint("a header's value is printable ASCII on one line")
    return text


def _known_fields(fields: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(fields) - set(EVENT_FIELDS))
    if unknown:
        raise complaint(f"unknown field {unknown[0]}; there are {', '.join(EVENT_FIELDS)}")
    return fields


Address = Annotated[str, AfterValidator(_address)]
ServiceRoot = Annotated[str, AfterValidator(_root)]
Headers = Annotated[
    dict[str, Annotated[str, AfterValidator(_header_value)]], AfterValidator(_header_names)
]
SecretHeaders = Annotated[dict[str, SecretSource], AfterValidator(_header_names)]
PerRequest = Annotated[Count, Field(le=MOST_OBJECTS)]


class HttpTimeouts(Table):
    """How long we wait for an HTTP server."""

    connect: Wait = Field(default=10.0, description="For the TCP connection and TLS, each")
    progress: Wait = Field(default=60.0, description="Until it takes the next piece of a request")
    response: Wait = Field(default=60.0, description="For its answer, without progress")


class HttpAuth(Table):
    """Who we are: user and password, or a token, or a client that fetches tokens (OAuth 2)."""

    user: Name | None = Field(default=None, description="User name, sent with `password` (basic)")
    password: SecretSource | None = Field(default=None, description="Its password")
    token: SecretSource | None = Field(default=None, description="Bearer token")
    token_url: Address | None = Field(
        default=None, description="Where tokens are fetched (OAuth 2, client credentials)"
    )
    client_id: Name | None = Field(default=None, description="Who fetches them")
    client_secret: SecretSource | None = Field(default=None, description="Its secret")
    scope: str = Field(default="", description="Scope asked for; default is none")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        basic = (self.user, self.password)
        fetched = (self.token_url, self.client_id, self.client_secret)
        ways = [basic, (self.token,), fetched]
        used = [way for way in ways if any(part is not None for part in way)]
        if len(used) != 1 or any(part is None for part in used[0]):
            raise complaint(
                "expected user and password, or token, or token_url, client_id and client_secret"
            )
        return self


class HttpDestination(DestinationSettings):
    """What the ways over HTTP have in common."""

    auth: HttpAuth | None = Field(default=None, description="How we say who we are")
    headers: Headers = Field(default_factory=dict, description="Further headers of each request")
    secret_headers: SecretHeaders = Field(
        default_factory=dict, description="Headers whose values are secrets"
    )
    proxy: Address | None = Field(
        default=None, description="Proxy to go through; those of the environment are not used"
    )
    tls: CallTls | None = Field(default=None, description="TLS, where the address is https")
    timeouts: HttpTimeouts = Field(
        default_factory=HttpTimeouts, description="How long we wait for it"
    )


class StowDestination(HttpDestination):
    """A DICOMweb server, sent to by STOW-RS."""

    kind: Literal["stow"] = Field(description="Kind of destination")
    url: ServiceRoot = Field(
        description='Root of its DICOMweb service; we store at this address plus "/studies"'
    )
    max_per_request: PerRequest = Field(default=MOST_OBJECTS, description="Objects per request")
    max_request: Limit = Field(
        default=50 * 10**6, description="Bytes per request; a larger object goes alone"
    )
    probe: Literal["store", "query"] = Field(
        default="store",
        description="How we ask whether it is back: a store request without objects, "
        "or a query for one study",
    )
    trust_status: Flag = Field(
        default=False,
        description="Whether status 200 counts as stored where its answer names no objects; "
        "unsafe, as it may have stored none",
    )
    retry_on_warning: Flag = Field(
        default=False, description="Whether a warning counts as a failure of the object"
    )
    verify: Literal["query"] | None = Field(
        default=None,
        description="How it is asked, once something was delivered, whether it has it: by QIDO-RS; "
        "default is not at all",
    )
    verify_after: Wait = Field(default=3600.0, description=VERIFY_AFTER)


class WebhookDestination(HttpDestination):
    """An address that is told about objects; the objects themselves are not sent."""

    kind: Literal["webhook"] = Field(description="Kind of destination")
    url: Address = Field(description="Where the events are posted")
    secret: SecretSource | None = Field(
        default=None, description="Key that signs the events (HMAC-SHA-256)"
    )
    fields: Annotated[Names, Field(min_length=1), AfterValidator(_known_fields)] = Field(
        default=EVENT_FIELDS, description="What an event says of each object"
    )
    max_per_event: PerRequest = Field(default=1, description="Objects of one study in one event")


def _arguments(words: tuple[str, ...]) -> tuple[str, ...]:
    if not PurePath(words[0]).is_absolute():
        raise complaint('the program is given with its whole path, like "/usr/local/bin/import"')
    if any("\0" in word for word in words) or any("{" in word for word in words[:1]):
        raise complaint("the program is a plain path")
    places = [place for word in words for place in PLACE.findall(word)]
    unknown = sorted(set(places) - {"{file}"})
    if unknown:
        raise complaint(
            f"unknown place {unknown[0]}; there is {{file}}, the rest comes as environment "
            "variables such as WAYSTATION_STUDY_UID"
        )
    return words


def _variables(table: dict[str, object]) -> dict[str, object]:
    for name in table:
        if not VARIABLE.fullmatch(name) or name.startswith("WAYSTATION_"):
            raise complaint("a variable has a name like SITE_CODE, not beginning with WAYSTATION_")
    return table


def _one_line(text: str) -> str:
    if "\0" in text:
        raise complaint("a value holds no NUL")
    return text


class CommandDestination(DestinationSettings):
    """A program of this machine that is run for each object."""

    kind: Literal["command"] = Field(description="Kind of destination")
    command: Annotated[Names, Field(min_length=1), AfterValidator(_arguments)] = Field(
        description="Program and arguments, never a shell; {file} is the object's file"
    )
    timeout: Wait = Field(default=300.0, description="How long it may run")
    environment: Annotated[
        dict[str, Annotated[str, AfterValidator(_one_line)]], AfterValidator(_variables)
    ] = Field(default_factory=dict, description="Further environment variables")
    secret_environment: Annotated[dict[str, SecretSource], AfterValidator(_variables)] = Field(
        default_factory=dict, description="Environment variables whose values are secrets"
    )
    show_output: Flag = Field(
        default=False,
        description="Whether the end of its error output is kept with a failed attempt; "
        "it may hold patient data",
    )
