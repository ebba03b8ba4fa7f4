"""What an answer, or the lack of one, means for a delivery: rows O1 to O9 of the policy table.

Contract (S-21, `docs/spec/routing.md` section 7): a listed status has its row; **every** status
that is not listed charges the object, and none of them is success.  Nothing here decides when
to try again; that is `retry` for the delivery and `lane` for the destination.
"""

import re

from waystation.model.errors import UnreachableError
from waystation.model.outcome import Deferred, Delivered, Fault

SUCCESS = 0x0000
# Attribute list error, attribute out of range and value out of range come with the object kept;
# duplicate SOP instance (0111H) says that it is there already.
WARNINGS = {0x0001, 0x0107, 0x0116, 0x0111}
PROTOCOL = {0x0210, 0x0211, 0x0212}
# 0214H stands for "not authorized" in PS3.2; PS3.7 has 0124H.
NOT_AUTHORISED = {0x0124, 0x0214}

REJECTED_PERMANENT = 1


_COMMENTED = re.compile(r"status ([0-9A-F]{4}) .*", re.DOTALL)


def is_warning(status: int) -> bool:
    """Return whether the receiver kept the object although something was odd."""
    return status in WARNINGS or status & 0xF000 == 0xB000


def fault_of(status: int) -> Fault:
    """Return who is to blame for a status that is neither success nor warning."""
    if status & 0xFF00 == 0xA700:
        return Fault.TRANSIENT
    if status in PROTOCOL:
        return Fault.PROTOCOL
    if status in NOT_AUTHORISED:
        return Fault.PEER
    return Fault.OBJECT


def classify_status(
    status: int, comment: str = "", *, retry_on_warning: bool = False
) -> Delivered | Deferred:
    """Return what a C-STORE response means (O1 to O3, O5 to O7)."""
    if status == SUCCESS or (is_warning(status) and not retry_on_warning):
        return Delivered(status=status, comment=comment)
    fault = Fault.OBJECT if is_warning(status) else fault_of(status)
    why = f"status {status:04X}" + (f" {comment}" if comment else "")
    return Deferred(fault=fault, why=why, status=status, connected=True)


def classify_reject(result: int, why: str) -> Deferred:
    """Return what an A-ASSOCIATE-RJ means (PS3.8 section 9.3.4); ``result`` 1 is permanent."""
    fault = Fault.PEER if result == REJECTED_PERMANENT else Fault.TRANSIENT
    return Deferred(fault=fault, why=why)


def classify_unreachable(error: UnreachableError) -> Deferred:
    """Return what it means that no association came about."""
    fault = Fault.PEER if error.permanent else Fault.TRANSIENT
    return Deferred(fault=fault, why=str(error))


def classify_silence(why: str) -> Deferred:
    """Return what a time-out, abort or reset after sending began means (O4)."""
    return Deferred(fault=Fault.UNKNOWN, why=why, connected=True)


def without_comment(why: str) -> str:
    """Return why something failed without what the receiver wrote about it, which may name a
    patient (S-68).
    """
    return _COMMENTED.sub(r"status \1", why)
