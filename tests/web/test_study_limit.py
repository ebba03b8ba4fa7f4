"""Whole studies on their way to one caller: so many, and no more (W-139)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.objects.samples import sample
from tests.web.living import Living, path_of
from tests.web.test_wado import living
from waystation.flows.serving import Objects
from waystation.web.study_limit import MOST

__all__ = ("rig",)


@pytest.mark.req("W-139")
async def test_a_caller_may_have_eight_studies_on_their_way(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [sample(seed=number) for number in range(MOST + 1)]
    web: Living = await living(rig, *sent)
    paths = [path_of(one, "study") for one in sent]
    begun, going = asyncio.Semaphore(0), asyncio.Event()
    ready: Callable[..., Awaitable[Any]] = Objects.ready

    async def waiting(*words: Any, **more: Any) -> Any:
        begun.release()
        await going.wait()
        return await ready(*words, **more)

    monkeypatch.setattr(Objects, "ready", waiting)
    on_their_way = [asyncio.create_task(web.ask(path)) for path in [*paths[:MOST], paths[0]]]
    for _ in on_their_way:
        await begun.acquire()
    refused = await web.ask(paths[MOST])
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await web.ask(paths[MOST], "HEAD")).status_code == 200
    going.set()
    assert [one.status_code for one in await asyncio.gather(*on_their_way)] == [200] * (MOST + 1)
    assert (await web.ask(paths[MOST])).status_code == 200
