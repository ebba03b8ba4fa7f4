"""The data sets of Storage Commitment (PS3.4 J.3.2, J.3.3): request in, report out.  Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from waystation.dicom.compose import Elements, compose
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import is_uid
from waystation.journal.commitments import Failure, Reference

TRANSACTION_UID, REFERENCED, FAILED = 0x00081195, 0x00081199, 0x00081198
SOP_CLASS, SOP_INSTANCE, REASON = 0x00081150, 0x00081155, 0x00081197
RETRIEVE_AE = 0x00080054
ALL_SAFE, SOME_FAILED = 1, 2  # event types


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    transaction_uid: str
    objects: tuple[Reference, ...]


def read_request(data: bytes, transfer_syntax_uid: str) -> Request | str:
    """Return the request, or in words why it is none."""
    try:
        head = Head.from_bytes(data, transfer_syntax_uid)
        transaction_uid = head.text(TRANSACTION_UID)
        found = [(item.text(SOP_CLASS), item.text(SOP_INSTANCE)) for item in head.items(REFERENCED)]
    except DatasetError:
        return "the action information cannot be read"
    if not is_uid(transaction_uid):
        return "no Transaction UID"
    if not found:
        return "no Referenced SOP Sequence"
    if not all(is_uid(sop_class) and is_uid(instance) for sop_class, instance in found):
        return "a reference without class or instance"
    return Request(transaction_uid, tuple(dict.fromkeys(found)))


def write_request(
    transaction_uid: str, objects: Sequence[Reference], transfer_syntax_uid: str
) -> bytes:
    """Return the action information of a request of our own."""
    return compose(
        {
            TRANSACTION_UID: ("UI", transaction_uid),
            REFERENCED: ("SQ", [_reference(*one) for one in objects]),
        },
        transfer_syntax_uid,
    )


def write_report(
    transaction_uid: str,
    objects: Sequence[Reference],
    failures: Sequence[Failure],
    retrieve_ae: str,
    transfer_syntax_uid: str,
) -> tuple[int, bytes]:
    """Return event type and event information: what is safe, and what is not with its reason."""
    failed = {(sop_class, uid) for sop_class, uid, _ in failures}
    safe = [one for one in objects if one not in failed]
    elements: dict[int, tuple[str, str | list[Elements]]] = {
        RETRIEVE_AE: ("AE", retrieve_ae),
        TRANSACTION_UID: ("UI", transaction_uid),
    }
    if safe:
        elements[REFERENCED] = ("SQ", [_reference(*one) for one in safe])
    if failures:
        elements[FAILED] = (
            "SQ",
            [
                {**_reference(sop_class, uid), REASON: ("US", reason.to_bytes(2, "little"))}
                for sop_class, uid, reason in failures
            ],
        )
    return SOME_FAILED if failures else ALL_SAFE, compose(elements, transfer_syntax_uid)


def _reference(sop_class: str, sop_instance: str) -> Elements:
    return {SOP_CLASS: ("UI", sop_class), SOP_INSTANCE: ("UI", sop_instance)}


@dataclass(frozen=True, slots=True)
class Report:
    """What an event report says."""

    transaction_uid: str
    safe: tuple[Reference, ...]
    failures: tuple[Failure, ...]


def read_report(data: bytes, transfer_syntax_uid: str) -> Report:
    """Return what a report says.  Raises `DatasetError` if it cannot be read."""
    head = Head.from_bytes(data, transfer_syntax_uid)
    safe = tuple((item.text(SOP_CLASS), item.text(SOP_INSTANCE)) for item in head.items(REFERENCED))
    failures = tuple(
        (
            item.text(SOP_CLASS),
            item.text(SOP_INSTANCE),
            int.from_bytes((item.raw(REASON) or b"\0\0")[:2], "little"),
        )
        for item in head.items(FAILED)
    )
    return Report(head.text(TRANSACTION_UID), safe, failures)
