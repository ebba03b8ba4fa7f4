"""A whole object becomes durable: in the journal if it is small, else beside it (decision 0002).

Contract (S-1): returns only behind the awaited commit of the journal and the awaited sync of the
blob; raises `StorageError` otherwise, and then nothing of the object is kept.
"""

import asyncio
from dataclasses import replace
from functools import partial

from waystation.blobs.folder import Draft
from waystation.flows.admitting import Keeping
from waystation.flows.incoming import Incoming
from waystation.flows.strand import Strand
from waystation.journal import arrivals
from waystation.model.arrival import Arrival


async def journaled(
    keeping: Keeping, strand: Strand, incoming: Incoming, arrival: Arrival
) -> tuple[Arrival, bytes | None, int]:
    """Keep one object; return its arrival, its bytes if they ride in the journal, and its record.

    strand: that writes its draft.
    """
    data = incoming.whole() if incoming.fits_inline else None
    if data is not None:
        return arrival, data, await keeping.intake.append(arrivals.meta_of(arrival), data)
    blocks = incoming.last_piece()
    draft = incoming.draft
    assert draft is not None
    name = draft.name
    if name is None:
        name = await strand.run(draft.bind)
    arrival = replace(arrival, blob=name)
    sealed = strand.run(partial(_write_and_seal, draft, blocks))
    logged = keeping.intake.append(arrivals.meta_of(arrival), b"")
    try:
        await sealed
    except Exception:
        await asyncio.wait([logged])
        if logged.exception() is None:
            keeping.intake.settled([logged.result()])
        raise
    lsn = await logged
    incoming.draft = None
    return arrival, None, lsn


def _write_and_seal(draft: Draft, blocks: memoryview) -> None:
    draft.write(blocks)
    draft.seal()
