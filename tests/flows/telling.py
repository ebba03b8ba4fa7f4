"""Arrivals and deliveries for whoever only listens to what belts tell."""

from dataclasses import replace

from tests.journal.making import arrival
from waystation.flows.witness import Attempt
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery


def arrival_from(peer: str, number: int = 0xA7F3C1, *, size_bytes: int = 100) -> Arrival:
    made = arrival(number)
    return replace(made, source=replace(made.source, peer=peer), size_bytes=size_bytes)


def delivery_to(destination: str, number: int = 0xA7F3C1, **fields: object) -> Delivery:
    values: dict[str, object] = {
        "id": number + 1,
        "arrival_id": number,
        "destination": destination,
        "study_uid": "1.2.3",
        "series_uid": "1.2.3.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance_uid": "1.2.3.1.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "calling_ae": "CT1",
        "blob": "",
        "size_bytes": 100,
        "sha256": "00" * 32,
        "received_at": 1_800_000_000.0,
        "created_at": 1_800_000_000.0,
    }
    return Delivery(**values | fields)  # type: ignore[arg-type]


def attempt_at(
    delivery: Delivery,
    word: str,
    fault: str = "",
    status: int | None = None,
    why: str = "",
    *,
    wait_s: float = 0.0,
    send_s: float = 0.0,
) -> Attempt:
    """Return how an attempt ended; fault: the word itself unless it is said."""
    return Attempt(
        delivery=delivery,
        word=word,
        fault=fault or word,
        status=status,
        why=why,
        wait_s=wait_s,
        send_s=send_s,
    )
