"""A fault in any function of the engine, in a running node: no byte at the sink (D-39, D-48)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.dicom.building import EXPLICIT, el
from tests.flows.rig import Rig, destination
from tests.flows.test_treat import ruled
from tests.net.sink import until_async
from tests.objects.files import Stored
from tests.transforms.deid import test_faults as faults
from tests.transforms.deid.treating import CT, encoded, object_of
from waystation.dicom.head import Head
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid_step import DeidStep
from waystation.transforms.steps import StepFacts

FACTS = StepFacts(now=0.0, system="test")


def numbered(number: int) -> Stored:
    """Return an object that leads through most of the engine; each number is another one."""
    uid = f"1.2.3.4.5.1.{number}"
    rows = [*faults.ROWS, (0x00080018, "UI", uid)]
    data_set = encoded(object_of(*rows)) + el(0x7FE00010, "OW", b"\1\2")
    return Stored(sop_class=CT, sop_instance=uid, transfer_syntax=EXPLICIT, data_set=data_set)


PROFILE = faults._profile()


def fresh() -> Deidentifier:
    """Return a de-identifier that remembers nothing."""
    return faults._fresh(PROFILE)


def reached(one: Stored) -> set[tuple[str, str]]:
    """Return module and name of the functions that treating an object leads through."""
    found: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and "/deid/" in frame.f_code.co_filename:
            found.add((Path(frame.f_code.co_filename).stem, frame.f_code.co_name))

    step = DeidStep(fresh())
    head = Head.from_bytes(one.data_set, EXPLICIT)
    sys.setprofile(note)
    try:
        step(head, FACTS)
    finally:
        sys.setprofile(None)
    return found


def broken(one: Stored) -> Iterator[tuple[str, object, str]]:
    """Yield name, owner and attribute of each function that is to break."""
    called = reached(one)
    for name, owner, attribute in faults.FUNCTIONS:
        if (name.split(".")[0], attribute) in called:
            yield name, owner, attribute


async def use(rig: Rig, who: Deidentifier) -> None:
    """Put a de-identifier in force."""
    rig.node.stepping._deidentifiers = lambda _settings: {"research": DeidStep(who)}
    await rig.node.stepping.use(rig.node.settings)


@pytest.mark.req("D-39", "D-48", "R-69")
async def test_a_fault_in_any_function_of_the_engine_sends_no_byte(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, "only_deidentified = true") + ruled(""))
    rule = rig.node.settings.rule[0].model_copy(update={"deidentify": "research"})
    await rig.node.reload(rig.node.settings.model_copy(update={"rule": (rule,)}))
    held, spared = 0, list[str]()
    for name, owner, attribute in broken(numbered(0)):
        with pytest.MonkeyPatch.context() as patch:
            called: list[str] = []
            who = fresh()
            faults._everywhere(patch, owner, attribute, faults._raising(name, called))
            await use(rig, who)
            await rig.accepted(numbered(held + len(spared) + 1))
            await ended(rig, held + len(spared) + 1)
        if called:
            held += 1
        else:
            # Its result was remembered.
            spared.append(name)
        assert len(sink.objects) == len(spared), name
    assert held > 60
    assert len(spared) < 10, spared
    assert (await rig.states())["held:deid-failed"] == held
    for (why,) in await rig.rows("SELECT DISTINCT why FROM delivery"):
        assert faults.SECRET not in why


async def ended(rig: Rig, deliveries: int) -> None:
    """Wait until so many deliveries are done or held."""

    async def at_rest() -> bool:
        states = await rig.states()
        return sum(states.values()) == deliveries and set(states) <= {"done", "held:deid-failed"}

    await until_async(at_rest)
