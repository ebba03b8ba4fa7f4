"""DIMSE commands as values: all of DIMSE-C and DIMSE-N, requests and responses (PS3.7 E.1).

Contract: one frozen class for every command; which of its fields travel is decided by `KINDS`,
and by nothing else.  `message_id` names the operation in both directions: it is the Message ID
of a request and the Message ID Being Responded To of a response and of a C-CANCEL.  In the same
way `sop_class_uid` and `sop_instance_uid` are the Affected or the Requested ones, whichever the
command has.  `command_codec` turns commands into bytes and back.
"""

from dataclasses import dataclass

from waystation.model.values import value

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
C_GET_RQ = 0x0010
C_GET_RSP = 0x8010
C_FIND_RQ = 0x0020
C_FIND_RSP = 0x8020
C_MOVE_RQ = 0x0021
C_MOVE_RSP = 0x8021
C_ECHO_RQ = 0x0030
C_ECHO_RSP = 0x8030
N_EVENT_REPORT_RQ = 0x0100
N_EVENT_REPORT_RSP = 0x8100
N_GET_RQ = 0x0110
N_GET_RSP = 0x8110
N_SET_RQ = 0x0120
N_SET_RSP = 0x8120
N_ACTION_RQ = 0x0130
N_ACTION_RSP = 0x8130
N_CREATE_RQ = 0x0140
N_CREATE_RSP = 0x8140
N_DELETE_RQ = 0x0150
N_DELETE_RSP = 0x8150
C_CANCEL_RQ = 0x0FFF

RESPONSE_BIT = 0x8000

MEDIUM, HIGH, LOW = 0, 1, 2  # Priority (0000,0700)


@value
class Command:
    """One DIMSE command.  Empty text, empty tuple and None mean "absent".

    field: Command Field (0000,0100); one of the constants above, or a number we do not know.
    has_data: a data set follows (decoding); when sending, the association decides.
    offending_elements, attributes: tags as ``group << 16 | element``.
    fault_status, fault_comment: why this command cannot be served although it could be read
        (0211 unknown, 0212 malformed field, C000 UID of a C-STORE); `reply` with them.
    """

    field: int
    message_id: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    has_data: bool = False
    priority: int = MEDIUM
    status: int = 0
    error_comment: str = ""
    offending_elements: tuple[int, ...] = ()
    error_id: int | None = None
    move_destination: str = ""
    move_originator_ae: str = ""
    move_originator_message_id: int | None = None
    remaining: int | None = None  # sub-operations
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    event_type_id: int | None = None
    action_type_id: int | None = None
    attributes: tuple[int, ...] = ()  # Attribute Identifier List of an N-GET
    fault_status: int = 0
    fault_comment: str = ""

    @property
    def known(self) -> bool:
        return self.field in KINDS

    @property
    def is_response(self) -> bool:
        return self.field & RESPONSE_BIT != 0

    @property
    def name(self) -> str:
        """``C-STORE-RQ``, or ``command 1234H`` if we do not know it."""
        kind = KINDS.get(self.field)
        return kind.name if kind else f"command {self.field:04X}H"


