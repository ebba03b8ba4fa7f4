"""How an application entity is called: TLS, and the place where a peer takes objects."""

from typing import Annotated

from pydantic import Field, Strict

from waystation.app.settings_base import (
    Flag,
    Host,
    Name,
    PathText,
    Port,
    SecretSource,
    Table,
)

Lanes = Annotated[int, Strict(), Field(ge=1, le=8)]


class CallTls(Table):
    """TLS towards a destination; PEM files, counted from the file's folder."""

    ca: PathText | None = Field(
        default=None, description="Authorities that vouch for the server; default: the system's"
    )
    certificate: PathText | None = Field(default=None, description="Our client certificate")
    key: PathText | None = Field(default=None, description="Its private key")
    key_password: SecretSource | None = Field(
        default=None, description="Passphrase of the private key"
    )
    server_name: Name | None = Field(
        default=None, description="Name that the certificate must carry; default is the host"
    )
    verify: Flag = Field(
        default=True, description="Whether the server's certificate is checked; false is unsafe"
    )


class StoreAt(Table):
    """Where a peer takes objects and reports: the target of C-MOVE."""

    host: Host = Field(description="Name or address")
    port: Port = Field(default=104, description="Port it listens on")
    parallel: Lanes = Field(
        default=1, description="Associations at once for a C-MOVE of hundreds of objects"
    )
    tls: CallTls | None = Field(default=None, description="Call with TLS")
