"""What two application entities agree on, as plain frozen values (PS3.8 9.3, PS3.7 annex D).

Contract: values only; `associate` turns them into bytes and back.  UIDs and AE titles are text
without padding.  Secrets of a user identity never show in a repr.
"""

from dataclasses import dataclass, field

from waystation.dicom.uids import (
    APPLICATION_CONTEXT,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
)
from waystation.wire.status import reject_text

ACCEPTED = 0  # results of one presentation context (PS3.8 table 9-18)
USER_REJECTION = 1
NO_REASON = 2
ABSTRACT_SYNTAX_REFUSED = 3
TRANSFER_SYNTAXES_REFUSED = 4


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context as offered.  ``id`` is odd, 1 to 255."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The answer to one offered context; ``transfer_syntax`` counts only if ``result`` is 0."""

    id: int
    result: int
    transfer_syntax: str = ""


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """A context in force.  scu, scp: the roles that the *requestor* of the association plays."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection: which roles the requestor offers, or is granted."""

    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Extended:
    """SOP class extended negotiation; ``info`` is the service's own business."""

    sop_class: str
    info: bytes


@dataclass(frozen=True, slots=True)
class CommonExtended:
    """SOP class common extended negotiation (requests only)."""

    sop_class: str
    service_class: str
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the requestor is.  type: 1 user, 2 user + passcode, 3 Kerberos, 4 SAML, 5 JWT."""

    type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response_requested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ.  max_pdu: the largest P-DATA-TF length the requestor takes, 0 = any."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...] = ()
    max_pdu: int = 131_072
    application_context: str = APPLICATION_CONTEXT
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version: str = IMPLEMENTATION_VERSION_NAME
    roles: tuple[Role, ...] = ()
    async_ops: tuple[int, int] | None = None  # (invoked, performed), 0 = any number
    extended: tuple[Extended, ...] = ()
    common_extended: tuple[CommonExtended, ...] = ()
    user_identity: UserIdentity | None = None
    protocol_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateAccept:
    """A-ASSOCIATE-AC.  The titles are those of the request; nobody tests them."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ContextResult, ...] = ()
    max_pdu: int = 131_072
    application_context: str = APPLICATION_CONTEXT
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version: str = IMPLEMENTATION_VERSION_NAME
    roles: tuple[Role, ...] = ()
    async_ops: tuple[int, int] | None = None
    extended: tuple[Extended, ...] = ()
    user_identity_response: bytes | None = field(default=None, repr=False)
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ: the triple of PS3.8 table 9-21."""

    result: int
    source: int
    reason: int

    @property
    def permanent(self) -> bool:
        return self.result != 2

    @property
    def text(self) -> str:
        """The triple in plain words."""
        return reject_text(self.result, self.source, self.reason)
