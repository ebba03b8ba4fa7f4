"""A webhook hears of every change of state of a step, once it can be told (T-64)."""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.flows.ward import PERSON, Ward, ward
from tests.net.http_sink import Answer, serving
from tests.net.sink import until, until_async
from waystation.app.faults import ConfigFaults
from waystation.app.read import load_text
from waystation.index import mpps
from waystation.model.step import StepState


async def nothing_waits(hospital: Ward) -> bool:
    return not await hospital.node.database.read(mpps.targets())


@pytest.mark.req("T-64")
async def test_a_webhook_hears_of_every_state_in_order_and_of_no_patient(tmp_path: Path) -> None:
    answers = [Answer(status=503), Answer(status=204)]
    async with serving(lambda _: answers.pop(0) if len(answers) > 1 else answers[0]) as told:
        config = (
            f'[destination.ris]\nkind = "webhook"\nurl = "{told.url}/steps"\n'
            '[worklist]\nwebhooks = ["ris"]\n'
        )
        async with ward(tmp_path / "node", config) as hospital:
            now = hospital.node.clock()
            hospital.node.clock = lambda: now
            (number,) = await hospital.add()
            await until(lambda: len(told.requests) == 1)
            await hospital.steps.move(number, StepState.ARRIVED, PERSON)
            await hospital.steps.change(number, {"PatientSex": "F"}, None, PERSON)
            await hospital.steps.move(number, StepState.CANCELLED, PERSON, "not needed")

            def all_told() -> bool:
                # Step by step: when the failure of the first attempt is noted is not known here.
                nonlocal now
                now += 1
                hospital.list.forward.wake()
                return len(told.requests) == 4

            await until(all_told)
            await until_async(partial(nothing_waits, hospital))
            assert len(told.requests) == 4
    events = [json.loads(request.body) for request in told.requests]
    assert events[0] | {"timestamp": ""} == events[1] | {"timestamp": ""}
    assert {one["type"] for one in events} == {"waystation.worklist.step"}
    states = [(one["from"], one["to"]) for one in events[1:]]
    assert states == [
        ("", "scheduled"),
        ("scheduled", "arrived"),
        ("arrived", "cancelled"),
    ]
    assert {one["step"] for one in events} == {f"{number:x}"}
    names = [request.headers["webhook-id"] for request in told.requests]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert "Haydn" not in "".join(map(json.dumps, events))


def test_who_hears_must_be_a_webhook(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults) as raised:
        load_text('[worklist]\nwebhooks = ["ris"]\n', tmp_path / "waystation.toml", {})
    (fault,) = raised.value.faults
    assert str(fault).endswith('worklist.webhooks: no destination of kind webhook is called "ris"')
