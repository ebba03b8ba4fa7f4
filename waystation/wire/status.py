"""DIMSE status codes, A-ASSOCIATE-RJ triples and A-ABORT pairs in plain words.

Contract: every code has a category and a text; a code the Standard does not list is a failure
unless its range says otherwise, never a success (PS3.7 annex C, PS3.4 annexes B, C, K, PS3.8 9.3).
"""

from enum import Enum


class Category(Enum):
    """What a status means for the operation it answers."""

    SUCCESS = "success"
    PENDING = "pending"
    CANCEL = "cancel"
    WARNING = "warning"
    FAILURE = "failure"


SUCCESS = 0x0000
PENDING = 0xFF00
PENDING_KEYS_UNSUPPORTED = 0xFF01
CANCELLED = 0xFE00
OUT_OF_RESOURCES = 0xA700
DATA_SET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
NOT_VALID = 0xC001
PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORISED = 0x0124
DUPLICATE_INVOCATION = 0x0210
UNRECOGNISED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212

_PENDING = {PENDING, PENDING_KEYS_UNSUPPORTED}
_WARNINGS = {0x0001, 0x0107, 0x0116}

NAMES: dict[int, str] = {
    0x0000: "success",
    0x0001: "requested optional attributes are not supported",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0107: "attribute list error",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such object instance",
    0x0113: "no such event type",
    0x0114: "no such argument",
    0x0115: "invalid argument value",
    0x0116: "attribute value out of range",
    0x0117: "invalid object instance",
    0x0118: "no such SOP class",
    0x0119: "class and instance conflict",
    0x0120: "missing attribute",
    0x0121: "missing attribute value",
    0x0122: "SOP class not supported",
    0x0123: "no such action",
    0x0124: "not authorised",
    0x0131: "transaction UID not recognised",
    0x0210: "duplicate invocation: message id in use",
    0x0211: "unrecognised operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0x0214: "not authorised (as PS3.2 prints it)",
    0xA700: "out of resources",
    0xA701: "out of resources: cannot count matches",
    0xA702: "out of resources: cannot perform sub-operations",
    0xA801: "move destination unknown",
    0xA900: "data set does not match SOP class",
    0xB000: "coercion of data elements, or sub-operations with failures",
    0xB006: "elements discarded",
    0xB007: "data set does not match SOP class, stored nevertheless",
    0xC000: "cannot understand",
    0xC001: "rejected by validation",
    0xFE00: "cancelled",
    0xFF00: "pending",
    0xFF01: "pending, optional keys not supported",
}


def category(status: int) -> Category:
    """Return what ``status`` means; unlisted codes are failures outside the warning range B."""
    if status == SUCCESS:
        return Category.SUCCESS
    if status in _PENDING:
        return Category.PENDING
    if status == CANCELLED:
        return Category.CANCEL
    if status in _WARNINGS or status >> 12 == 0xB:
        return Category.WARNING
    return Category.FAILURE


def status_text(status: int) -> str:
    """Return ``A700 out of resources``: the code and its meaning in plain words."""
    known = NAMES.get(status)
    if known is None:
        known = {
            0xA7: "out of resources",
            0xA9: "data set does not match SOP class",
        }.get(status >> 8)
    if known is None:
        known = {0xB: "warning", 0xC: "cannot understand"}.get(status >> 12, "unlisted failure")
    return f"{status:04X} {known}"


_RESULTS = {1: "rejected for good", 2: "rejected for now"}
_SOURCES = {
    1: "by the application",
    2: "by the upper layer (association control)",
    3: "by the upper layer (presentation)",
}
_REASONS: dict[tuple[int, int], str] = {
    (1, 1): "no reason given",
    (1, 2): "application context not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}


def reject_text(result: int, source: int, reason: int) -> str:
    """Return an A-ASSOCIATE-RJ triple in plain words, the numbers included."""
    words = (
        _RESULTS.get(result, "rejected"),
        _SOURCES.get(source, "by an unknown source"),
        _REASONS.get((source, reason), "reserved reason"),
    )
    return f"{' '.join(words[:2])}: {words[2]} ({result}/{source}/{reason})"


_ABORT_REASONS = {
    0: "no reason given",
    1: "unrecognised PDU",
    2: "unexpected PDU",
    4: "unrecognised PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}


def abort_text(source: int, reason: int) -> str:
    """Return an A-ABORT pair in plain words.  The reason counts only for source 2."""
    if source == 0:
        return f"aborted by the application ({source}/{reason})"
    if source == 2:
        words = _ABORT_REASONS.get(reason, "reserved reason")
        return f"aborted by the upper layer: {words} ({source}/{reason})"
    return f"aborted by an unknown source ({source}/{reason})"
