"""HL7 messages that make and change steps: ``[worklist.hl7]``."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from waystation.app.quantities import Duration
from waystation.app.settings_base import (
    Count,
    Flag,
    ListenPort,
    Name,
    Networks,
    PathText,
    Table,
    complaint,
    is_loopback,
)
from waystation.app.settings_dicom import Limit, ListenerTls, Wait
from waystation.hl7.charsets import term_of
from waystation.hl7.errors import Hl7Error
from waystation.hl7.mapping import FieldMap


def _charset(text: str) -> str:
    """A name of HL7 table 0211, or a term of (0008,0005)."""
    try:
        return term_of(text)
    except Hl7Error:
        from waystation.app.settings_charset import _known

        return _known(text)


def _paths(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Hl7Charset = Annotated[str, AfterValidator(_charset)]
Paths = Annotated[tuple[Name, ...], BeforeValidator(_paths)]


class Hl7Sender(Table):
    """Who sends messages, and what is different about them."""

    address: Networks = Field(description="Addresses or networks it sends from")
    charset: Hl7Charset | None = Field(
        default=None,
        description="Character set of its messages that name none in MSH-18, like 8859/1",
    )
    authority: str | None = Field(
        default=None,
        description="Assigning authority (PID-3.4) of the repetition that is the patient ID",
    )
    map: dict[Name, Paths] = Field(
        default_factory=dict, description="As worklist.hl7.map, for its messages"
    )


class Hl7Settings(Table):
    """HL7 version 2 over MLLP: orders, appointments and patients into the worklist."""

    enabled: Flag = Field(default=True, description="Whether the port is open")
    host: Name = Field(
        default="127.0.0.1",
        description='Address to listen on; anything but loopback needs senders, or peers = "any"',
    )
    port: ListenPort = Field(default=2575, description="Port to listen on; 0 takes any free one")
    peers: Literal["known", "any"] = Field(
        default="any",
        description="known: only addresses of senders, and of peers, may connect; any: everyone. "
        "Default: any on loopback, known elsewhere",
    )
    tls: ListenerTls | None = Field(default=None, description="Listen with TLS")
    sender: dict[str, Hl7Sender] = Field(
        default_factory=dict, description="Senders that are known, by a name of your choice"
    )
    charset: Hl7Charset = Field(
        default="",
        description="Character set of messages that name none in MSH-18, like 8859/1; absent: "
        "UTF-8 where it is valid, else Latin-1",
    )
    authority: str = Field(
        default="",
        description="Assigning authority (PID-3.4) of the repetition of PID-3 that is the patient "
        "ID; absent: the first",
    )
    area: str = Field(
        default="",
        description="Area that the steps belong to; absent: every area whose when selects them",
    )
    map: dict[Name, Paths] = Field(
        default_factory=dict,
        description="Keyword and where its value is, the first that has one: fields like PID-3.1, "
        "OBX(8302-2)-5, a_table(OBR-24) or a_table(Modality); [] takes a keyword out",
    )
    table: dict[Name, PathText] = Field(
        default_factory=dict,
        description="Tables for the map, by name: CSV files of two columns, the value in the "
        "message and the value of the attribute; * is every other value",
    )
    visit_ended: Literal["flag", "cancel"] = Field(
        default="flag",
        description="What becomes of listed steps when a visit ends (ADT A03, A11, A23): a note "
        "in PatientState (flag), or they are cancelled",
    )
    keep: Duration = Field(
        default=90 * 86_400.0,
        description="How long messages are kept, and what was said of orders and patients",
    )
    max_message: Limit = Field(default=2**20, description="Longest message")
    max_segments: Count = Field(default=1000, description="Most segments of a message")
    max_connections: Count = Field(default=64, description="Connections at one time")
    frame_timeout: Wait = Field(default=30.0, description="From the first byte of a message on")

    @model_validator(mode="before")
    @classmethod
    def _default_deny_off_loopback(cls, table: Any) -> Any:
        """Unstated ``peers`` follows from the address: everyone only on loopback (S-43)."""
        if isinstance(table, dict) and "peers" not in table:
            host = table.get("host", "127.0.0.1")
            open_here = isinstance(host, str) and is_loopback(host)
            return {**table, "peers": "any" if open_here else "known"}
        return table

    @model_validator(mode="after")
    def _map_is_good(self) -> "Hl7Settings":
        tables: dict[str, dict[str, str]] = {name: {} for name in self.table}
        for where, lines in (
            ("map", self.map),
            *((f"sender.{name}.map", one.map) for name, one in self.sender.items()),
        ):
            try:
                FieldMap.of(lines, tables)
            except ValueError as error:
                raise complaint(f"{where}: {error}") from None
        return self


class FolderBridge(Table):
    """A folder of worklist files, as wlmscpfs has them."""

    path: PathText = Field(description="The folder")
    mode: Literal["watch", "import", "two-way"] = Field(
        default="watch",
        description="import: take its files once; watch: new and changed files become steps, a "
        "removed file cancels its step; two-way: steps are written there as .wl files too",
    )
    every: Wait = Field(default=5.0, description="How often the folder is looked at")
