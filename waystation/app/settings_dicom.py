"""The DICOM listener and who may call it: ``[dicom]`` and ``[peer.NAME]``."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from waystation.app.quantities import Duration, Size, size_text
from waystation.app.settings_base import (
    AEPattern,
    AETitle,
    AETitles,
    Count,
    Flag,
    ListenPort,
    LogLevel,
    Name,
    Names,
    Networks,
    PathText,
    Rights,
    SecretSource,
    Table,
    complaint,
    is_loopback,
)
from waystation.app.settings_call import StoreAt
from waystation.app.settings_charset import AnswerCharset, Charsets
from waystation.app.settings_when import RefuseWhen
from waystation.dicom.charsets import DEFAULT_GUESSES

SMALLEST_PDU, LARGEST_PDU = 1024, 16 * 2**20


def _pdu_size(size: int) -> int:
    if not SMALLEST_PDU <= size <= LARGEST_PDU:
        raise complaint(
            f"a PDU length lies between {size_text(SMALLEST_PDU)} and {size_text(LARGEST_PDU)}"
        )
    return size


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise complaint("expected a duration above zero")
    return seconds


def _some(size: int) -> int:
    if size <= 0:
        raise complaint("expected a size above zero")
    return size


PduSize = Annotated[Size, AfterValidator(_pdu_size)]
Wait = Annotated[Duration, AfterValidator(_positive)]
Limit = Annotated[Size, AfterValidator(_some)]


class ListenerTls(Table):
    """TLS of the DICOM listener; PEM files, counted from the file's folder."""

    certificate: PathText = Field(description="Certificate chain of this node")
    key: PathText = Field(description="Its private key")
    key_password: SecretSource | None = Field(
        default=None, description="Passphrase of the private key"
    )
    client_ca: PathText | None = Field(
        default=None, description="Authorities that client certificates must come from"
    )
    client_auth: Literal["required", "optional", "off"] | None = Field(
        default=None,
        description="Whether callers must show a certificate; required if client_ca is given",
    )


class ListenerTimeouts(Table):
    """How long the listener waits."""

    request: Wait = Field(default=10.0, description="From accepting to a whole A-ASSOCIATE-RQ")
    handshake: Wait = Field(default=10.0, description="For the TLS handshake")
    progress: Wait = Field(default=30.0, description="Window for 1 KiB/s inside a message")
    idle: Wait = Field(default=600.0, description="Between two messages of an association")
    release: Wait = Field(default=5.0, description="For the end of an association")


class DicomSettings(Table):
    """The DICOM listener."""

    later: ClassVar[frozenset[str]] = frozenset({"allow", "deny", "decide_timeout", "rights"})

    ae_title: AETitle = Field(default="WAYSTATION", description="Our own AE title")
    host: Name = Field(
        default="127.0.0.1",
        description='Address to listen on; anything but loopback needs peers, or peers = "any"',
    )
    port: ListenPort = Field(default=11112, description="Port to listen on; 0 takes any free one")
    peers: Literal["known", "any"] = Field(
        default="any",
        description="known: only [peer.NAME] may call; any: everyone. "
        "Default: any on loopback, known elsewhere",
    )
    aliases: AETitles = Field(default=(), description="Further called AE titles we answer to")
    called_ae: Literal["own", "any"] = Field(
        default="own", description="own: ae_title and aliases only; any: answers to all titles"
    )
    accept: Names = Field(
        default=(), description="SOP classes taken (keyword, name, UID, prefix.*); empty means all"
    )
    refuse: Names = Field(default=(), description="SOP classes refused, even if accepted above")
    refuse_when: RefuseWhen = Field(
        default=None,
        description="Conditions, as of a rule; objects that meet them are refused (0124H)",
    )
    unknown_classes: Flag = Field(
        default=True, description="Whether private and future SOP classes are taken"
    )
    tls: ListenerTls | None = Field(default=None, description="Listen with TLS")
    max_associations: Count = Field(default=200, description="Associations at one time")
    max_associations_per_peer: Count = Field(default=50, description="Of these, from one peer")
    max_object: Limit = Field(default=4 * 2**30, description="Largest object accepted")
    max_pdu: PduSize = Field(default=128 * 2**10, description="Largest P-DATA-TF we offer to take")
    timeouts: ListenerTimeouts = Field(
        default_factory=ListenerTimeouts, description="How long the listener waits"
    )

    @model_validator(mode="before")
    @classmethod
    def _default_deny_off_loopback(cls, table: Any) -> Any:
        """Unstated ``peers`` follows from the address: everyone only on loopback (S-43)."""
        if isinstance(table, dict) and "peers" not in table:
            host = table.get("host", "127.0.0.1")
            open_here = isinstance(host, str) and is_loopback(host)
            return {**table, "peers": "any" if open_here else "known"}
        return table


class PeerSettings(Table):
    """An application entity that may call us."""

    later: ClassVar[frozenset[str]] = frozenset({"certificate"})

    ae_title: AEPattern = Field(description="Calling AE title; * and ? are wildcards")
    address: Networks = Field(
        default=(), description="Addresses or networks it may call from; empty means any"
    )
    accept: Names = Field(default=(), description="SOP classes taken from it; empty means all")
    refuse: Names = Field(default=(), description="SOP classes refused from it")
    refuse_when: RefuseWhen = Field(
        default=None,
        description="Conditions, as of a rule; its objects that meet them are refused (0124H)",
    )
    otherwise: Literal["hold", "refuse", "discard", "archive"] | None = Field(
        default=None, description="What no rule takes of it; default is routing.otherwise"
    )
    max_associations: Count | None = Field(
        default=None, description="At one time; default is dicom.max_associations_per_peer"
    )
    silent_after: Wait | None = Field(
        default=None, description="Alert when nothing came from it for so long; absent: never"
    )
    log: LogLevel | None = Field(
        default=None, description="Least severity of lines about its objects; default is log.level"
    )
    rights: Rights | None = Field(
        default=None,
        description="What it may ask for: echo, store, find, move, get, commit, mpps, "
        "worklist; default is all",
    )
    store_at: StoreAt | None = Field(
        default=None, description="Where C-MOVE and commitment reports may reach it"
    )
    group: Name | None = Field(
        default=None, description='Name shared with others, for archive.move_to = "same-group"'
    )
    relational: Flag | None = Field(
        default=None, description="Relational queries without negotiation (old clients)"
    )
    fuzzy: Flag = Field(default=False, description="Its names are matched fuzzily")
    bad_values: Literal["refuse", "no-match"] = Field(
        default="refuse", description="What a bad value in its query gets: A900, or no match"
    )
    answer_charset: AnswerCharset | None = Field(
        default=None, description="As archive.answer_charset, for this peer"
    )
    as_received: Flag = Field(
        default=False,
        description="C-MOVE to it, and its C-GET, give objects as they were received, without what "
        "was corrected since (archive correct)",
    )
    burned_in_is_true: Flag = Field(
        default=False,
        description="Its Burned In Annotation NO is believed by de-identification, also of classes "
        "of objects that often show names",
    )
    private_is_true: Flag = Field(
        default=False,
        description="What its objects say of their private elements (0008,0300) is believed by "
        "de-identification with retain_safe_private: those that they call harmless stay",
    )
    charset_guess: Charsets = Field(
        default=DEFAULT_GUESSES,
        description="How to read bytes beyond ASCII where its queries and objects name no "
        "character set: the first of these terms that fits",
    )
