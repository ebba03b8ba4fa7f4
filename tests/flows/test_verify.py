"""Destinations that have to confirm what they got: asked, sent again once, held (R-60)."""

import json
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.flows.asking import open_call
from tests.flows.rig import TO_A, Rig, destination
from tests.flows.test_commit import Hearing, of, tried
from tests.flows.test_commit import asks as asks_us
from tests.flows.test_ways import stow
from tests.net.http_sink import Answer, HttpSink, Request, serving, stores_all
from tests.net.sink import Sink, until, until_async
from tests.objects.samples import study
from waystation.app import wiring_verify
from waystation.app.catching import Catcher
from waystation.dicom.uids import EXPLICIT_VR_LE, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from waystation.flows import commit, verify
from waystation.flows.commitment_data import write_report
from waystation.flows.verifying import Looked
from waystation.journal import keeping
from waystation.journal.verifications import Owed
from waystation.model.errors import UnreachableError

PICTURES = study(4, "owed", "small")
UIDS = [one.sop_instance for one in PICTURES]
HOUR_S = 3600.0
ANYBODY = 'peers = "any"'


class Scripted:
    """A destination that says what the test wants.  has: UIDs that it confirms."""

    def __init__(self, *, by_report: bool = False) -> None:
        self.by_report = by_report
        self.has: set[str] = set()
        self.silent = by_report
        self.away = False
        self.asked: list[list[str]] = []
        self.transactions: list[str] = []

    async def look(self, owed: Sequence[Owed], transaction_uid: str) -> Looked:
        self.asked.append([one.sop_instance for one in owed])
        self.transactions.append(transaction_uid)
        if self.away:
            raise UnreachableError("connect", "nobody there")
        if self.silent:
            return Looked()
        wanted = set(self.asked[-1])
        return Looked(
            safe=frozenset(wanted & self.has), failed=dict.fromkeys(wanted - self.has, "lost it")
        )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "LOOK_S", 0.02)
    monkeypatch.setattr(verify, "QUIET_S", 0.0)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    one = Scripted()
    monkeypatch.setattr(wiring_verify, "FindAsk", lambda _remote, _waits: one)
    return one


@pytest.fixture
async def there(tmp_path: Path) -> AsyncGenerator[Rig, None]:
    """Another node, with an archive."""
    rig = Rig(tmp_path / "there")
    rig.folder.mkdir()
    yield rig
    await rig.close()


async def started(rig: Rig, how: str) -> Sink:
    """Start a node whose one destination has to confirm, and that destination."""
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, f'verify = "{how}"') + TO_A, dicom=ANYBODY)
    return sink


async def later(rig: Rig, seconds: float) -> None:
    """Let the node's clock go on."""
    clock = rig.node.clock
    rig.node.clock = lambda: clock() + seconds


async def marks(rig: Rig) -> dict[str, int]:
    rows = await rig.rows("SELECT state, count(*) FROM verification GROUP BY state")
    return {str(row[0]): int(row[1]) for row in rows}


async def wait_for_marks(rig: Rig, wanted: dict[str, int]) -> None:
    async def reached() -> bool:
        return await marks(rig) == wanted

    await until_async(reached)


async def wait_until_asked(rig: Rig, count: int) -> None:
    """Return when so many were asked for, and denied or not told of, since they were sent."""

    async def reached() -> bool:
        rows = await rig.rows(
            "SELECT 1 FROM verification v JOIN delivery d ON d.id = v.delivery"
            " WHERE v.asked_at IS NOT NULL AND v.state = 'open' AND d.state = 'done'"
        )
        return len(rows) == count

    await until_async(reached)


