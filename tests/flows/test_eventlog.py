"""Lines of the event log: the right words about the right object, and nothing of a patient."""

import asyncio
import io
import json
import re
import shlex
from collections.abc import Iterator
from logging import ERROR, INFO, WARNING

import pytest
import structlog

from tests.flows.rig import Rig, destination, rule
from tests.flows.telling import arrival_from, attempt_at, delivery_to
from tests.net.sink import Sink
from tests.objects.samples import study
from waystation.app import logs
from waystation.flows.eventlog import EventLog, EventSettings
from waystation.model.arrival import Source
from waystation.model.delivery import HoldReason
from waystation.model.plan import Join, Plan, Target, Verdict
from waystation.rules.plan import FAILED

NOW = 1_800_000_000.25
STAMP = "2027-01-15T08:00:00.250000Z"
KINDS = {"pacs": "dicom"}


def lines_of(settings: EventSettings = EventSettings(kinds=KINDS)) -> tuple[EventLog, list[str]]:  # noqa: B008
    written: list[str] = []
    return EventLog(settings, written.append, lambda: NOW), written


def pacs(**fields: object) -> Target:
    return Target(destination="pacs", rules=("all-to-pacs",), **fields)  # type: ignore[arg-type]


@pytest.mark.req("R-86")
def test_a_delivery_is_one_line_with_its_arrival_first() -> None:
    log, written = lines_of()
    one = delivery_to("pacs", attempts=1, rules="all-to-pacs")
    log.tried(attempt_at(one, "delivered", status=0, wait_s=61.4, send_s=0.8))
    assert written == [
        f"{STAMP} info    a7f3c1 delivered to=pacs via=dicom attempts=2 wait_s=61.4 send_s=0.8"
        " status=0000 rule=all-to-pacs\n"
    ]


@pytest.mark.req("R-86")
@pytest.mark.parametrize(
    ("word", "fault", "status", "why", "line"),
    [
        (
            "deferred", "transient", None, "connection refused",
            "warning a7f3c1 deferred to=pacs via=dicom class=transient attempts=1 wait_s=0.0"
            ' send_s=0.1 why="connection refused" rule=all',
        ),
        (
            "held object-refused", "object", 0xC000, "status C000 DOE^JANE 1970",
            "warning a7f3c1 held to=pacs via=dicom reason=object-refused class=object attempts=1"
            ' wait_s=0.0 send_s=0.1 status=C000 why="status C000" rule=all',
        ),
        (
            "held no-context", "refused", None, "no context",
            "warning a7f3c1 held to=pacs via=dicom reason=no-context attempts=1 wait_s=0.0"
            ' send_s=0.1 why="no context" rule=all',
        ),
        (
            "warned", "warned", 0xB000, "",
            "info    a7f3c1 warned to=pacs via=dicom attempts=1 wait_s=0.0 send_s=0.1"
            " status=B000 rule=all",
        ),
    ],
)  # fmt: skip
def test_each_ending_has_its_words(
    word: str, fault: str, status: int | None, why: str, line: str
) -> None:
    log, written = lines_of()
    log.tried(attempt_at(delivery_to("pacs", rules="all"), word, fault, status, why, send_s=0.1))
    assert written == [f"{STAMP} {line}\n"]


@pytest.mark.req("R-86")
def test_a_plan_a_hold_a_filter_and_a_failed_rule_have_a_line_each() -> None:
    log, written = lines_of(EventSettings(key=None))
    optional = Target(destination="cd", rules=("copy",), required=False)
    held = Target(destination="old", rules=("all",), hold=HoldReason.DESTINATION_GONE)
    filtered = Target(destination="web", rules=("all",), filtered_by="web.refuse CT")
    failed = Verdict(rule="odd", matched=False, clause=f"{FAILED}no such value")
    join = Join(rule="chest", level="study", targets=())
    plan = Plan(targets=(pacs(), optional, held, filtered), verdicts=(failed,), joins=(join,))
    log.planned(arrival_from("ct1"), plan, "")
    log.planned(arrival_from("ct1"), Plan(hold=HoldReason.NO_RULE), "")
    log.planned(arrival_from("ct1"), Plan(discard="duplicate"), "skipped")
    assert [line.removeprefix(STAMP).strip() for line in written] == [
        "info    a7f3c1 planned from=ct1 study=1.2.3 to=pacs,cd(optional) gathers=chest"
        " rule=all-to-pacs,copy,all",
        'error   a7f3c1 rule-failed rule=odd why="no such value"',
        "warning a7f3c1 held to=old reason=destination-gone",
        'info    a7f3c1 discarded to=web by="web.refuse CT"',
        "info    a7f3c1 planned from=ct1 study=1.2.3",
        "warning a7f3c1 held from=ct1 reason=no-rule",
        "info    a7f3c1 discarded from=ct1 study=1.2.3 duplicate=skipped by=duplicate",
    ]