def reply(request: Command, status: int = 0, error_comment: str = "") -> Command:
    """Return the plain response to ``request``; `dataclasses.replace` adds what else it needs."""
    return Command(
        field=request.field | RESPONSE_BIT,
        message_id=request.message_id,
        sop_class_uid=request.sop_class_uid,
        sop_instance_uid=request.sop_instance_uid,
        status=status,
        error_comment=error_comment[:64],
        event_type_id=request.event_type_id,
        action_type_id=request.action_type_id,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One element of group 0000: its number, its VR and the field of `Command` that holds it."""

    element: int
    vr: str
    attribute: str


AFFECTED_CLASS = Row(0x0002, "UI", "sop_class_uid")
REQUESTED_CLASS = Row(0x0003, "UI", "sop_class_uid")
COMMAND_FIELD = Row(0x0100, "US", "field")
MESSAGE_ID = Row(0x0110, "US", "message_id")
RESPONDED_TO = Row(0x0120, "US", "message_id")
MOVE_DESTINATION = Row(0x0600, "AE", "move_destination")
PRIORITY = Row(0x0700, "US", "priority")
DATA_SET_TYPE = Row(0x0800, "US", "data_set_type")
STATUS = Row(0x0900, "US", "status")
OFFENDING = Row(0x0901, "AT", "offending_elements")
COMMENT = Row(0x0902, "LO", "error_comment")
ERROR_ID = Row(0x0903, "US", "error_id")
AFFECTED_INSTANCE = Row(0x1000, "UI", "sop_instance_uid")
REQUESTED_INSTANCE = Row(0x1001, "UI", "sop_instance_uid")
EVENT_TYPE = Row(0x1002, "US", "event_type_id")
ATTRIBUTES = Row(0x1005, "AT", "attributes")
ACTION_TYPE = Row(0x1008, "US", "action_type_id")
REMAINING = Row(0x1020, "US", "remaining")
COMPLETED = Row(0x1021, "US", "completed")
FAILED = Row(0x1022, "US", "failed")
WARNING = Row(0x1023, "US", "warning")
MOVE_ORIGINATOR = Row(0x1030, "AE", "move_originator_ae")
MOVE_ORIGINATOR_ID = Row(0x1031, "US", "move_originator_message_id")


@dataclass(frozen=True, slots=True)
class Kind:
    """A command: its name and its elements, required ones and optional ones.

    Command Group Length, Command Field and Command Data Set Type belong to all.
    """

    name: str
    required: tuple[Row, ...]
    optional: tuple[Row, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(sorted(self.required + self.optional, key=lambda row: row.element))


_ERROR = (OFFENDING, COMMENT, ERROR_ID)
_COUNTS = (REMAINING, COMPLETED, FAILED, WARNING)
_ANSWER = (RESPONDED_TO, STATUS)
_AFFECTED = (AFFECTED_CLASS, AFFECTED_INSTANCE)
_REQUESTED = (REQUESTED_CLASS, REQUESTED_INSTANCE)
_QUERY = (AFFECTED_CLASS, MESSAGE_ID, PRIORITY)

KINDS: dict[int, Kind] = {
    C_STORE_RQ: Kind(
        "C-STORE-RQ", (*_AFFECTED, MESSAGE_ID, PRIORITY), (MOVE_ORIGINATOR, MOVE_ORIGINATOR_ID)
    ),
    C_STORE_RSP: Kind("C-STORE-RSP", _ANSWER, (*_AFFECTED, *_ERROR)),
    C_FIND_RQ: Kind("C-FIND-RQ", _QUERY),
    C_FIND_RSP: Kind("C-FIND-RSP", _ANSWER, (AFFECTED_CLASS, *_ERROR)),
    C_GET_RQ: Kind("C-GET-RQ", _QUERY),
    C_GET_RSP: Kind("C-GET-RSP", _ANSWER, (AFFECTED_CLASS, *_COUNTS, *_ERROR)),
    C_MOVE_RQ: Kind("C-MOVE-RQ", (*_QUERY, MOVE_DESTINATION)),
    C_MOVE_RSP: Kind("C-MOVE-RSP", _ANSWER, (AFFECTED_CLASS, *_COUNTS, *_ERROR)),
    C_ECHO_RQ: Kind("C-ECHO-RQ", (AFFECTED_CLASS, MESSAGE_ID)),
    C_ECHO_RSP: Kind("C-ECHO-RSP", _ANSWER, (AFFECTED_CLASS, *_ERROR)),
    C_CANCEL_RQ: Kind("C-CANCEL-RQ", (RESPONDED_TO,)),
    N_EVENT_REPORT_RQ: Kind("N-EVENT-REPORT-RQ", (*_AFFECTED, MESSAGE_ID, EVENT_TYPE)),
    N_EVENT_REPORT_RSP: Kind("N-EVENT-REPORT-RSP", _ANSWER, (*_AFFECTED, EVENT_TYPE, *_ERROR)),
    N_GET_RQ: Kind("N-GET-RQ", (*_REQUESTED, MESSAGE_ID), (ATTRIBUTES,)),
    N_GET_RSP: Kind("N-GET-RSP", _ANSWER, (*_AFFECTED, *_ERROR, ATTRIBUTES)),
    N_SET_RQ: Kind("N-SET-RQ", (*_REQUESTED, MESSAGE_ID)),
    N_SET_RSP: Kind("N-SET-RSP", _ANSWER, (*_AFFECTED, *_ERROR, ATTRIBUTES)),
    N_ACTION_RQ: Kind("N-ACTION-RQ", (*_REQUESTED, MESSAGE_ID, ACTION_TYPE)),
    N_ACTION_RSP: Kind("N-ACTION-RSP", _ANSWER, (*_AFFECTED, ACTION_TYPE, *_ERROR)),
    N_CREATE_RQ: Kind("N-CREATE-RQ", (AFFECTED_CLASS, MESSAGE_ID), (AFFECTED_INSTANCE,)),
    N_CREATE_RSP: Kind("N-CREATE-RSP", _ANSWER, (*_AFFECTED, *_ERROR, ATTRIBUTES)),
    N_DELETE_RQ: Kind("N-DELETE-RQ", (*_REQUESTED, MESSAGE_ID)),
    N_DELETE_RSP: Kind("N-DELETE-RSP", _ANSWER, (*_AFFECTED, *_ERROR)),
}