@pytest.mark.req("R-60")
async def test_what_the_destination_has_is_verified_and_the_rest_goes_again_once_then_is_held(
    rig: Rig, scripted: Scripted
) -> None:
    scripted.has = set(UIDS[:3])
    sink = await started(rig, "query")
    await rig.accepted(*PICTURES)
    await wait_until_asked(rig, 1)
    assert await marks(rig) == {"verified": 3, "open": 1}
    await later(rig, HOUR_S + 1)
    await until(lambda: len(sink.objects) == 5)
    await wait_until_asked(rig, 1)
    assert sorted(sink.uids()) == sorted([*UIDS, UIDS[3]])
    assert await rig.states() == {"done": 4}
    await later(rig, HOUR_S + 1)
    await rig.wait_for({"done": 3, "held:unverified": 1})
    assert await marks(rig) == {"verified": 3, "failed": 1}
    ((why,),) = await rig.rows("SELECT why FROM delivery WHERE state = 'held'")
    assert why == "lost it"
    assert len(sink.objects) == 5


@pytest.mark.req("R-60")
async def test_a_destination_that_does_not_answer_is_charged_with_nothing(
    rig: Rig, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "AGAIN_S", 0.0)
    scripted.away = True
    await started(rig, "query")
    await rig.accepted(*PICTURES)
    await until(lambda: len(scripted.asked) > 1)
    await later(rig, 5 * HOUR_S)
    count = len(scripted.asked)
    await until(lambda: len(scripted.asked) > count + 1)
    assert await rig.states() == {"done": 4}
    scripted.away, scripted.has = False, set(UIDS)
    await wait_for_marks(rig, {"verified": 4})


@pytest.mark.req("R-60", "R-12")
async def test_the_bytes_stay_until_they_are_verified(rig: Rig, scripted: Scripted) -> None:
    await started(rig, "query")
    await rig.accepted(*PICTURES)
    await wait_until_asked(rig, 4)
    now = rig.node.clock()
    candidates = keeping.droppable(now + HOUR_S, 1 << 62, 0, 10)
    found = [(row[0], row[1]) for row in await rig.rows("SELECT id, blob FROM arrival")]
    assert await rig.node.database.read(candidates) == []
    assert await rig.node.database.write(keeping.drop(found, now + HOUR_S)) == []
    scripted.has = set(UIDS)
    await later(rig, HOUR_S / 2)
    await wait_for_marks(rig, {"verified": 4})
    assert len(await rig.node.database.read(candidates)) == 4


@pytest.mark.req("R-60")
async def test_without_verify_nothing_is_asked_and_nothing_is_written(
    rig: Rig, scripted: Scripted
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*PICTURES)
    await rig.wait_for({"done": 4})
    assert await marks(rig) == {}
    assert scripted.asked == []


@pytest.mark.req("R-60")
async def test_when_verify_is_taken_away_nobody_waits_for_it_any_more(
    rig: Rig, scripted: Scripted
) -> None:
    sink = await started(rig, "query")
    await rig.accepted(*PICTURES)
    await rig.wait_for({"done": 4})
    await rig.node.reload(rig.settings(destination("a", sink.port) + TO_A))
    await wait_for_marks(rig, {"off": 4})
    assert await rig.states() == {"done": 4}


