"""Reports: what they tell, that they tell it once, and that they do not lie (R-80, RT-15)."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.flows.overseer import GONE, LISBON, READERS, Clock, Overseer, overseer
from tests.journal.making import claim_next, held_plan, plan_to
from tests.net.mail_sink import HOST, Mailbox, mailbox
from waystation.flows.outbox import Ways
from waystation.flows.report import Cast, Reports, ReportSettings
from waystation.journal import deliveries, recovery, reporting
from waystation.journal.deliveries import Settlement
from waystation.model.delivery import HoldReason, Step
from waystation.model.plan import Plan
from waystation.net.mail import MailServer
from waystation.timing.report_times import read_report_times


def mail(box: Mailbox) -> Ways:
    return Ways(mail=MailServer(host=HOST, port=box.port, sender="node@x.example", tls="none"))


def report(at: str, name: str = "daily", **more: object) -> ReportSettings:
    values = {
        "name": name,
        "times": read_report_times(at, LISBON),
        "audience": READERS,
        "zone": LISBON,
        **more,
    }
    return ReportSettings(**values)  # type: ignore[arg-type]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=LISBON).timestamp()


async def until(seen: Overseer, text: str) -> None:
    await seen.go_on((at(text) - seen.clock.at) / 60.0, step_s=3600.0)


MONTH = """\
Report monthly of radiology
from Sun 2026-03-01 07:00 UTC+0000
to   Wed 2026-04-01 07:00 UTC+0100 (30 d 23 h)

DESTINATIONS

pacs
  delivered                45 objects of 3 studies, 4.5 kB
  with warning             5, 500 B
  repeated                 0, 0 B
  failed attempts          8
  held (object-refused)    8
  discarded (by filter)    2
  waiting now              7, 700 B, the oldest for 3 d 0 h
  held now                 8
  outage                   Sun 2026-03-29 00:00 UTC+0000 to Sun 2026-03-29 04:00 UTC+0100, \
3 h 0 min: down: connection refused (10.1.9.10:104)

research
  delivered                0 objects of 0 studies, 0 B
  with warning             0, 0 B
  repeated                 0, 0 B
  failed attempts          0
  held                     0
  discarded (by filter)    0
  waiting now              0, 0 B
  held now                 0

PEERS

ct1
  received                 67, 6.7 kB
  refused (A700 out of resources) 3
  rejected by rule (drop-localizers) 4
  held for a person (no-rule) 1

mr1
  received                 0, 0 B
  refused                  0
  rejected by rule         0
  held for a person        0
