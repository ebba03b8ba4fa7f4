"""The ways out to other machines' files: ``kind = "sftp"`` and ``kind = "s3"``.

Contract: secrets are never inline.  What needs the disk, a library or two keys together is
checked by `semantics_remote`.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from waystation.app.quantities import Duration
from waystation.app.settings_base import (
    Flag,
    Host,
    Name,
    Names,
    PathText,
    Port,
    SecretSource,
    Table,
    complaint,
)
from waystation.app.settings_destination import DestinationSettings, Template
from waystation.app.settings_dicom import Wait
from waystation.app.settings_ways import Address
from waystation.destinations.naming import DEFAULT_TEMPLATE

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/?")
_STORAGE_CLASS = re.compile(r"[A-Z][A-Z0-9_]{1,40}")


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise complaint(
            "a bucket has 3 to 63 lower-case letters, digits, dots and dashes; "
            "write its name alone, without s3://"
        )
    return text


def _prefix(text: str) -> str:
    if text and (not _PREFIX.fullmatch(text) or ".." in text):
        raise complaint('a prefix is written like "site-a/ct"')
    return text.strip("/")


def _storage_class(text: str) -> str:
    if not _STORAGE_CLASS.fullmatch(text):
        raise complaint('a storage class is written like "STANDARD_IA"')
    return text


def _remote_path(text: str) -> str:
    if not text or "\0" in text:
        raise complaint('expected a folder of the server, like "/incoming" or "incoming"')
    return text.rstrip("/") or "/"


class SftpTimeouts(Table):
    """How long we wait for an SFTP server."""

    connect: Wait = Field(default=10.0, description="For the TCP connection")
    login: Wait = Field(default=30.0, description="For keys and login")
    response: Wait = Field(default=60.0, description="For the answer to one request, or 1 MiB sent")


class SftpDestination(DestinationSettings):
    """A folder on another machine, written to over SFTP (extra `sftp`)."""

    kind: Literal["sftp"] = Field(description="Kind of destination")
    host: Host = Field(description="Host name or address")
    port: Port = Field(default=22, description="Its port")
    user: Name = Field(description="Whom we log in as")
    key: PathText | None = Field(default=None, description="Our private key")
    key_password: SecretSource | None = Field(default=None, description="Passphrase of the key")
    password: SecretSource | None = Field(
        default=None, description="Password, where the server takes no key"
    )
    known_hosts: PathText | None = Field(
        default=None, description="File with the server's key, in OpenSSH's known_hosts form"
    )
    host_key: Names = Field(
        default=(),
        description='Instead of known_hosts: its public key ("ssh-ed25519 AAAA...") or '
        'fingerprint ("SHA256:..."); any of the list will do',
    )
    path: Annotated[str, AfterValidator(_remote_path)] = Field(
        description="Folder of the server; must exist. Without leading / it counts from the "
        "login's own folder"
    )
    name: Template = Field(
        default=DEFAULT_TEMPLATE,
        description="Template of the file name; fields in braces, values are sanitised",
    )
    linger: Duration = Field(default=5.0, description="How long an idle session stays open")
    timeouts: SftpTimeouts = Field(
        default_factory=SftpTimeouts, description="How long we wait for it"
    )


class S3Timeouts(Table):
    """How long we wait for an object store."""

    connect: Wait = Field(default=10.0, description="For the TCP connection and TLS")
    response: Wait = Field(
        default=60.0, description="For an answer; sending may take longer, but not below 128 KiB/s"
    )


class S3Destination(DestinationSettings):
    """A bucket of an S3-compatible object store (extra `s3`)."""

    kind: Literal["s3"] = Field(description="Kind of destination")
    bucket: Annotated[str, AfterValidator(_bucket)] = Field(description="The bucket; must exist")
    prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="", description="What all keys begin with"
    )
    name: Template = Field(
        default=DEFAULT_TEMPLATE,
        description="Template of the key behind the prefix; values are sanitised",
    )
    endpoint: Address | None = Field(
        default=None, description="Address of the service; default is that of AWS in the region"
    )
    region: Name = Field(default="us-east-1", description="Its region")
    path_style: Flag = Field(
        default=True,
        description="Whether the bucket stands in the path; false puts it before the host name",
    )
    allow_http: Flag = Field(
        default=False, description="Whether an http endpoint may be used: images go in the clear"
    )
    ca: PathText | None = Field(
        default=None, description="Further authority that vouches for the endpoint; a PEM file"
    )
    key_id: SecretSource | None = Field(
        default=None,
        description="Access key id; without it the credentials of environment or machine are used",
    )
    secret_key: SecretSource | None = Field(default=None, description="Secret access key")
    session_token: SecretSource | None = Field(
        default=None, description="Session token, for temporary keys"
    )
    encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        default=None, description="Encryption at rest; default is what the bucket says"
    )
    kms_key: Name | None = Field(default=None, description="Key id for aws:kms")
    storage_class: Annotated[str, AfterValidator(_storage_class)] | None = Field(
        default=None, description="Storage class; default is the bucket's"
    )
    uid_in_metadata: Flag = Field(
        default=False, description="Whether metadata name the SOP instance UID"
    )
    timeouts: S3Timeouts = Field(default_factory=S3Timeouts, description="How long we wait for it")
