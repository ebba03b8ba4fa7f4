"""What hooks may say about an object: plain values of its delivery, never the object itself.

Contract: names are the field's own; every value is one that the journal has anyway.  Nothing here
comes from the patient, but UIDs and the sender's title do come from the wire and are untrusted.
"""

from collections.abc import Callable

from waystation.model.delivery import Delivery

EVENT_FIELDS = (
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "TransferSyntaxUID",
    "calling_ae",
    "arrival",
    "received_at",
    "size_bytes",
    "sha256",
)

VALUES: dict[str, Callable[[Delivery], str | int | float]] = {
    "SOPInstanceUID": lambda delivery: delivery.sop_instance_uid,
    "SOPClassUID": lambda delivery: delivery.sop_class_uid,
    "SeriesInstanceUID": lambda delivery: delivery.series_uid,
    "StudyInstanceUID": lambda delivery: delivery.study_uid,
    "TransferSyntaxUID": lambda delivery: delivery.transfer_syntax_uid,
    "calling_ae": lambda delivery: delivery.calling_ae,
    "arrival": lambda delivery: f"{delivery.arrival_id:x}",
    "received_at": lambda delivery: round(delivery.received_at, 3),
    "size_bytes": lambda delivery: delivery.size_bytes,
    "sha256": lambda delivery: delivery.sha256,
}


def values_of(delivery: Delivery, fields: tuple[str, ...]) -> dict[str, str | int | float]:
    """Return the chosen values of one delivery, in the order of ``fields``."""
    return {name: VALUES[name](delivery) for name in fields}
