"""Lanes: fan-out, order, associations, and what each answer of a receiver leads to."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import pytest

from tests.flows.rig import BIG, CT, TINY, TO_A, Rig, destination, rule
from tests.net.sink import ABORT, CUT, SILENT, Answer, Sink, until
from tests.objects.files import Stored
from tests.objects.samples import study
from tests.objects.study import uid_of
from waystation.destinations.base import Cargo
from waystation.destinations.dicom import DicomDestination
from waystation.model.delivery import Delivery
from waystation.model.outcome import Outcome
from waystation.net.gate import GateSettings
from waystation.wire.commands import Command


@pytest.mark.req("R-48")
async def test_objects_of_a_study_share_one_association(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*study(5))
    await rig.wait_for({"done": 5})
    assert sink.associations == 1


@pytest.mark.req("R-48")
async def test_what_comes_during_the_linger_takes_the_same_association(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    first, second, third = study(3)
    await rig.accepted(first)
    await rig.wait_for({"done": 1})
    await rig.accepted(second)
    await rig.wait_for({"done": 2})
    assert sink.associations == 1
    await until(lambda: sink.open_now == 0)
    await rig.accepted(third)
    await rig.wait_for({"done": 3})
    assert sink.associations == 2


@pytest.mark.req("R-48")
@pytest.mark.parametrize(("reuse", "expected"), [("study", 5), ("any", 2)])
async def test_studies_share_associations_only_when_told(
    rig: Rig, reuse: str, expected: int
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, f'reuse = "{reuse}"') + TO_A)
    await rig.accepted(*(one for n in range(5) for one in study(2, seed=n)))
    await rig.wait_for({"done": 10})
    assert sink.associations == expected if reuse == "study" else sink.associations <= expected
    by_association: dict[int, set[str]] = {}
    for one in sink.objects:
        by_association.setdefault(one.association, set()).add(one.sop_instance)
    if reuse == "study":
        assert Counter(map(len, by_association.values())) == {2: 5}


@pytest.mark.req("R-48")
async def test_a_new_association_is_opened_after_so_many_objects(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, "max_per_association = 2") + TO_A)
    await rig.accepted(*study(5))
    await rig.wait_for({"done": 5})
    assert Counter(one.association for one in sink.objects) == {1: 2, 2: 2, 3: 1}


@pytest.mark.req("R-10", "R-47", "N-8")
async def test_a_dead_and_a_hanging_destination_delay_nobody(rig: Rig) -> None:
    good, hanging = await rig.sink(), await rig.sink(Sink(script=lambda _: SILENT))
    dead = await rig.sink()
    port = dead.port
    await rig.drop(dead)
    config = destination("dead", port) + destination("slow", hanging.port)
    await rig.start(config + destination("a", good.port) + rule("dead", "slow", "a"))
    await rig.accepted(*study(20))
    await rig.wait_for({"done": 20}, to="a")
    assert good.uids() == [one.sop_instance for one in study(20)]
    assert await rig.states("dead") == {"waiting": 20}
    assert "done" not in await rig.states("slow")


@pytest.mark.req("R-49", "N-15")
async def test_order_of_a_study_survives_failures_and_a_restart(rig: Rig) -> None:
    """First occurrences come in order of acceptance, whatever happens in between."""
    objects = study(500)
    broken = {one.sop_instance for one in objects[7::50]}
    sink = await rig.sink()
    tried: Counter[str] = Counter()

    def script(command: Command) -> Answer:
        tried[command.sop_instance_uid] += 1
        first = tried[command.sop_instance_uid] == 1
        return ABORT if first and command.sop_instance_uid in broken else 0

    sink.script = script
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*objects[:300])
    await rig.restart()
    await rig.accepted(*objects[300:])
    await rig.wait_for({"done": 500}, within_s=60.0)
    first = list(dict.fromkeys(sink.uids()))
    assert first == [one.sop_instance for one in objects]
    assert len(broken) == 10
    assert len(sink.objects) <= 500 + len(broken) + 2


@pytest.mark.req("R-47")
async def test_studies_go_side_by_side_as_far_as_the_lane_is_wide(rig: Rig) -> None:
    sink = await rig.sink(Sink(script=lambda _: SILENT))
    await rig.start(destination("a", sink.port, "parallel = 3") + TO_A)
    await rig.accepted(*(study(1, seed=n)[0] for n in range(6)))
    await until(lambda: len(sink.objects) == 3)
    await asyncio.sleep(0.1)
    assert sink.associations == 3


STATUSES: list[tuple[str, Answer, dict[str, int], int]] = [
    ("O1", 0x0000, {"done": 1}, 1),
    ("O2", 0xB000, {"done": 1}, 1),
    ("O2", 0xB006, {"done": 1}, 1),
    ("O2", 0xB007, {"done": 1}, 1),
    ("O2", 0xBABE, {"done": 1}, 1),
    ("O2", 0x0001, {"done": 1}, 1),
    ("O2", 0x0107, {"done": 1}, 1),
    ("O2", 0x0116, {"done": 1}, 1),
    ("O2", 0x0111, {"done": 1}, 1),
    ("O5", 0xA900, {"held:object-refused": 1}, 3),
    ("O5", 0xC000, {"held:object-refused": 1}, 3),
    ("O5", 0x0110, {"held:object-refused": 1}, 3),
    ("O5", 0x0122, {"held:object-refused": 1}, 3),
    ("O5", 0x1234, {"held:object-refused": 1}, 3),
    ("O5", 0xFF00, {"held:object-refused": 1}, 3),
    ("O6", 0x0211, {"held:object-refused": 1}, 2),
]


@pytest.mark.req("S-21", "S-7", "O1", "O2", "O5", "O6", "F8")
@pytest.mark.parametrize(("_row", "status", "ends", "attempts"), STATUSES)
async def test_a_status_that_stays_ends_as_its_row_says(
    rig: Rig, _row: str, status: int, ends: dict[str, int], attempts: int
) -> None:
    sink = await rig.sink(Sink(script=lambda _: status))
    sink.comments[status] = "so it is"
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(TINY)
    await rig.wait_for(ends)
    await asyncio.sleep(0.12)
    assert len(sink.objects) == attempts
    rows = await rig.rows("SELECT status, why, attempts FROM delivery")
    assert (rows[0][0], rows[0][2]) == (status, attempts)
    if status:
        assert "so it is" in rows[0][1]


@pytest.mark.req("O6", "R-61")
async def test_a_protocol_status_gets_its_second_try_on_a_fresh_association(rig: Rig) -> None:
    answers: list[Answer] = [0x0210, 0]
    sink = await rig.sink(Sink(script=lambda _: answers.pop(0)))
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    assert [one.association for one in sink.objects] == [1, 2]


@pytest.mark.req("O3", "O4", "O7", "S-7")
@pytest.mark.parametrize("trouble", [0xA700, 0xA702, 0x0124, 0x0214, ABORT, CUT, SILENT])
async def test_trouble_of_the_destination_costs_the_object_nothing(
    rig: Rig, trouble: Answer
) -> None:
    answers: list[Answer] = [trouble] * 3
    sink = await rig.sink(Sink(script=lambda _: answers.pop() if answers else 0))
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    rows = await rig.rows("SELECT attempts, object_failures FROM delivery")
    assert tuple(rows[0]) == (4, 0)
    assert len({one.association for one in sink.objects}) == 4


@pytest.mark.req("O7")
async def test_a_permanent_rejection_blocks_the_lane_and_holds_nothing(rig: Rig) -> None:
    sink = await rig.sink(Sink(gate=GateSettings(titles=("OTHER",), anybody=True)))
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*study(3))
    belt = rig.node.belts["a"]
    await until(lambda: belt.lane.health(belt.now()).value == "blocked")
    await rig.wait_for({"waiting": 3})
    sink.listener.gate.settings = replace(sink.listener.gate.settings, titles=("SINK",))
    await rig.wait_for({"done": 3})


@pytest.mark.req("O3", "R-57")
async def test_a_destination_that_comes_back_gets_everything_in_order(rig: Rig) -> None:
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    await rig.start(destination("a", port) + TO_A)
    await rig.accepted(*study(10))
    await asyncio.sleep(0.3)
    assert await rig.states() == {"waiting": 10}
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await rig.wait_for({"done": 10})
    assert back.uids() == [one.sop_instance for one in study(10)]
    assert back.echoes >= 1


@pytest.mark.req("O8", "R-64", "F13")
async def test_a_refused_context_holds_that_object_after_one_association(rig: Rig) -> None:
    mr = BIG.sop_class
    sink = await rig.sink(Sink(gate=GateSettings(titles=("SINK",), anybody=True, refuse=(mr,))))
    await rig.start(destination("a", sink.port) + TO_A)
    mixed = [TINY, replace(BIG, data_set=_in_study_of(TINY, BIG))]
    await rig.accepted(*mixed)
    await rig.wait_for({"done": 1, "held:no-context": 1})
    assert sink.associations == 1
    rows = await rig.rows("SELECT why FROM delivery WHERE state = 'held'")
    assert "SOP class not supported" in rows[0][0]


def _in_study_of(first: Stored, second: Stored) -> bytes:
    """Return the data set of ``second`` under the study of ``first``."""
    before, after = uid_of("b", "study").encode(), uid_of(0, "study").encode()
    size = max(len(before), len(after)) + max(len(before), len(after)) % 2
    data_set = second.data_set
    at = data_set.index(before)
    length = data_set[at - 2] + 256 * data_set[at - 1]
    assert length <= size
    new = after.ljust(len(after) + len(after) % 2, b"\0")
    return data_set[: at - 2] + len(new).to_bytes(2, "little") + new + data_set[at + length :]


@pytest.mark.req("R-55")
async def test_a_poison_object_stops_nobody_else(rig: Rig) -> None:
    objects = study(12)
    poison = objects[3].sop_instance
    sink = await rig.sink(Sink(script=lambda c: ABORT if c.sop_instance_uid == poison else 0))
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 11, "waiting": 1})
    assert sorted(sink.uids(0)) == sorted(o.sop_instance for o in objects if o is not objects[3])
    for n in range(3):
        # Only while others pass is it clear that the object is to blame.
        seen = sink.uids().count(poison)
        await rig.accepted(*study(1, seed=f"other {n}"))
        await until(lambda seen=seen: sink.uids().count(poison) > seen)  # type: ignore[misc]
    await rig.wait_for({"done": 14, "held:object-refused": 1})


@pytest.mark.req("R-47", "N-13")
async def test_an_error_never_seen_before_holds_that_object_and_the_lane_lives(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = study(5)
    send = DicomDestination.send

    class NeverSeenError(Exception):
        pass

    async def raising(
        self: DicomDestination, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        if batch[0].sop_instance_uid != objects[4].sop_instance:
            raise NeverSeenError
        async for found in send(self, batch, cargo):
            yield found

    monkeypatch.setattr(DicomDestination, "send", raising)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 1, "held:object-refused": 4})


@pytest.mark.req("R-47", "N-13")
async def test_a_lane_survives_a_failing_round(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.flows.deliver.AGAIN_S", 0.05)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    belt = rig.node.belts["a"]
    with monkeypatch.context() as broken:

        async def fail(*_: object) -> None:
            raise RuntimeError("surprise")

        broken.setattr(belt, "_round", fail)
        belt.wake()
        await asyncio.sleep(0.1)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})


@pytest.mark.req("R-57", "R-47")
async def test_a_trial_that_meets_a_damaged_object_does_not_stall_the_lane(rig: Rig) -> None:
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    await rig.start(destination("a", port) + TO_A)
    damaged, good = study(2, kind="ct")
    await rig.accepted(damaged, good)
    belt = rig.node.belts["a"]
    await until(lambda: belt.lane.health(belt.now()).value == "down")
    rig.node.recent._held.clear()
    rows = await rig.rows("SELECT blob FROM arrival ORDER BY id")
    file = rig.data / "blobs" / rows[0][0]
    content = bytearray(file.read_bytes())
    content[100_000] ^= 1
    file.write_bytes(content)
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await rig.wait_for({"done": 1, "held:corrupt": 1})
    assert back.uids() == [good.sop_instance]


@pytest.mark.req("R-53")
@pytest.mark.parametrize(
    ("calling", "seen"), [("own", "WAYSTATION"), ("passthrough", "CT7"), ("fixed:X", "X")]
)
async def test_the_calling_title_is_the_one_that_was_asked_for(
    rig: Rig, calling: str, seen: str
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, f'calling_ae = "{calling}"') + TO_A)
    await rig.accepted(TINY, calling_ae="CT7")
    await rig.wait_for({"done": 1})
    assert sink.objects[0].calling_ae == seen


@pytest.mark.req("S-7", "N-14")
async def test_nothing_delivered_is_sent_again_in_peace(rig: Rig) -> None:
    """Whatever the pace of lanes and tables, each object goes out once."""
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    objects = [one for n in range(8) for one in study(25, seed=n)]
    await asyncio.gather(*(rig.accepted(*objects[n::4]) for n in range(4)))
    await rig.wait_for({"done": 200})
    await rig.restart()
    await asyncio.sleep(0.1)
    assert Counter(sink.uids()) == Counter(one.sop_instance for one in objects)


@pytest.mark.req("R-6", "S-13")
async def test_an_object_too_big_to_hold_is_sent_in_pieces(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.cargo.WHOLE_BYTES", 100_000)
    monkeypatch.setattr("waystation.blobs.reading.PIECE", 65_536)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    monkeypatch.setattr(rig.node.recent, "keep", lambda *_: None)
    await rig.accepted(CT)
    await rig.wait_for({"done": 1})
    assert sink.objects[0].data_set == CT.data_set
