"""The seven PDUs of the DICOM upper layer as bytes (PS3.8 9.3).

Contract: `encode_*` give whole PDUs, header included; `decode_*` read the body behind the six
bytes of the header.  Any body gives a value or `PeerError` (abort 2/6), nothing else.  P-DATA-TF
is streamed: `messages` reads and writes its PDVs, only the layouts stand here.
"""

from struct import Struct

from waystation.model.errors import MisuseError, PeerError
from waystation.wire.items import (
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    ProposedContext,
)
from waystation.wire.limits import DEFAULT_LIMITS, Limits
from waystation.wire.user_items import UserInfo, decode_user, encode_user, item, items_in, text

ASSOCIATE_RQ = 1
ASSOCIATE_AC = 2
ASSOCIATE_RJ = 3
P_DATA_TF = 4
RELEASE_RQ = 5
RELEASE_RP = 6
ABORT = 7

HEADER = Struct(">BxI")  # type, length of what follows
PDV_HEADER = Struct(">IBB")  # length of what follows, context id, message control
P_DATA_HEADER = Struct(">BxIIBB")  # both at once: a PDU with one PDV

COMMAND_FRAGMENT = 1  # bits of the message control header (PS3.8 E.2)
LAST_FRAGMENT = 2

_ASSOCIATE = Struct(">HH16s16s32x")
_FOUR = Struct(">4B")

_APPLICATION_CONTEXT = 0x10
_CONTEXT_RQ = 0x20
_CONTEXT_AC = 0x21
_ABSTRACT_SYNTAX = 0x30
_TRANSFER_SYNTAX = 0x40
_USER_INFORMATION = 0x50


def check_header(kind: int, length: int, offered: int, limits: Limits) -> None:
    """Raise `PeerError` for an unknown type or a length over limits L1 to L3.

    offered: the maximum length of a P-DATA-TF that we have announced.
    """
    if kind == P_DATA_TF:
        fits = length <= offered
    elif kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
        fits = length <= limits.associate_bytes
    elif kind in (ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT):
        fits = length == _FOUR.size
    else:
        raise PeerError(f"PDU of unknown type {kind:02X}H", abort_reason=1)
    if not fits:
        raise PeerError(f"PDU {kind:02X}H of {length} bytes", abort_reason=6)


def _pdu(kind: int, body: bytes) -> bytes:
    return HEADER.pack(kind, len(body)) + body


def _title(ae_title: str) -> bytes:
    data = ae_title.encode("latin-1", "replace")
    if len(data) > 16:
        raise MisuseError(f"AE title of {len(data)} characters")
    return data.ljust(16)


def _associate(kind: int, value: AssociateRequest | AssociateAccept, items: list[bytes]) -> bytes:
    head = _ASSOCIATE.pack(
        value.protocol_version, 0, _title(value.called_ae), _title(value.calling_ae)
    )
    context = item(_APPLICATION_CONTEXT, value.application_context.encode("ascii"))
    return _pdu(kind, b"".join((head, context, *items)))


def encode_request(request: AssociateRequest) -> bytes:
    """Return the A-ASSOCIATE-RQ PDU."""
    items = [_proposed(context) for context in request.contexts]
    user = encode_user(
        UserInfo(
            max_pdu=request.max_pdu,
            implementation_class_uid=request.implementation_class_uid,
            implementation_version=request.implementation_version,
            async_ops=request.async_ops,
            roles=list(request.roles),
            extended=list(request.extended),
            common_extended=list(request.common_extended),
            user_identity=request.user_identity,
        )
    )
    return _associate(ASSOCIATE_RQ, request, [*items, item(_USER_INFORMATION, user)])


def encode_accept(accept: AssociateAccept) -> bytes:
    """Return the A-ASSOCIATE-AC PDU."""
    items = [_answered(context) for context in accept.contexts]
    user = encode_user(
        UserInfo(
            max_pdu=accept.max_pdu,
            implementation_class_uid=accept.implementation_class_uid,
            implementation_version=accept.implementation_version,
            async_ops=accept.async_ops,
            roles=list(accept.roles),
            extended=list(accept.extended),
            user_identity_response=accept.user_identity_response,
        )
    )
    return _associate(ASSOCIATE_AC, accept, [*items, item(_USER_INFORMATION, user)])


def encode_reject(reject: AssociateReject) -> bytes:
    """Return the A-ASSOCIATE-RJ PDU."""
    return _pdu(ASSOCIATE_RJ, _FOUR.pack(0, reject.result, reject.source, reject.reason))


def encode_abort(source: int, reason: int) -> bytes:
    """Return the A-ABORT PDU."""
    return _pdu(ABORT, _FOUR.pack(0, 0, source, reason))


RELEASE_RQ_PDU = _pdu(RELEASE_RQ, bytes(4))
RELEASE_RP_PDU = _pdu(RELEASE_RP, bytes(4))


def _proposed(context: ProposedContext) -> bytes:
    syntaxes = b"".join(
        item(_TRANSFER_SYNTAX, uid.encode("ascii")) for uid in context.transfer_syntaxes
    )
    abstract = item(_ABSTRACT_SYNTAX, context.abstract_syntax.encode("ascii"))
    return item(_CONTEXT_RQ, bytes((context.id, 0, 0, 0)) + abstract + syntaxes)


