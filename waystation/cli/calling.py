"""What every command that opens an association has in common (T-73, T-75).

Contract: a refusal is told in one line with its layer, its cause and what to look at next; exit 3
if nobody could be reached, 1 if somebody answered and refused.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waystation.model.errors import ConfigError, UnreachableError

if TYPE_CHECKING:
    from waystation.model.peer import Remote
    from waystation.net.client import Waits

UNREACHABLE, REFUSED = 3, 1

Target = Annotated[str, typer.Argument(help="AET@host:port, or a destination's name")]
Calling = Annotated[
    str, typer.Option("--calling", metavar="AET", help="Our AE title; default: the node's")
]
Timeout = Annotated[str, typer.Option("--timeout", metavar="TIME", help="For each step, like 10s")]
Tls = Annotated[bool, typer.Option("--tls", help="Call with TLS")]
Ca = Annotated[Path | None, typer.Option("--ca", help="Authorities that vouch for the peer (PEM)")]
Cert = Annotated[Path | None, typer.Option("--cert", help="Our certificate (PEM)")]
Key = Annotated[Path | None, typer.Option("--key", help="Its private key (PEM)")]
TlsName = Annotated[str, typer.Option("--tls-name", help="Name that its certificate must carry")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Take any certificate of the peer")]

_HINTS = {
    "name": "is the host name right, and can this machine resolve it?",
    "connect": "does it run, is the port right, is a firewall in between?",
    "tls": "do both sides use TLS here, and does each trust the other's certificate?",
    "associate": "is that a DICOM port, and does it use TLS?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsAsked:
    """The TLS options as given."""

    on: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    name: str = ""
    insecure: bool = False

    @property
    def wanted(self) -> bool:
        """True if any option asks for TLS."""
        return self.on or self.insecure or bool(self.ca or self.cert or self.key or self.name)


def remote_of(target: str, calling: str, config: Path | None, tls: TlsAsked) -> "Remote":
    """Return whom to call.  A configuration is only read where it is needed or stated."""
    from waystation.app.read import find_file, load
    from waystation.app.settings import Settings
    from waystation.app.target import read_target
    from waystation.wire.names import is_ae_title

    needed = config is not None or "@" not in target
    settings = load(find_file(config), os.environ).settings if needed else Settings()
    title = calling or settings.dicom.ae_title
    if not is_ae_title(title):
        raise ConfigError("--calling", "an AE title has 1 to 16 printable characters")
    remote = read_target(target, settings, title)
    if not tls.wanted:
        return remote
    from waystation.model.peer import TlsFiles

    return replace(
        remote,
        tls=TlsFiles(
            certificate=str(tls.cert or ""),
            key=str(tls.key or ""),
            ca=str(tls.ca or ""),
            server_name=tls.name,
            verify=not tls.insecure,
        ),
    )


def waits_of(timeout: str) -> "Waits":
    """Return the time-outs: one for each step, or the usual ones for ""."""
    from waystation.app.quantities import read_duration
    from waystation.net.client import Waits

    if not timeout:
        return Waits()
    try:
        seconds = read_duration(timeout)
    except ValueError as error:
        raise ConfigError("--timeout", str(error)) from error
    if seconds <= 0:
        raise ConfigError("--timeout", "expected a duration above zero")
    return Waits(connect_s=seconds, associate_s=seconds, response_s=seconds)


def refusal_text(error: UnreachableError, remote: "Remote") -> str:
    """Return in one line how far we came, why no further, and what to look at."""
    if error.layer == "rejected":
        hint = f"{remote.ae_title} must be its title, and it must know {remote.calling_ae}"
    else:
        hint = _HINTS.get(error.layer, "")
    return f"{error.layer}: {error}; {hint}" if hint else f"{error.layer}: {error}"


def exit_code(error: UnreachableError) -> int:
    """Return 1 if the peer answered and refused, else 3."""
    answered = error.layer == "rejected" or (error.layer == "associate" and error.permanent)
    return REFUSED if answered else UNREACHABLE
