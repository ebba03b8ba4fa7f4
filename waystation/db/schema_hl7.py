"""HL7 messages as they came, with what they did; and what they said, so that order does not matter.

``hl7_order.said`` and ``hl7_patient.said`` are JSON of `waystation.hl7.registers`: each value with
the instant (MSH-7) it was sent at, so that an older message never overwrites a newer one (T-60).
"""

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, Table, Text

from waystation.db.schema_base import Identity, metadata

hl7_message = Table(
    "hl7_message",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    # Sending application and facility, and MSH-10: what names a message.
    Column("sender", Text, nullable=False),
    Column("control_id", Text, nullable=False),
    # Of all but MSH-7, to tell a repetition from another message under the same id.
    Column("digest", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("received_at", Double, nullable=False),
    # AA, AE or AR
    Column("code", Text, nullable=False),
    Column("why", Text, nullable=False),
    # JSON: what it changed, a sentence for each.
    Column("effects", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("message", LargeBinary, nullable=False),
)
Index("hl7_message_by_name", hl7_message.c.sender, hl7_message.c.control_id)
Index("hl7_message_by_code", hl7_message.c.code, hl7_message.c.id)
Index("hl7_message_by_age", hl7_message.c.received_at)

hl7_order = Table(
    "hl7_order",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    # Whose order it is now.
    Column("patient", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("changed_at", Double, nullable=False),
)
Index("hl7_order_by_patient", hl7_order.c.patient)
Index("hl7_order_by_age", hl7_order.c.changed_at)

hl7_order_key = Table(
    "hl7_order_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("hl7_order", BigInteger, nullable=False),
)
Index("hl7_key_of_order", hl7_order_key.c.hl7_order)

hl7_patient = Table(
    "hl7_patient",
    metadata,
    Column("key", Text, primary_key=True),
    Column("said", Text, nullable=False),
    Column("changed_at", Double, nullable=False),
)
Index("hl7_patient_by_age", hl7_patient.c.changed_at)