def _answered(context: ContextResult) -> bytes:
    syntax = item(_TRANSFER_SYNTAX, context.transfer_syntax.encode("ascii"))
    return item(_CONTEXT_AC, bytes((context.id, 0, context.result, 0)) + syntax)


def decode_request(body: bytes, limits: Limits = DEFAULT_LIMITS) -> AssociateRequest:
    """Read the body of an A-ASSOCIATE-RQ.

    Of more transfer syntaxes in a context than limit L5 the surplus is dropped but for one, by
    which `negotiate` sees that there were too many.
    """
    head = _head(body)
    contexts: list[ProposedContext] = []
    user = UserInfo()
    application_context = ""
    for kind, value in items_in(body, _ASSOCIATE.size):
        if kind == _CONTEXT_RQ:
            if len(contexts) == limits.contexts:
                raise PeerError(f"more than {limits.contexts} contexts", abort_reason=6)
            contexts.append(_read_proposed(value, limits))
        elif kind == _APPLICATION_CONTEXT:
            application_context = text(value)
        elif kind == _USER_INFORMATION:
            user = decode_user(value, limits)
    _check_ids([context.id for context in contexts])
    return AssociateRequest(
        protocol_version=head[0],
        called_ae=head[1],
        calling_ae=head[2],
        application_context=application_context,
        contexts=tuple(contexts),
        max_pdu=user.max_pdu,
        implementation_class_uid=user.implementation_class_uid,
        implementation_version=user.implementation_version,
        roles=tuple(user.roles),
        async_ops=user.async_ops,
        extended=tuple(user.extended),
        common_extended=tuple(user.common_extended),
        user_identity=user.user_identity,
    )


def decode_accept(body: bytes, limits: Limits = DEFAULT_LIMITS) -> AssociateAccept:
    """Read the body of an A-ASSOCIATE-AC."""
    head = _head(body)
    contexts: list[ContextResult] = []
    user = UserInfo()
    application_context = ""
    for kind, value in items_in(body, _ASSOCIATE.size):
        if kind == _CONTEXT_AC:
            if len(contexts) == limits.contexts:
                raise PeerError(f"more than {limits.contexts} contexts", abort_reason=6)
            contexts.append(_read_answered(value))
        elif kind == _APPLICATION_CONTEXT:
            application_context = text(value)
        elif kind == _USER_INFORMATION:
            user = decode_user(value, limits)
    _check_ids([context.id for context in contexts])
    return AssociateAccept(
        protocol_version=head[0],
        called_ae=head[1],
        calling_ae=head[2],
        application_context=application_context,
        contexts=tuple(contexts),
        max_pdu=user.max_pdu,
        implementation_class_uid=user.implementation_class_uid,
        implementation_version=user.implementation_version,
        roles=tuple(user.roles),
        async_ops=user.async_ops,
        extended=tuple(user.extended),
        user_identity_response=user.user_identity_response,
    )


def decode_reject(body: bytes) -> AssociateReject:
    """Read the body of an A-ASSOCIATE-RJ."""
    _zero, result, source, reason = _four(body)
    return AssociateReject(result, source, reason)


def decode_abort(body: bytes) -> tuple[int, int]:
    """Return source and reason of an A-ABORT."""
    _zero, _zero2, source, reason = _four(body)
    return source, reason


def _four(body: bytes) -> tuple[int, ...]:
    if len(body) != 4:
        raise PeerError("a PDU of fixed length has another one", abort_reason=6)
    return _FOUR.unpack(body)


def _head(body: bytes) -> tuple[int, str, str]:
    if len(body) < _ASSOCIATE.size:
        raise PeerError("an association PDU ends inside its fixed part", abort_reason=6)
    version, _zero, called, calling = _ASSOCIATE.unpack_from(body)
    return version, called.decode("latin-1").strip("\0 "), calling.decode("latin-1").strip("\0 ")


def _check_ids(ids: list[int]) -> None:
    if any(number % 2 == 0 for number in ids):
        raise PeerError("an even presentation context id", abort_reason=6)
    if len(set(ids)) != len(ids):
        raise PeerError("a presentation context id comes twice", abort_reason=6)


def _read_proposed(value: bytes, limits: Limits) -> ProposedContext:
    if len(value) < 4:
        raise PeerError("a presentation context without an id", abort_reason=6)
    abstract_syntax = ""
    syntaxes: list[str] = []
    for kind, name in items_in(value, 4):
        if kind == _ABSTRACT_SYNTAX:
            abstract_syntax = text(name)
        elif kind == _TRANSFER_SYNTAX and len(syntaxes) <= limits.syntaxes_per_context:
            syntaxes.append(text(name))
    return ProposedContext(value[0], abstract_syntax, tuple(syntaxes))


def _read_answered(value: bytes) -> ContextResult:
    if len(value) < 4:
        raise PeerError("a presentation context without an id", abort_reason=6)
    syntax = ""
    for kind, name in items_in(value, 4):
        if kind == _TRANSFER_SYNTAX:
            syntax = text(name)
    return ContextResult(value[0], value[2], syntax if value[2] == 0 else "")
