"""The same objects on two nodes, in another order, across a crash: the same bytes (D-2, D-48)."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.net.sink import Received, Sink, call_to, store, until_async
from tests.objects.files import Stored
from tests.objects.phi.generate import subjects
from tests.objects.phi.kinds import device_rules
from tests.peers.node import Node, destination
from tests.transforms.deid.midi import PROFILE, SAFE
from waystation.model.peer import Remote

SECRET = bytes(range(32))
SUBJECTS = 2
RULE = '\n[[rule]]\nname = "all"\ndeidentify = "midi"\nsend = ["sink"]\n\n[deidentify.midi]\n'
PROJECT = 'project = { id = "midi" }'
KEYED = 'project = { id = "midi", key = { env = "MIDI_KEY" } }'
FINAL = {"done", "held"}


class Place:
    """A node of its own, and what it sends to."""

    def __init__(self, folder: Path, sink: Sink, stack: ExitStack) -> None:
        folder.mkdir()
        (folder / "site.csv").write_text(SAFE)
        (folder / "devices.toml").write_text(device_rules())
        assert PROJECT in PROFILE
        text = destination("sink", sink.port, ae_title="SINK", extra="only_deidentified = true")
        text += RULE + PROFILE.replace(PROJECT, KEYED)
        self.sink = sink
        self.node = Node(folder, text, environment={"MIDI_KEY": SECRET.hex()}, start=False)
        stack.callback(self.node.close)

    async def start(self) -> None:
        await asyncio.to_thread(self.node.start)

    async def send(self, objects: Sequence[Stored]) -> None:
        """Send objects in this order; each must be accepted."""
        remote = Remote(
            name="node",
            ae_title="WAYSTATION",
            host="127.0.0.1",
            port=self.node.port,
            calling_ae="CT1",
        )
        call = await call_to(remote, objects)
        for one in objects:
            assert (await store(call, one)).status == 0
        await call.release()

    async def states(self) -> dict[str, int]:
        return await asyncio.to_thread(self.node.states)

    async def settled(self, objects: int) -> dict[str, int]:
        """Wait until nothing moves any more; return how many deliveries ended how."""

        async def at_rest() -> bool:
            # Asking is a whole command.
            await asyncio.sleep(0.2)
            states = await self.states()
            return set(states) <= FINAL and sum(states.values()) == objects

        await until_async(at_rest, 60.0)
        return await self.states()

    def came(self) -> dict[str, tuple[str, bytes]]:
        """Return transfer syntax and bytes of each object that arrived; none came as two."""
        found: dict[str, set[Received]] = {}
        for one in self.sink.objects:
            found.setdefault(one.sop_instance, set()).add(one)
        kinds = {
            uid: {(one.transfer_syntax, one.data_set) for one in some}
            for uid, some in found.items()
        }
        assert all(len(some) == 1 for some in kinds.values())
        return {uid: next(iter(some)) for uid, some in kinds.items()}


@pytest.mark.slow
@pytest.mark.req("D-2", "D-26", "D-46", "D-48")
async def test_two_nodes_make_the_same_bytes_in_any_order_and_across_a_crash(
    tmp_path: Path,
) -> None:
    objects = [case.stored for some in subjects(SUBJECTS) for case in some]
    half = len(objects) // 2
    with ExitStack() as stack:
        sinks = Sink(), Sink()
        for sink in sinks:
            await sink.start()
        first, second = (
            Place(tmp_path / name, sink, stack)
            for name, sink in zip(("first", "second"), sinks, strict=True)
        )
        await first.start()
        await first.send(objects)
        await second.start()
        await second.send(objects[half:][::-1])
        second.node.kill()
        await second.start()
        await second.send(objects[:half][::-1])
        ended = await first.settled(len(objects))
        assert ended == await second.settled(len(objects))
        assert ended["done"] > len(objects) // 2
        assert first.came() == second.came()
        assert len(first.came()) == ended["done"]
        assert not set(first.came()) & {one.sop_instance for one in objects}
        for sink in sinks:
            await sink.stop()
