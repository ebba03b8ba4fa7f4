"""Hard limits on what a peer may send: rows L1 to L8 of the reliability spec, as one value.

A declared length is never allocated in advance, and 0 never means "unlimited".
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one association tolerates.  Sizes are bytes.

    max_pdu: the largest P-DATA-TF that a requestor's proposal is checked against and the usual
        offer of an acceptor; what is enforced is what was really announced (L3).
    send_pdu: no PDU of ours is longer, also where the peer announces no limit (0).
    least_peer_pdu: a peer that announces less (and not 0) is aborted: headers would outweigh data.
    identifier_bytes, service_bytes, references: for the belts that collect such data sets; the
        association itself counts every message against ``max_object``.
    """

    associate_bytes: int = MIB  # L2
    max_pdu: int = 128 * KIB  # L3
    pdvs_per_pdu: int = 128  # L4
    empty_fragments: int = 16  # L4, in a row
    contexts: int = 128  # L5
    syntaxes_per_context: int = 64  # L5
    user_items: int = 1024  # L5
    identity_bytes: int = 32 * KIB  # L5
    command_bytes: int = 64 * KIB  # L7
    command_elements: int = 256  # L7
    max_object: int = 4 * GIB  # L8
    identifier_bytes: int = MIB  # L8
    service_bytes: int = 16 * MIB  # L8
    references: int = 100_000  # L8
    send_pdu: int = 128 * KIB
    least_peer_pdu: int = 128


DEFAULT_LIMITS = Limits()
