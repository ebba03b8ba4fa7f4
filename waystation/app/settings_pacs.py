"""The PACS behind the broker, ``[pacs.NAME]``, and what is kept of their objects, ``[cache]``."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from waystation.app.quantities import Duration, Size
from waystation.app.settings_base import (
    AETitle,
    Count,
    Flag,
    Host,
    PathText,
    Port,
    Table,
    _as_tuple,
    _network,
    complaint,
)
from waystation.app.settings_call import CallTls
from waystation.app.settings_charset import _known
from waystation.app.settings_dicom import Limit, Wait
from waystation.model.upstream import QUIRKS

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}", re.ASCII)
RESERVED = "archive"
SERVICES = ("find", "move", "get")
MOST_FOUND = 100_000


def name_fault(name: str) -> str:
    """Return what is wrong with the name of a source, "" if nothing is (W-3)."""
    if name == RESERVED:
        return '"archive" is our own archive; choose another name'
    if not NAME.fullmatch(name):
        return (
            "the name stands in URLs and AE titles: 1 to 16 lower-case letters, digits, - and _,"
            " a letter or digit first"
        )
    return ""


def _senders(value: Any) -> Any:
    if value in ("host", "any"):
        return value
    if isinstance(value, str):
        raise complaint(f'expected "host", "any" or a list of networks, like ["{value}"]')
    if not isinstance(value, list | tuple) or not value:
        raise complaint('expected "host", "any" or a list of networks, like ["10.0.0.0/24"]')
    return tuple(_network(one) if isinstance(one, str) else one for one in value)


def _quirk(text: str) -> str:
    if text not in QUIRKS:
        raise complaint(f"expected some of {', '.join(QUIRKS)}")
    return text


Senders = Annotated[
    Literal["host", "any"] | tuple[str, ...],
    BeforeValidator(_senders, json_schema_input_type=Literal["host", "any"] | list[str]),
]
Quirks = Annotated[tuple[Annotated[str, AfterValidator(_quirk)], ...], BeforeValidator(_as_tuple)]


class PacsService(Table):
    """One service of a PACS that is called differently from the others."""

    ae_title: AETitle | None = Field(default=None, description="AE title that we call")
    host: Host | None = Field(default=None, description="Name or address")
    port: Port | None = Field(default=None, description="Port it listens on")
    calling_ae: AETitle | None = Field(default=None, description="AE title that we call with")


class PacsAssociations(Table):
    """How many associations we hold."""

    find: Count = Field(default=4, description="For queries, at one time")
    retrieve: Count = Field(default=2, description="For retrieval, at one time")
    idle: Duration = Field(default=30.0, description="How long an unused one stays open")


class PacsTimeouts(Table):
    """How long we wait for a PACS."""

    connect: Wait = Field(default=5.0, description="For the TCP connection and TLS")
    associate: Wait = Field(default=10.0, description="For the answer to A-ASSOCIATE-RQ")
    find: Wait = Field(
        default=30.0, description="For each answer to a query, and for a free association"
    )
    retrieve: Wait = Field(
        default=60.0, description="While neither objects nor answers come of a retrieval"
    )
    quiet: Wait = Field(
        default=15.0, description="For objects that are missing after the end of a retrieval"
    )


class PacsRetry(Table):
    """How often what is missing of a retrieval is asked for again."""

    attempts: Count = Field(default=3, description="Attempts in all")
    first: Wait = Field(default=2.0, description="Pause before the second attempt; then doubling")
    ceiling: Wait = Field(default=60.0, description="No pause is longer")


class PacsSettings(Table):
    """A PACS that speaks C-FIND, C-MOVE and C-GET; the broker gives it DICOMweb."""

    ae_title: AETitle | None = Field(default=None, description="AE title of the PACS")
    host: Host | None = Field(default=None, description="Name or address of the PACS")
    port: Port = Field(default=104, description="Port it listens on")
    calling_ae: AETitle | None = Field(
        default=None, description="AE title that we call with; default is dicom.ae_title"
    )
    find: PacsService = Field(
        default_factory=PacsService, description="What is different for queries"
    )
    move: PacsService = Field(
        default_factory=PacsService, description="What is different for C-MOVE"
    )
    get: PacsService = Field(
        default_factory=PacsService, description="What is different for C-GET; default: as move"
    )
    tls: CallTls | None = Field(default=None, description="Call with TLS")
    move_destination: AETitle | None = Field(
        default=None,
        description="Our AE title that the PACS sends to (C-MOVE); default is dicom.ae_title",
    )
    senders: Senders = Field(
        default="host",
        description="Where its objects come from: the addresses of its hosts (host), a list of "
        "networks, or anywhere (any)",
    )
    retrieve: Literal["auto", "get", "move"] = Field(
        default="auto", description="How objects are fetched: C-GET where it can, else C-MOVE"
    )
    fetch_level: Literal["auto", "series", "study"] = Field(
        default="auto",
        description="What a request for a series fetches: the series, then the rest of the study "
        "with a second one (auto), never more (series), or the study at once (study)",
    )
    federate: Flag = Field(
        default=True, description="Whether the plain DICOMweb root asks it besides the archive"
    )
    priority: Annotated[int, Strict(), Field(ge=0, le=1000)] = Field(
        default=10, description="Which source counts where several hold a study: the lowest number"
    )
    charset: Annotated[str, AfterValidator(_known)] = Field(
        default="ISO_IR 100",
        description="Character set of the keys that we send, and of answers that name none",
    )
    associations: PacsAssociations = Field(
        default_factory=PacsAssociations, description="How many associations we hold"
    )
    timeouts: PacsTimeouts = Field(
        default_factory=PacsTimeouts, description="How long we wait for it"
    )
    retry: PacsRetry = Field(
        default_factory=PacsRetry, description="How often what is missing is asked for again"
    )
    find_max: Annotated[Count, Field(le=MOST_FOUND)] = Field(
        default=1000, description="Most matches taken of one query; then it is cancelled"
    )
    revalidate: Duration = Field(
        default=300.0, description="After so long a cached study is compared with the PACS again"
    )
    keep: Literal["cache", "archive"] = Field(
        default="cache",
        description="What becomes of fetched objects: only the cache, or they also go through the "
        "rules and into the archive",
    )
    quirks: Quirks = Field(
        default=(), description="What it does not do as the Standard says; doctor proposes them"
    )

    @model_validator(mode="after")
    def _callable(self) -> Self:
        """Every service has to be somewhere (C-GET where C-MOVE is)."""
        for key in ("ae_title", "host"):
            if getattr(self, key) is not None:
                continue
            lacking = [name for name in SERVICES[:2] if getattr(getattr(self, name), key) is None]
            if lacking:
                raise complaint(f"{key} is missing: who is called for {' and '.join(lacking)}?")
        return self


class CacheSettings(Table):
    """What is kept of objects that were fetched from a PACS."""

    path: PathText | None = Field(
        default=None,
        description="Folder that holds the cache: what is fetched is kept in node.data, which must "
        "lie in it; default: node.data itself",
    )
    max_size: Limit = Field(
        default=200 * 2**30, description="What was not read for longest goes beyond this size"
    )
    min_free: Size = Field(
        default=5 * 2**30, description="The same when the volume has less free space than this"
    )
    max_age: Wait = Field(
        default=86_400.0, description="What was not read for so long goes whatever the size"
    )
