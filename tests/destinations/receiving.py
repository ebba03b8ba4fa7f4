"""Sending to a scripted receiver under a policy, and what became of each object."""

from collections.abc import Sequence

from tests.destinations.making import Hold, load_of
from tests.net.sink import PATIENT
from tests.objects.files import Stored
from tests.peers.program import HOST
from tests.peers.pynetdicom_scp import ScriptedScp
from waystation.codecs.pool import CodecPool
from waystation.destinations.dicom import DicomDestination, DicomSettings
from waystation.model.delivery import Delivery
from waystation.model.outcome import Outcome
from waystation.model.peer import Remote

Results = dict[str, Outcome]


def towards(scp: ScriptedScp, policy: str, codecs: CodecPool | None = None) -> DicomDestination:
    """Return a destination that sends to the receiver under a policy."""
    remote = Remote(name="scp", ae_title="PYNETDICOM", host=HOST, port=scp.port, calling_ae="WS")
    settings = DicomSettings(remote=remote, waits=PATIENT, linger_s=2.0, transcode=policy)
    return DicomDestination("x", settings, None, codecs)


async def sent(
    way: DicomDestination, objects: Sequence[Stored], *, in_pieces: bool = False
) -> Results:
    """Send the objects as one batch; return SOP Instance UID → outcome."""
    batch, cargo = load_of(objects)
    cargo.in_pieces = in_pieces
    return await outcomes(way, batch, cargo)


async def outcomes(way: DicomDestination, batch: Sequence[Delivery], cargo: Hold) -> Results:
    return {one.sop_instance_uid: outcome async for one, outcome in way.send(batch, cargo)}