@pytest.mark.req("R-86", "S-68")
def test_identifiers_are_keyed_hashes_unless_wanted_plain() -> None:
    words = set()
    for key in (b"one" * 8, b"two" * 8):
        log, written = lines_of(EventSettings(key=key))
        log.planned(arrival_from("ct1"), Plan(targets=(pacs(),)), "")
        log.planned(arrival_from("ct1"), Plan(targets=(pacs(),)), "")
        found = {re.search(r"study=(\S+)", line)[1] for line in written}  # type: ignore[index]
        assert len(found) == 1
        words |= found
    assert len(words) == 2
    assert all(re.fullmatch(r"[0-9a-f]{8}", word) for word in words)


HOSTILE = 'CT1\r\n2027 info forged\x1b[31m\u202e x=y "'


@pytest.mark.req("R-86", "RT-17", "S-62")
@pytest.mark.parametrize("form", ["text", "json"])
def test_an_ae_title_forges_no_line_and_no_field(form: str) -> None:
    log, written = lines_of(EventSettings(json=form == "json"))
    source = Source(peer="", calling_ae=HOSTILE, called_ae="X", address="10.0.0.1")
    log.refused(source, 0xA700, HOSTILE, 100)
    (line,) = written
    assert line.count("\n") == 1
    assert not set(line[:-1]) & {"\r", "\n", "\x1b", "\u202e"}
    if form == "json":
        assert json.loads(line)["status"] == "A700"
    else:
        fields = dict(word.split("=", 1) for word in shlex.split(line)[4:])
        assert set(fields) == {"from", "calling_ae", "address", "status", "why"}


@pytest.mark.req("R-86")
def test_peers_and_destinations_may_have_their_own_level() -> None:
    settings = EventSettings(
        level=WARNING, by_destination={"pacs": INFO, "web": ERROR}, by_peer={"ct1": INFO}
    )
    log, written = lines_of(settings)
    for to in ("pacs", "web", "other"):
        log.tried(attempt_at(delivery_to(to), "delivered", status=0))
        log.tried(attempt_at(delivery_to(to), "deferred", "transient", why="gone"))
    log.planned(arrival_from("ct1"), Plan(targets=(pacs(),)), "")
    log.planned(arrival_from("mr1"), Plan(targets=(pacs(),)), "")
    shown = [
        re.findall(r"(delivered|deferred|planned) (?:to|from)=(\w+)", line) for line in written
    ]
    assert [pair for (pair,) in shown] == [
        ("delivered", "pacs"),
        ("deferred", "pacs"),
        ("deferred", "other"),
        ("planned", "ct1"),
    ]


# with a node


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    logs._lines.clear()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, _as_it_was: None) -> io.StringIO:
    """Return what the log of this process says from now on."""
    text = io.StringIO()
    monkeypatch.setattr("sys.stderr", text)
    logs.set_up("info", "text")
    return text


EVENT = re.compile(r"^\S+ \w+ +([0-9a-f]+) (planned|delivered|deferred|held) (.*)$", re.MULTILINE)


@pytest.mark.req("R-86", "RT-17", "N-27")
async def test_a_hundred_studies_at_a_time_and_every_line_agrees_with_the_journal(
    rig: Rig, written: io.StringIO
) -> None:
    good, bad = await rig.sink(), await rig.sink(Sink(script=lambda _command: 0xC000))
    tables = destination("a", good.port) + destination("b", bad.port)
    peers = "".join(f'[peer.mod{n}]\nae_title = "MOD{n}"\n' for n in range(10))
    await rig.start(tables + peers + rule("a", "b"))

    async def modality(number: int) -> None:
        for part in range(10):
            await rig.accepted(*study(2, seed=(number, part)), calling_ae=f"MOD{number}")

    await asyncio.gather(*(modality(number) for number in range(10)))
    await rig.wait_for({"done": 200}, to="a")
    await rig.wait_for({"held:object-refused": 200}, to="b", within_s=40.0)
    rows = await rig.rows(
        "SELECT a.id, a.peer, d.destination, d.state FROM arrival a JOIN delivery d"
        " ON d.arrival = a.id"
    )
    await rig.stop()
    peer_of = {f"{row[0]:x}": row[1] for row in rows}
    ended = {(f"{row[0]:x}", row[2]): row[3] for row in rows}
    planned, told = set(), set()
    for number, what, words in EVENT.findall(written.getvalue()):
        fields = dict(word.split("=", 1) for word in shlex.split(words))
        if what == "planned":
            assert fields["from"] == peer_of[number]
            assert fields["to"] == "a,b"
            planned.add(number)
        else:
            state = {"delivered": "done", "held": "held"}.get(what)
            assert state in (None, ended[number, fields["to"]])
            told.add((number, fields["to"], what))
    assert planned == set(peer_of)
    assert {(n, to) for n, to, what in told if what != "deferred"} == set(ended)
