"""C-MOVE and C-GET answered from PACS too: counts that add up, patience, and failures that show."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.flows.holding import one
from tests.web.scripted_origin import Script
from waystation.flows.borrowing import Borrowed, follow, paths_of
from waystation.flows.desk import Counts
from waystation.flows.fetch import FetchFailed, Path, Reading
from waystation.flows.suboperations import Progress
from waystation.matching.unique import Wanted
from waystation.model.delivery import Delivery
from waystation.wire.status import PENDING, SUCCESS


class Asker:
    """The part of `Asked` that is told how it goes."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.pending = asyncio.Event()

    async def answer(self, status: int, *, counts: Counts) -> None:
        assert status == PENDING
        self.pending.set()


class Taker:
    """A `Way` that takes everything."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def send(self, deliveries: Sequence[Delivery], progress: Progress) -> None:
        for each in deliveries:
            self.taken.append(each.sop_instance_uid)
            await progress.ended(each, SUCCESS)

    async def close(self) -> None:
        self.taken.append("closed")


class Lender:
    """Gives each path its script, or says that there is nothing."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts

    async def want(self, source: str, path: Path) -> Reading:
        assert source == ""
        script = self.scripts.get(path["study"])
        if script is None:
            raise FetchFailed(404, "Nothing of this kind is here", "")
        return script


async def followed(lender: Lender, *studies: str) -> tuple[Progress, Taker, Asker]:
    asker, taker = Asker(), Taker()
    progress = Progress(asker, 0)  # type: ignore[arg-type]
    paths = list(paths_of(Wanted(level="STUDY", studies=studies)))
    await follow(Borrowed(lender, paths), taker, progress)
    return progress, taker, asker


@pytest.mark.req("T-43")
async def test_all_studies_leave_and_what_nobody_has_is_left_out() -> None:
    lender = Lender(a=Script(one("1"), one("2")).done(), b=Script(one("3")).done())
    progress, taker, _ = await followed(lender, "a", "x", "b")
    assert taker.taken == ["1", "2", "3"]
    assert (progress.total, progress.completed, progress.counts.remaining) == (3, 3, 0)
    assert all(script.closed.is_set() for script in lender.scripts.values())


@pytest.mark.req("T-43")
async def test_what_a_pacs_does_not_give_counts_as_failed() -> None:
    error = FetchFailed(502, "It is incomplete", "the PACS broke off", missing=2)
    lender = Lender(a=Script(one("1")).fail(error), b=Script(one("2")).done())
    progress, taker, _ = await followed(lender, "a", "b")
    assert taker.taken == ["1", "2"]
    counts = progress.counts
    assert (progress.total, counts.completed, counts.failed, counts.remaining) == (4, 2, 2, 0)
    assert progress.problem == "the PACS broke off"


@pytest.mark.req("T-43")
async def test_what_is_not_there_behind_what_was_there_is_no_success() -> None:
    gone = FetchFailed(404, "Not found", "source a has no such instance")
    lender = Lender(a=Script(one("1")).fail(gone), b=Script(one("2")).done())
    progress, taker, _ = await followed(lender, "a", "b")
    assert taker.taken == ["1", "2"]
    assert (progress.total, progress.counts.failed) == (3, 1)
    assert progress.problem == "source a has no such instance"


@pytest.mark.req("T-43")
async def test_the_requester_hears_that_it_goes_on_and_may_cancel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waystation.flows.borrowing.PENDING_EVERY_S", 0.01)
    script, asker, taker = Script(one("1")), Asker(), Taker()
    script.expected = 5
    progress = Progress(asker, 0)  # type: ignore[arg-type]
    borrowed = Borrowed(Lender(a=script), [{"study": "a"}])
    task = asyncio.create_task(follow(borrowed, taker, progress))
    async with asyncio.timeout(30):
        await asker.pending.wait()
        while not progress.completed:
            asker.pending.clear()
            await asker.pending.wait()
        assert progress.counts.remaining == 4
        asker.cancelled.set()
        await task
    assert taker.taken == ["1"]
    assert script.closed.is_set()
    assert progress.counts.remaining > 0


@pytest.mark.parametrize(
    ("wanted", "n"),
    [
        (Wanted(level="STUDY", studies=("1", "2")), 2),
        (Wanted(level="SERIES", studies=("1",), series=("2", "3")), 2),
        (Wanted(level="IMAGE", studies=("1",), series=("2",), instances=("3", "4")), 2),
        (Wanted(level="IMAGE", studies=("1",), instances=("3",)), 0),
        (Wanted(level="PATIENT", patient_ids=("X",)), 0),
        (Wanted(level="SERIES", series=("2",)), 0),
    ],
)
def test_pacs_are_asked_only_for_what_names_its_study(wanted: Wanted, n: int) -> None:
    found = list(paths_of(wanted))
    assert len(found) == n
    assert all("study" in path for path in found)
