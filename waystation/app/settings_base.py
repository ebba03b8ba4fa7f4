"""What every table of the file has in common: strictness, and the small types of its values.

Contract: tables are frozen and refuse unknown keys; values are never coerced from another TOML
type (``port = "104"`` and ``enabled = 1`` are faults); no complaint quotes what may be a secret.
"""

import ipaddress
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError


def complaint(text: str) -> PydanticCustomError:
    """Return a fault whose whole text is ``text``: already a sentence for the operator."""
    return PydanticCustomError("sentence", "{text}", {"text": text})


class Table(BaseModel):
    """One table of the file.

    later: keys that the specification names and this version does not have yet.  They are
    refused with a sentence of their own, as ignoring one could open a window or skip a filter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    later: ClassVar[frozenset[str]] = frozenset()


def is_loopback(host: str) -> bool:
    """Return whether a listener on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ae_title(title: str) -> str:
    """PS3.5 VR AE: 1 to 16 characters of the default repertoire, no backslash, no control."""
    text = title.strip(" ")
    printable = all(" " <= character <= "~" and character != "\\" for character in text)
    if not 1 <= len(text) <= 16 or not printable:
        raise complaint("an AE title has 1 to 16 printable ASCII characters and no backslash")
    return text


def _ae_pattern(title: str) -> str:
    if "[" in title or "]" in title:
        raise complaint("an AE title pattern knows * and ? only, no brackets")
    return _ae_title(title)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise complaint(_no_network(text)) from None


def _no_network(text: str) -> str:
    try:
        around = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return (
            f'"{text}" is no address or network; write "10.0.0.5" or "10.1.2.0/24" or "fd00::/64"'
        )
    address = text.partition("/")[0]
    return f'"{text}" lies within a network; write "{around}" for all of that, or "{address}"'


def _host(text: str) -> str:
    """A name or an address and nothing else: a port or a scheme would be looked up as a name."""
    address = text.removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        return str(ipaddress.ip_address(address))
    if "/" in text:
        raise complaint("expected a host name or an address, no URL")
    if ":" in text:
        raise complaint("expected a host name or an address alone; the port has its own key")
    if any(letter.isspace() for letter in text):
        raise complaint("a host name has no blanks")
    return text


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _as_tuple(value: object) -> object:
    if isinstance(value, str):
        raise complaint(f'expected a list, like ["{value}"]')
    return tuple(value) if isinstance(value, list) else value


def _in_folder(value: object, info: ValidationInfo) -> object:
    """Paths in the file count from the folder of the file, whatever the working folder is."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise complaint("expected a path as text")
    folder = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(Path(folder) / Path(value)))


AETitle = Annotated[str, AfterValidator(_ae_title)]
AEPattern = Annotated[str, AfterValidator(_ae_pattern)]
Name = Annotated[str, Field(min_length=1)]
Host = Annotated[str, Field(min_length=1), AfterValidator(_host)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
Network = Annotated[str, AfterValidator(_network)]
Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1)]
Port = Annotated[int, Strict(), Field(ge=1, le=65_535)]
ListenPort = Annotated[int, Strict(), Field(ge=0, le=65_535)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple)]
AETitles = Annotated[tuple[AETitle, ...], BeforeValidator(_as_tuple)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_as_tuple)]
Right = Literal["echo", "store", "find", "move", "get", "commit", "mpps", "worklist"]
Rights = Annotated[tuple[Right, ...], BeforeValidator(_as_tuple)]
PathText = Annotated[
    Path,
    BeforeValidator(_in_folder),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]


class Secret(Table):
    """Where a secret is kept; the secret itself never stands in the file."""

    env: str | None = Field(default=None, description="Name of the environment variable")
    file: PathText | None = Field(default=None, description="File whose first line is the secret")


def _not_inline(value: object) -> object:
    if not isinstance(value, dict | Secret):
        raise complaint('a secret is given as { env = "NAME" } or { file = "PATH" }, never inline')
    if isinstance(value, dict) and len(value) != 1:
        raise complaint('a secret is given as either { env = "NAME" } or { file = "PATH" }')
    return value


SecretSource = Annotated[Secret, BeforeValidator(_not_inline)]


def reveal(secret: Secret, environ: dict[str, str]) -> str:
    """Return the secret itself.  Raises KeyError or OSError if it is not there."""
    if secret.env is not None:
        return environ[secret.env]
    assert secret.file is not None
    return secret.file.read_text(encoding="utf-8").splitlines()[0]
