"""Telling an SCP of a performed procedure step, without a node: what ``waystation mpps`` does.

Contract: one N-CREATE or N-SET on an association of its own.  Raises `UnreachableError`,
`LostError`; the status of the answer is the caller's to judge.
"""

from waystation.app.asking import SYNTAXES
from waystation.dicom.uids import MPPS
from waystation.matching.entry_data import encoded, recoded
from waystation.model.peer import Remote
from waystation.model.step import Values
from waystation.net.client import Waits
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.negotiate import propose


async def perform(
    remote: Remote, operation: str, sop_instance: str, values: Values, waits: Waits
) -> Answer:
    """Send one message; ``operation``: create or set."""
    call = await QueryCall.open(remote, propose([(MPPS, SYNTAXES)])[0], waits)
    try:
        context = call.context_of(MPPS)
        data = recoded(encoded(values), context.transfer_syntax)
        send = call.create if operation == "create" else call.set
        answer = await send(context, sop_instance, data)
    except BaseException:
        call.abort()
        raise
    await call.release()
    return answer
