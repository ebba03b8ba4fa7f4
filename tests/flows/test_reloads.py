"""Reloads while objects come in (R-2, R-3, RT-1)."""

import asyncio
from collections import Counter

import pytest

from tests.flows.rig import Rig, destination, rule
from tests.objects.samples import study

RELOADS = 120


@pytest.mark.req("RT-1", "R-2")
async def test_every_plan_is_that_of_exactly_one_configuration(rig: Rig) -> None:
    a, b = await rig.sink(), await rig.sink()
    ways = destination("a", a.port) + destination("b", b.port)
    # The one sends all to a and b; the other to b alone: no plan may be a mixture.
    texts = [ways + rule("a", "b"), ways + rule("b")]
    plans = [{"a", "b"}, {"b"}]
    await rig.start(texts[0])
    settings = [rig.settings(text) for text in texts]
    stopped = asyncio.Event()

    async def sender(seed: str) -> int:
        sent = 0
        while not stopped.is_set():
            objects = study(10, seed=f"{seed}-{sent}")
            answers = await rig.send(*objects)
            assert [answer.status for answer in answers] == [0] * len(objects)
            sent += len(objects)
        return sent

    senders = [asyncio.create_task(sender(f"s{number}")) for number in range(3)]
    for number in range(RELOADS):
        which = (number + 1) % 2
        await rig.node.reload(settings[which], texts[which])
        await asyncio.sleep(0.005)
    stopped.set()
    sent = sum(await asyncio.gather(*senders))
    await rig.node.router.settled()
    rows = await rig.rows(
        "SELECT a.id, a.config, d.destination FROM arrival a JOIN delivery d ON d.arrival = a.id"
    )
    ways_of: dict[int, set[str]] = {}
    revisions = {int(row[0]): int(row[1]) for row in rows}
    for arrival, _, to in rows:
        ways_of.setdefault(int(arrival), set()).add(str(to))
    assert len(ways_of) == sent
    texts_of = {
        int(row[0]): str(row[1]) for row in await rig.rows("SELECT revision, text FROM config_text")
    }
    seen: Counter[int] = Counter()
    for arrival, to in ways_of.items():
        text = texts_of[revisions[arrival]] or texts[0]
        which = texts.index(text)
        assert to == plans[which]
        seen[which] += 1
    assert set(seen) == {0, 1}


@pytest.mark.req("R-2", "R-3")
async def test_a_text_that_comes_back_gets_a_revision_of_its_own(rig: Rig) -> None:
    a = await rig.sink()
    ways = destination("a", a.port)
    one, other = ways + rule("a"), ways + rule("a", when='{ Modality = "CT" }')
    await rig.start(one)
    for text in (other, other, one):
        await rig.node.reload(rig.settings(text), text)
    rows = await rig.rows("SELECT revision, text FROM config_text ORDER BY revision")
    assert [str(row[1]) for row in rows][-2:] == [other, one]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
