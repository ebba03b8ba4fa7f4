"""The node and its keeping: ``[node]``, ``[web]``, ``[spool]``, ``[duplicates]``, ``[log]``."""

from typing import ClassVar, Literal

from pydantic import Field

from waystation.app.quantities import Duration, Percent, Size
from waystation.app.settings_base import (
    Flag,
    ListenPort,
    LogLevel,
    Name,
    PathText,
    SecretSource,
    Table,
)
from waystation.app.settings_dicomweb import DicomwebSettings


class NodeSettings(Table):
    """Who this node is and where it keeps things."""

    later: ClassVar[frozenset[str]] = frozenset({"database", "blobs"})

    name: Name = Field(default="waystation", description="Shown in the console, logs and audit")
    data: PathText = Field(
        default="var",
        validate_default=True,
        description="Folder for blobs and the SQLite database; counts from the file's folder",
    )


class WebTls(Table):
    """TLS of the HTTP listener; PEM files, counted from the file's folder."""

    certificate: PathText = Field(description="Certificate chain of this node")
    key: PathText = Field(description="Its private key")
    key_password: SecretSource | None = Field(
        default=None, description="Passphrase of the private key"
    )


class WebSettings(DicomwebSettings):
    """The HTTP listener: console, API, health and metrics."""

    later: ClassVar[frozenset[str]] = frozenset({"users", "proxy", "oidc"})

    enabled: Flag = Field(default=True, description="Whether to listen at all")
    host: Name = Field(default="127.0.0.1", description="Address to listen on")
    port: ListenPort = Field(default=8080, description="Port to listen on; 0 takes any free one")
    tls: WebTls | None = Field(default=None, description="Listen with TLS (https)")
    insecure: Flag = Field(
        default=False,
        description="Whether others may reach it without TLS, here or at a proxy: passwords and "
        "images cross the network for everybody to read",
    )
    setup: Flag = Field(
        default=False,
        description="Without users: serve only health and a page that makes the first one, with "
        "the token that the node writes to its console and to setup.token in the data folder",
    )


class SpoolSettings(Table):
    """When the disk counts as full and how long finished objects stay."""

    max_used: Percent = Field(
        default=90.0, description="New associations are refused once the volume is this full"
    )
    min_free: Size = Field(
        default=5 * 10**9, description="New associations are refused with less free space"
    )
    keep: Duration = Field(
        default=86_400.0, description="How long an object stays after its last delivery ended"
    )
    heads: Duration = Field(
        default=14 * 86_400.0,
        description="How long its head stays after that, for explain and simulate",
    )


class DuplicateSettings(Table):
    """What happens when a SOP Instance UID comes again."""

    resend_after: Duration = Field(
        default=600.0, description="Equal bytes are delivered again once the first is this old"
    )
    same: Literal["skip", "send"] = Field(
        default="skip", description="Equal bytes before that: count only, or always deliver again"
    )
    different: Literal["hold", "newest", "first", "refuse"] = Field(
        default="hold", description="Other bytes under the same UID: which of the two goes on"
    )
    memory: Duration = Field(
        default=30 * 86_400.0, description="How long digests are remembered after the file is gone"
    )
    compare: Literal["bytes", "content"] = Field(
        default="bytes",
        description="What counts as equal: the same bytes, or also the same image in another "
        "lossless coding (each such pair is decoded and compared)",
    )


class LogSettings(Table):
    """The log on standard error."""

    level: LogLevel = Field(
        default="info",
        description="Least severity that is written; peers and destinations may have their own",
    )
    identifiers: Literal["hashed", "plain"] = Field(
        default="hashed", description="UIDs as keyed short hashes, or plain (unsafe)"
    )
    format: Literal["text", "json"] = Field(
        default="text", description="One line per event as key=value, or as JSON"
    )
