"""Questions to the archive: beyond what dcmqrscp can hold (TT-3), and such as nobody would ask
(TT-12).
"""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from tests.flows.asking import STUDY, Taken, identifier, open_call, study_of
from tests.matching.test_identifier import generated
from tests.net.sink import store
from tests.objects.files import Stored
from tests.objects.huge import make_multiframe
from tests.objects.samples import study
from tests.objects.study import uid_of
from tests.peers.node import Node
from tests.torture.books import Row
from waystation.dicom.uids import EXPLICIT_VR_LE, STUDY_ROOT_FIND, STUDY_ROOT_GET
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.query_call import QueryCall

CONFIG = "[archive]\nenabled = true\n"
PATIENT_ID, INSTANCES = 0x00100020, 0x00201208
MULTIFRAME = "1.2.840.10008.5.1.4.1.1.7.2"
# What an identifier may be answered with: matches, none, or what the Standard has for bad ones.
ENDS = {0x0000, 0xA700, 0xA900}
STORED_AT_ONCE = 400
# A gigabyte is compared with its digest before the first byte leaves.
PATIENT = Waits(connect_s=5.0, associate_s=5.0, response_s=120.0, release_s=5.0)


def beyond_ceilings(
    folder: Path, *, seed: int, studies: int = 600, instances: int = 12_000, big_mib: int = 1229
) -> Row:
    """More studies and instances than dcmqrscp takes, one of them bigger: all found and fetched."""
    row = Row(row="TT-3", runs=studies + 1, attempted=instances + 1)
    folder.mkdir(parents=True, exist_ok=True)
    big = folder / "big.dcm"
    make_multiframe(big, big_mib << 20, seed=f"big {seed}")
    per = instances // studies
    everything = [study(per, seed=f"{seed} {number}") for number in range(studies)]
    with Node(folder / "node", CONFIG) as node:
        target = f"WAYSTATION@127.0.0.1:{node.port}"
        sent = node.command("send", target, str(big))
        if sent.returncode:
            row.faults.append(f"the big object was not taken: {sent.stderr[-200:]}")
        asyncio.run(_stored(_remote(node), everything))
        asyncio.run(_all_there(_remote(node), everything, uid_of(f"big {seed}", "study"), row))
        size = sum(path.stat().st_size for path in (node.data / "blobs").rglob("*"))
        if size < big.stat().st_size:
            row.faults.append("the big object is not whole")
    return row


def _remote(node: Node) -> Remote:
    return Remote(
        name="node",
        ae_title="WAYSTATION",
        host="127.0.0.1",
        port=node.port,
        calling_ae="ASKER",
    )


async def _stored(remote: Remote, everything: Sequence[Sequence[Stored]]) -> None:
    flat = [one for each in everything for one in each]
    pair = [(flat[0].sop_class, [flat[0].transfer_syntax])]
    for at in range(0, len(flat), STORED_AT_ONCE):
        call = await open_call(remote, STUDY_ROOT_FIND, storage=pair)
        for one in flat[at : at + STORED_AT_ONCE]:
            assert (await store(call, one)).status == 0
        await call.release()


async def _all_there(
    remote: Remote, everything: Sequence[Sequence[Stored]], big: str, row: Row
) -> None:
    finding = await open_call(remote, STUDY_ROOT_FIND, waits=PATIENT)
    context = finding.context_of(STUDY_ROOT_FIND)
    asked = identifier("STUDY", {STUDY: "", INSTANCES: ""})
    found = [one async for one in finding.find(context, asked)]
    await finding.release()
    if len(found) - 1 != len(everything) + 1:
        row.faults.append(f"{len(found) - 1} of {len(everything) + 1} studies were found")
    first = everything[0][0]
    pairs = [(first.sop_class, [first.transfer_syntax]), (MULTIFRAME, [EXPLICIT_VR_LE])]
    call = await open_call(remote, STUDY_ROOT_GET, storage=pairs, waits=PATIENT)
    for each in everything:
        taken = await _fetched(call, study_of(each[0]))
        wanted = {hashlib.sha256(one.data_set).digest() for one in each}
        same = {hashlib.sha256(one.data_set).digest() for one in taken.objects} == wanted
        row.delivered += len(taken.objects)
        row.lost += not same
    (whole,) = (await _fetched(call, big)).objects
    row.delivered += len(whole.data_set) > 0
    await call.release()
    if row.lost or row.delivered != row.attempted:
        row.faults.append(f"{row.delivered} of {row.attempted} came, {row.lost} studies differ")


async def _fetched(call: QueryCall, uid: str) -> Taken:
    taken = Taken()
    call.attendant = taken
    context = call.context_of(STUDY_ROOT_GET)
    async for _ in call.get(context, identifier("STUDY", {STUDY: uid})):
        pass
    return taken


def any_identifier(folder: Path, *, seed: int, identifiers: int = 100_000) -> Row:
    """Any identifier is answered or refused; the node lives, and the next query is right."""
    row = Row(row="TT-12", runs=identifiers)
    some = study(3, seed=f"fuzz {seed}")
    with Node(folder / "node", CONFIG) as node:
        pid = node.pid
        asyncio.run(_stored(_remote(node), [some]))
        asyncio.run(
            _fuzzed(_remote(node), random.Random(seed), identifiers, study_of(some[0]), row)
        )
        if node.pid != pid:
            row.faults.append("the node is another process")
    if not row.acked or not row.allowed:
        row.faults.append("no identifier was answered, or none refused: it proves nothing")
    return row


async def _fuzzed(
    remote: Remote, chance: random.Random, identifiers: int, uid: str, row: Row
) -> None:
    call = await open_call(remote, STUDY_ROOT_FIND)
    context = call.context_of(STUDY_ROOT_FIND)
    for number in range(identifiers):
        data = generated(chance, 3, EXPLICIT_VR_LE) or identifier("STUDY", {})
        answers = [one.status async for one in call.find(context, data)]
        row.attempted += 1
        row.acked += answers[-1] == 0
        row.allowed += answers[-1] in ENDS - {0}
        if answers[-1] not in ENDS:
            row.faults.append(f"identifier {number} ended with {answers[-1]:04X}")
        if number % 100 == 0:
            right = identifier("STUDY", {STUDY: uid, INSTANCES: ""})
            found = [one async for one in call.find(context, right)]
            row.lost += len(found) != 2
    await call.release()
    if row.lost:
        row.faults.append(f"{row.lost} right queries were answered wrongly")
