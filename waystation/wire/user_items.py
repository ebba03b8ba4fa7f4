"""The User Information item and its sub-items as bytes (PS3.8 D.1, PS3.7 D.3.3).

Contract: `encode_user` and `decode_user` are each other's inverse for what we know; unknown
sub-items are skipped, as the Standard asks.  Reading gives `PeerError` (abort 2/6) for anything
that does not fill its frame exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

from waystation.model.errors import MisuseError, PeerError
from waystation.wire.items import CommonExtended, Extended, Role, UserIdentity
from waystation.wire.limits import Limits

MAX_LENGTH = 0x51
IMPLEMENTATION_CLASS = 0x52
ASYNC_OPS = 0x53
ROLE = 0x54
IMPLEMENTATION_VERSION = 0x55
EXTENDED = 0x56
COMMON_EXTENDED = 0x57
USER_IDENTITY_RQ = 0x58
USER_IDENTITY_AC = 0x59

ITEM = Struct(">BxH")
_U32 = Struct(">I")
_U16 = Struct(">H")
_TWO_U16 = Struct(">HH")
_IDENTITY = Struct(">BB")


@dataclass(slots=True)
class UserInfo:
    """All user information of one request or accept."""

    max_pdu: int = 0
    implementation_class_uid: str = ""
    implementation_version: str = ""
    async_ops: tuple[int, int] | None = None
    roles: list[Role] = field(default_factory=list)
    extended: list[Extended] = field(default_factory=list)
    common_extended: list[CommonExtended] = field(default_factory=list)
    user_identity: UserIdentity | None = None
    user_identity_response: bytes | None = None


def text(data: bytes) -> str:
    """A UID or name without its padding."""
    return data.decode("latin-1").rstrip("\0 ")


def item(kind: int, data: bytes) -> bytes:
    """One item or sub-item; its length field has 16 bits."""
    if len(data) > 0xFFFF:
        raise MisuseError(f"item {kind:02X}H of {len(data)} bytes")
    return ITEM.pack(kind, len(data)) + data


def items_in(data: bytes, position: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield ``(type, value)`` of the items that fill ``data`` from ``position`` exactly."""
    size = len(data)
    while position < size:
        if size - position < ITEM.size:
            raise PeerError("items end inside a header", abort_reason=6)
        kind, length = ITEM.unpack_from(data, position)
        position += ITEM.size
        if length > size - position:
            raise PeerError(f"item {kind:02X}H is longer than its frame", abort_reason=6)
        yield kind, data[position : position + length]
        position += length


def _prefixed(value: bytes) -> bytes:
    return _U16.pack(len(value)) + value


def _split(data: bytes, position: int = 0) -> tuple[bytes, int]:
    """Read a value behind its 16-bit length; return it and the position after it."""
    if len(data) - position < 2:
        raise PeerError("a sub-item ends inside a length", abort_reason=6)
    end = position + 2 + _U16.unpack_from(data, position)[0]
    if end > len(data):
        raise PeerError("a value is longer than its sub-item", abort_reason=6)
    return data[position + 2 : end], end


def encode_user(info: UserInfo) -> bytes:
    """Return the sub-items in the order of their numbers."""
    parts = [item(MAX_LENGTH, _U32.pack(info.max_pdu))]
    parts.append(item(IMPLEMENTATION_CLASS, info.implementation_class_uid.encode("ascii")))
    if info.async_ops is not None:
        parts.append(item(ASYNC_OPS, _TWO_U16.pack(*info.async_ops)))
    for role in info.roles:
        uid = _prefixed(role.sop_class.encode("ascii"))
        parts.append(item(ROLE, uid + bytes((role.scu, role.scp))))
    if info.implementation_version:
        parts.append(item(IMPLEMENTATION_VERSION, info.implementation_version.encode("ascii")))
    for extended in info.extended:
        uid = _prefixed(extended.sop_class.encode("ascii"))
        parts.append(item(EXTENDED, uid + extended.info))
    for common in info.common_extended:
        related = b"".join(_prefixed(uid.encode("ascii")) for uid in common.related)
        names = (common.sop_class.encode("ascii"), common.service_class.encode("ascii"), related)
        parts.append(item(COMMON_EXTENDED, b"".join(map(_prefixed, names))))
    identity = info.user_identity
    if identity is not None:
        head = _IDENTITY.pack(identity.type, identity.response_requested)
        secrets = _prefixed(identity.primary) + _prefixed(identity.secondary)
        parts.append(item(USER_IDENTITY_RQ, head + secrets))
    if info.user_identity_response is not None:
        parts.append(item(USER_IDENTITY_AC, _prefixed(info.user_identity_response)))
    return b"".join(parts)


def decode_user(data: bytes, limits: Limits) -> UserInfo:
    """Return what the sub-items say.  A repeated single sub-item counts the last time."""
    info = UserInfo()
    for count, (kind, value) in enumerate(items_in(data), 1):
        if count > limits.user_items:
            raise PeerError(f"more than {limits.user_items} user items", abort_reason=6)
        _take(info, kind, value)
    return info


def _take(info: UserInfo, kind: int, value: bytes) -> None:
    match kind:
        case 0x51:
            info.max_pdu = _fixed(_U32, value)[0]
        case 0x52:
            info.implementation_class_uid = text(value)
        case 0x53:
            invoked, performed = _fixed(_TWO_U16, value)
            info.async_ops = (invoked, performed)
        case 0x54:
            info.roles.append(_role(value))
        case 0x55:
            info.implementation_version = text(value)
        case 0x56:
            uid, end = _split(value)
            info.extended.append(Extended(text(uid), value[end:]))
        case 0x57:
            info.common_extended.append(_common(value))
        case 0x58:
            info.user_identity = _identity(value)
        case 0x59:
            info.user_identity_response = _whole(value)


def _fixed(layout: Struct, value: bytes) -> tuple[int, ...]:
    if len(value) != layout.size:
        raise PeerError("a sub-item has the wrong length", abort_reason=6)
    return layout.unpack(value)


def _whole(value: bytes, position: int = 0) -> bytes:
    data, end = _split(value, position)
    if end != len(value):
        raise PeerError("bytes behind the end of a sub-item", abort_reason=6)
    return data


def _role(value: bytes) -> Role:
    uid, end = _split(value)
    if len(value) - end != 2:
        raise PeerError("a role sub-item has the wrong length", abort_reason=6)
    return Role(text(uid), value[end] == 1, value[end + 1] == 1)


def _common(value: bytes) -> CommonExtended:
    sop_class, end = _split(value)
    service_class, end = _split(value, end)
    # Some later version may add fields at the end; the Standard asks to ignore them.
    names, _end = _split(value, end)
    related = []
    position = 0
    while position < len(names):
        name, position = _split(names, position)
        related.append(text(name))
    return CommonExtended(text(sop_class), text(service_class), tuple(related))


def _identity(value: bytes) -> UserIdentity:
    if len(value) < _IDENTITY.size:
        raise PeerError("a user identity without a type", abort_reason=6)
    kind, response = _IDENTITY.unpack_from(value)
    primary, end = _split(value, _IDENTITY.size)
    return UserIdentity(kind, primary, _whole(value, end), response == 1)