"""


async def made_up_month(seen: Overseer) -> None:
    """What happens in March 2026; the clock is changed on the 29th."""
    door = seen.door("pacs")
    seen.door("research")
    seen.reporting([report("monthly 07:00", "monthly")], ("ct1", "mr1"))
    await seen.look()
    for day, study in ((2, "1.1"), (15, "1.2"), (28, "1.3")):
        await until(seen, f"2026-03-{day:02} 10:00")
        await seen.waits(15, study=study)
        if day == 15:
            await warned(seen)
        else:
            await seen.ends("pacs")
    await until(seen, "2026-03-29 00:00")
    door.fails(GONE)
    await seen.look()
    await until(seen, "2026-03-29 04:00")
    door.recovers()
    await seen.look()
    await seen.waits(8, study="1.4")
    await seen.ends("pacs", Step.REFUSED, hold=HoldReason.OBJECT_REFUSED)
    filtered = replace(plan_to("pacs").targets[0], filtered_by="pacs.refuse CT")
    await seen.take([Plan(targets=(filtered,))] * 2)
    await seen.take([Plan(discard="drop-localizers")] * 4)
    await seen.take([held_plan()])
    for _ in range(3):
        seen.watch.turned_away("ct1", "A700 out of resources")
    await until(seen, "2026-03-29 07:00")
    await seen.waits(7, study="1.5")


async def warned(seen: Overseer) -> None:
    """Ten of fifteen as they should be, five with a warning."""
    now = seen.clock.at
    batch = await seen.database.write(
        claim_next("pacs", now=now, lease_until=now + 60.0, limit=100)
    )
    await seen.database.write(
        deliveries.settle(
            [
                Settlement(delivery=one, step=Step.DELIVERED, status=code, now=now)
                for one, code in zip(batch, [0] * 10 + [0xB000] * 5, strict=True)
            ]
        )
    )


@pytest.mark.req("R-80", "RT-15")
async def test_the_report_of_a_month_with_a_change_of_the_clock(tmp_path: Path) -> None:
    clock = Clock(at("2026-03-01 07:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        await made_up_month(seen)
        await until(seen, "2026-04-01 07:00")
        reports = [one for one in box.mails if "report" in str(one["Subject"])]
        (one,) = reports
        assert str(one["Subject"]) == "[radiology] report monthly of 2026-04-01 07:00"
        body = one.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n") == MONTH
        (part,) = one.iter_attachments()
        assert part.get_filename() == "report-2026-04-01.csv"
        rows = list(csv.DictReader(io.StringIO(part.get_content())))
        found = {(row["name"], row["measure"], row["detail"]): row for row in rows}
        assert found["pacs", "delivered", ""]["objects"] == "45"
        assert found["pacs", "delivered", ""]["studies"] == "3"
        assert found["pacs", "outage", "down: connection refused (10.1.9.10:104)"][
            "seconds"
        ] == str(3 * 3600)


@pytest.mark.req("R-80", "RT-15")
async def test_each_report_is_sent_once_also_when_nothing_happened(tmp_path: Path) -> None:
    clock = Clock(at("2026-10-23 12:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        seen.door("pacs")
        seen.reporting([report("07:00")])
        await until(seen, "2026-10-28 12:00")
        dates = [str(one["Subject"])[-16:] for one in box.mails]
        assert dates == [f"2026-10-{day} 07:00" for day in range(24, 29)]
        assert "(25 h 0 min)" in box.text(2) or "(25 h 0 min)" in box.text(1)


@pytest.mark.req("R-80", "R-82")
async def test_what_was_due_while_the_node_stood_still_is_sent_once_after_the_start(
    tmp_path: Path,
) -> None:
    clock = Clock(at("2026-06-01 12:00"))
    async with mailbox() as box:
        async with overseer(tmp_path, mail(box), clock=clock) as seen:
            seen.door("pacs")
            seen.reporting([report("07:00")])
            await seen.look()
            await seen.waits(3)
            await seen.ends("pacs")
        clock.at = at("2026-06-04 09:00")
        async with overseer(tmp_path, mail(box), clock=clock) as seen:
            seen.door("pacs")
            seen.reporting([report("07:00")])
            await seen.go_on(10)
            assert len(box.mails) == 1
            assert "3 objects of 1 studies" in box.text()
            await until(seen, "2026-06-05 08:00")
            assert len(box.mails) == 2
            assert "0 objects of 0 studies" in box.text()


@pytest.mark.req("R-80")
async def test_two_reports_in_a_row_leave_no_gap_and_count_nothing_twice(tmp_path: Path) -> None:
    clock = Clock(at("2026-06-01 06:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        seen.door("pacs")
        seen.reporting([report("07:00"), report("weekly 07:00", "weekly")])
        await seen.look()
        for day in range(1, 8):
            await until(seen, f"2026-06-{day:02} 06:59")
            await seen.waits(day, study=f"1.{day}")
            await seen.ends("pacs")
            await until(seen, f"2026-06-{day:02} 07:00")
        await until(seen, "2026-06-08 07:00")
        counts: dict[str, list[int]] = {"daily": [], "weekly": []}
        for place, one in enumerate(box.mails):
            name = str(one["Subject"]).split()[2]
            line = next(t for t in box.text(place).splitlines() if "delivered" in t)
            counts[name].append(int(line.split()[1]))
        assert counts["daily"] == [1, 2, 3, 4, 5, 6, 7, 0]
        assert counts["weekly"] == [1, 27]


@pytest.mark.req("R-80")
async def test_a_report_covers_what_it_is_told_to(tmp_path: Path) -> None:
    clock = Clock(at("2026-06-01 06:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        seen.door("pacs")
        seen.door("research")
        covers = frozenset({"research", "ct1"})
        seen.reporting([report("07:00", covers=covers)], ("ct1", "mr1"))
        await seen.look()
        await until(seen, "2026-06-01 08:00")
        text = box.text()
        assert "research" in text
        assert "ct1" in text
        assert "pacs" not in text
        assert "mr1" not in text


@pytest.mark.req("R-80", "S-62")
async def test_no_cell_of_the_table_is_a_formula(tmp_path: Path) -> None:
    clock = Clock(at("2026-06-01 06:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        for name in ("=cmd|' /C calc'!A0", "+1", "-1", "@sum(A1)", "\t=1", "a\r\n=2"):
            seen.door(name)
        seen.reporting([report("07:00")])
        await seen.look()
        await until(seen, "2026-06-01 08:00")
        (part,) = box.mails[0].iter_attachments()
        names = {row[1] for row in csv.reader(io.StringIO(part.get_content()))}
        assert not {name for name in names if name[:1] in set("=+-@\t\r\n")}
        assert "'=cmd|' /C calc'!A0" in names


async def _names(ids: Sequence[int]) -> dict[int, str]:
    return dict.fromkeys(ids, "=Hostile^Patient")


@pytest.mark.req("R-80", "S-62")
@pytest.mark.parametrize("names", [False, True])
async def test_patients_are_told_only_where_the_report_says_so(tmp_path: Path, names: bool) -> None:
    clock = Clock(at("2026-06-01 06:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        seen.door("pacs")
        settings = [report("07:00", names=names, covers=frozenset({"pacs"}))]
        cast = Cast(node="radiology", destinations=["pacs"], peers=())
        seen.reports = Reports(settings, cast, seen.database, seen.ids, clock, lambda: None, _names)
        await seen.look()
        await seen.waits(3, study="1.2.9")
        await seen.ends("pacs")
        await seen.waits(2, study="1.2.10")
        await seen.waits(1, to="research", study="1.2.11")
        await until(seen, "2026-06-01 08:00")
        sent = box.mails[-1].as_string() + box.text()
        assert ("SECRET-ID" in sent, "Hostile" in sent, "STUDIES" in sent) == (names,) * 3
        if names:
            assert "pacs: delivered 3  SECRET-ID =Hostile^Patient  CT  1.2.9" in box.text()
            assert "pacs: waiting 2 " in box.text()
            assert "1.2.11" not in box.text()
            *_, part = box.mails[-1].iter_attachments()
            rows = list(csv.reader(io.StringIO(part.get_content())))
            assert rows[1][3] == "'=Hostile^Patient"
            assert rows[1][-1] == "2"


@pytest.mark.req("R-82")
async def test_a_report_and_its_mark_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(at("2026-06-01 06:00"))
    async with mailbox() as box, overseer(tmp_path, mail(box), clock=clock) as seen:
        seen.door("pacs")
        reports = seen.reporting([report("07:00")])
        await reports.round()
        before = await seen.database.read(recovery.mark(reporting.MARK + "daily"))
        clock.at = at("2026-06-01 07:00")
        monkeypatch.setattr(reporting, "_set", _fails)
        with pytest.raises(RuntimeError):
            await reports.round()
        assert await seen.database.read(recovery.mark(reporting.MARK + "daily")) == before
        await seen.outbox.round()
        assert box.mails == []
        monkeypatch.undo()
        await reports.round()
        await seen.outbox.round()
        assert len(box.mails) == 1


def _fails(*_: object) -> None:
    raise RuntimeError("power is gone")