@pytest.mark.req("R-60", "T-49")
async def test_a_report_that_comes_hours_later_on_another_association_finds_its_transaction(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = Scripted(by_report=True)
    monkeypatch.setattr(wiring_verify, "CommitmentAsk", lambda _remote, _waits: scripted)
    sink = await started(rig, "commitment")
    await rig.accepted(*PICTURES)
    await rig.wait_for({"done": 4})
    await wait_until_asked(rig, 4)
    first = list(zip(scripted.transactions, scripted.asked, strict=True))
    await later(rig, 2 * HOUR_S)
    await until(lambda: len(sink.objects) == 8)
    await wait_until_asked(rig, 4)
    await later(rig, 2 * HOUR_S)
    await rig.wait_for({"held:unverified": 4})
    assert await told(rig, "1.2.3.4", UIDS) == 0x0110
    for transaction, uids in first:
        assert await told(rig, transaction, uids) == 0
    await rig.wait_for({"done": 4})
    assert await marks(rig) == {"verified": 4}


async def told(rig: Rig, transaction: str, uids: Sequence[str]) -> int:
    """Report to the node as the destination; return the status."""
    call = await open_call(rig.remote("SINK"), STORAGE_COMMITMENT)
    context = call.context_of(STORAGE_COMMITMENT)
    objects = [(one.sop_class, one.sop_instance) for one in PICTURES if one.sop_instance in uids]
    event, data = write_report(transaction, objects, [], "SINK", EXPLICIT_VR_LE)
    answer = await call.event_report(context, STORAGE_COMMITMENT_INSTANCE, event, data)
    await call.release()
    return answer.status


@pytest.mark.req("R-60", "T-49")
@pytest.mark.parametrize("how", ["query", "commitment"])
async def test_another_node_confirms_what_it_has_and_only_that(
    rig: Rig, there: Rig, how: str
) -> None:
    await there.start(
        '[peer.us]\nae_title = "WAYSTATION"\nstore_at = { host = "127.0.0.1", port = 1 }\n'
    )
    extra = f'verify = "{how}"\nverify_after = "1h"'
    table = destination("a", there.node.dicom_port, extra).replace("SINK", "WAYSTATION")
    await rig.start(table + TO_A, dicom=ANYBODY)
    await rig.accepted(*PICTURES)
    await wait_for_marks(rig, {"verified": 4})
    await there.stop()
    await rig.stop()


@pytest.mark.req("R-60", "T-48")
async def test_we_promise_what_a_destination_has_promised_us_and_wait_for_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "WAIT_S", 0.02)
    scripted = Scripted(by_report=True)
    monkeypatch.setattr(wiring_verify, "CommitmentAsk", lambda _remote, _waits: scripted)
    sink, hearing = await rig.sink(), Hearing()
    catcher = Catcher(hearing, "CT1", {STORAGE_COMMITMENT: b""})
    place = f'store_at = {{ host = "127.0.0.1", port = {await catcher.start("127.0.0.1", 0)} }}'
    await rig.start(
        destination("a", sink.port, 'verify = "commitment"\ncommit_by = true')
        + f'[archive]\nenabled = false\n[peer.ct]\nae_title = "CT1"\n{place}\n{TO_A}',
        dicom=ANYBODY,
    )
    await rig.accepted(*PICTURES)
    await wait_until_asked(rig, 4)
    unknown = ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.999")
    call, status = await asks_us(rig, [*of(*PICTURES[:2]), unknown])
    assert status == 0
    call.abort()
    await until_async(partial(tried, rig))
    assert hearing.reports == []
    for transaction, uids in zip(scripted.transactions, scripted.asked, strict=True):
        assert await told(rig, transaction, uids) == 0
    await until(lambda: hearing.reports)
    assert hearing.reports[0].safe == tuple(of(*PICTURES[:2]))
    assert hearing.reports[0].failures == ((*unknown, 0x0112),)
    await catcher.stop()


@pytest.mark.req("R-60")
async def test_a_web_server_is_asked_by_qido(rig: Rig) -> None:
    lost = UIDS[1]

    def script(request: Request) -> Answer | str:
        if request.method != "GET":
            return stores_all(request)
        entries = [
            {"00080018": {"vr": "UI", "Value": [uid]}}
            for uid in UIDS
            if uid != lost and "offset=0" in request.target
        ]
        return Answer(status=200, body=json.dumps(entries).encode())

    async with serving(script) as sink:
        await rig.start(stow(sink, 'verify = "query"') + TO_A)
        await rig.accepted(*PICTURES)
        await wait_for_marks(rig, {"verified": 3, "open": 1})
        assert asks(sink)
        await rig.stop()


def asks(sink: HttpSink) -> list[Request]:
    return [request for request in sink.requests if request.method == "GET"]
