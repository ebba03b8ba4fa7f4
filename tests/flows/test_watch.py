"""Alerts: who hears what, how often, and what is no reason to be disturbed (R-81, RT-15)."""

from pathlib import Path

import pytest

from tests.flows.overseer import GONE, LISBON, REJECTED, Clock, Overseer, overseer
from tests.journal.making import NOW, held_plan, plan_to
from tests.net.mail_sink import HOST, Mailbox, mailbox
from waystation.flows.conditions import Limits
from waystation.flows.groups import GroupSettings, MemberSettings
from waystation.flows.outbox import Ways
from waystation.model.delivery import HoldReason, Step
from waystation.net.mail import MailServer
from waystation.timing.failover import Habits
from waystation.timing.window import read_schedule


def mail_to(box: Mailbox) -> Ways:
    return Ways(
        mail=MailServer(host=HOST, port=box.port, sender="node@hospital.example", tls="none")
    )


def subjects(box: Mailbox) -> list[str]:
    return [str(mail["Subject"]).removeprefix("[radiology] ") for mail in box.mails]


@pytest.mark.req("R-81", "RT-15")
async def test_an_hour_of_outage_with_ten_thousand_queued_is_two_messages(tmp_path: Path) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        pacs = watching.door("pacs")
        await watching.waits(10_000)
        pacs.fails()
        await watching.go_on(60)
        assert len(box.mails) == 1
        pacs.recovers()
        assert await watching.ends("pacs") == 10_000
        await watching.go_on(120)
        assert subjects(box) == [
            "destination pacs: down: connection refused (10.1.9.10:104)",
            "destination pacs: over after 1 h 1 min",
        ]
        first, last = box.text(0), box.text(1)
        assert "Look: waystation queue list --to pacs" in first
        assert "10,000 wait, the oldest that may leave for" in last
        assert "Duration: 1 h 1 min" in last
        rows = await watching.database.read(
            lambda t: t.rows("SELECT subject, kind, ended_at - began_at, n FROM incident")
        )
        assert rows == [("destination pacs", "down waiting", 3660.0, 10_000)]


@pytest.mark.req("R-81", "RT-15")
async def test_a_destination_that_flaps_each_minute_is_told_of_twice_at_most(
    tmp_path: Path,
) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        pacs = watching.door("pacs")
        times: list[float] = []
        for _ in range(60):
            pacs.fails(REJECTED)
            await watching.go_on(0.5, step_s=30.0)
            pacs.recovers()
            await watching.go_on(0.5, step_s=30.0)
            times += [watching.clock.at] * (len(box.mails) - len(times))
        await watching.go_on(30)
        assert len(times) == 1
        assert subjects(box)[-1].startswith("destination pacs: over after")
        assert "Came back 59 times meanwhile" in box.text()


@pytest.mark.req("R-81")
async def test_a_short_absence_is_nobody_s_business_and_a_rejection_is_at_once(
    tmp_path: Path,
) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        pacs = watching.door("pacs")
        pacs.fails()
        await watching.go_on(1)
        pacs.recovers()
        await watching.go_on(10)
        assert box.mails == []
        pacs.fails(REJECTED)
        await watching.go_on(1)
        assert subjects(box)[0].startswith("destination pacs: blocked: rejected")


@pytest.mark.req("R-81")
async def test_a_shut_window_is_no_backlog_and_an_open_one_is(tmp_path: Path) -> None:
    night = read_schedule("Mon-Sun 20:00-07:59", zone=LISBON)
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        # 15 January 2027, 08:00 in Lisbon.
        watching.door("pacs", night)
        await watching.look()
        await watching.waits(5)
        await watching.go_on(12 * 60)
        assert box.mails == []
        await watching.go_on(9)
        assert box.mails == []
        await watching.go_on(3)
        assert subjects(box) == ["destination pacs: 5 wait, the oldest that may leave for 11 min"]


@pytest.mark.req("R-81")
async def test_a_destination_may_have_a_patience_of_its_own(tmp_path: Path) -> None:
    limits = Limits(waiting_over={"slow": 7200.0})
    async with mailbox() as box, overseer(tmp_path, mail_to(box), limits) as watching:
        watching.door("pacs")
        watching.door("slow")
        await watching.waits(1, "pacs")
        await watching.waits(1, "slow")
        await watching.go_on(60)
        assert [text.partition(":")[0] for text in subjects(box)] == ["destination pacs"]


@pytest.mark.req("R-81")
async def test_what_is_held_is_told_once_whatever_the_number(tmp_path: Path) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        watching.door("pacs")
        for _ in range(20):
            await watching.waits(50)
            await watching.ends("pacs", Step.REFUSED, hold=HoldReason.OBJECT_REFUSED)
            await watching.take([held_plan()] * 10)
            await watching.go_on(1)
        assert sorted(subjects(box)) == [
            "destination pacs: 50 held for a person",
            "objects: held for a person: no-rule 10",
        ]
        assert "waystation queue list --held --to pacs" in box.text(0) + box.text(1)


@pytest.mark.req("R-81")
async def test_two_versions_of_one_object_are_one_alert(tmp_path: Path) -> None:
    from dataclasses import replace

    plan = plan_to("pacs")
    conflict = replace(
        plan,
        hold=HoldReason.CONFLICT,
        targets=tuple(replace(each, hold=HoldReason.CONFLICT) for each in plan.targets),
    )
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        watching.door("pacs")
        await watching.take([conflict])
        await watching.go_on(5)
        assert subjects(box) == ["objects: held for a person: conflict 1"]


@pytest.mark.req("R-81", "R-39", "N-27")
async def test_the_node_s_own_troubles_are_told_and_end(tmp_path: Path) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        trouble = watching.trouble
        trouble.spool = "volume 91 % full"
        trouble.config = 'waystation.toml:33 rule.chest.send: no destination "readng"'
        trouble.unaccounted = 2
        trouble.schedules["night"] = "holidays.ics cannot be read"
        trouble.tables["wards"] = (watching.clock(), "wards.csv:3 has 1 columns")
        await watching.go_on(1)
        assert sorted(subjects(box)) == [
            "configuration: rejected, the last good one stays in force: waystation.toml:33 "
            'rule.chest.send: no destination "readng"',
            "journal: 2 rows of the journal do not add up",
            "lookup wards: not read, the last good one stays in force: wards.csv:3 has 1 columns",
            "schedule night: shut, because it cannot be read: holidays.ics cannot be read",
            "spool: new associations are refused: volume 91 % full",
        ]
        trouble.spool = trouble.config = ""
        trouble.unaccounted = 0
        trouble.schedules.clear()
        trouble.tables.clear()
        await watching.go_on(7)
        assert sum("over after" in text for text in subjects(box)) == 5


@pytest.mark.req("R-81")
async def test_a_group_that_switches_is_told_with_the_member_that_failed(tmp_path: Path) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        door = watching.door("reader-a")
        watching.door("reader-b")
        door.fails()
        await watching.go_on(3)
        watching.conditions.switched("reading", "reader-a", "reader-b")
        await watching.go_on(10)
        door.recovers()
        await watching.go_on(10)
        assert len(box.mails) == 2
        assert "studies of group reading go to reader-b instead" in box.text(1)


@pytest.mark.req("R-81")
async def test_studies_that_no_member_takes_are_a_backlog_of_the_group(tmp_path: Path) -> None:
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        watching.door("reader-a")
        watching.trouble.groups["reading"] = GroupSettings(
            habits=Habits(), members=(MemberSettings(to="reader-a"),)
        )
        await watching.waits(3, "reading")
        await watching.go_on(12)
        assert subjects(box) == ["group reading: 3 wait, the oldest that may leave for 11 min"]


@pytest.mark.req("R-81")
async def test_a_silent_peer_is_told_of_also_across_a_restart(tmp_path: Path) -> None:
    limits, clock = Limits(silent_after={"ct1": 86_400.0}), Clock()
    async with mailbox() as box:
        async with overseer(tmp_path, mail_to(box), limits, clock) as watching:
            watching.conditions.heard["ct1"] = NOW
            await watching.go_on(23 * 60, step_s=600.0)
            assert box.mails == []
        async with overseer(tmp_path, mail_to(box), limits, clock) as watching:
            await watching.go_on(5)
            assert box.mails == []
            await watching.go_on(90)
            assert subjects(box) == ["peer ct1: nothing came for 24 h 1 min"]
            watching.conditions.heard["ct1"] = clock.at
            await watching.go_on(10)
            assert len(box.mails) == 2


@pytest.mark.req("R-81")
async def test_a_restart_in_the_middle_tells_nothing_twice(tmp_path: Path) -> None:
    clock = Clock()
    async with mailbox() as box:
        async with overseer(tmp_path, mail_to(box), clock=clock) as watching:
            watching.door("pacs").fails(REJECTED)
            await watching.go_on(5)
            assert len(box.mails) == 1
        async with overseer(tmp_path, mail_to(box), clock=clock) as watching:
            door = watching.door("pacs")
            door.fails(REJECTED)
            await watching.go_on(30)
            assert len(box.mails) == 1
            door.recovers()
            await watching.go_on(10)
            assert subjects(box)[1] == "destination pacs: over after 36 min"


@pytest.mark.req("R-81", "S-68")
async def test_what_a_receiver_wrote_into_its_comment_is_not_told(tmp_path: Path) -> None:
    from waystation.timing.status import classify_status

    refused = classify_status(0x0124, "DOE^JANE 19700101 unknown")
    async with mailbox() as box, overseer(tmp_path, mail_to(box)) as watching:
        watching.door("pacs").fails(refused)  # type: ignore[arg-type]
        await watching.go_on(1)
        assert "status 0124" in subjects(box)[0]
        assert "DOE" not in str(box.mails[0])


@pytest.mark.req("R-80")
async def test_outages_are_kept_with_begin_and_end(tmp_path: Path) -> None:
    clock = Clock()
    async with overseer(tmp_path, clock=clock) as watching:
        door = watching.door("pacs")
        door.fails(GONE)
        await watching.go_on(10)
        door.recovers()
        await watching.go_on(1)
        door.fails(GONE)
        await watching.go_on(5)
    async with overseer(tmp_path, clock=clock) as watching:
        watching.doors["pacs"] = watching.door("pacs")
        assert watching.outages.answered("pacs")
        await outage_rows(watching)
        await watching.outages.write()
        rows = await outage_rows(watching)
        assert rows == [
            (NOW, NOW + 660.0, "down: connection refused (10.1.9.10:104)"),
            (NOW + 660.0, NOW + 960.0, "down: connection refused (10.1.9.10:104)"),
        ]


async def outage_rows(watching: Overseer) -> list[tuple[object, ...]]:
    rows = await watching.database.read(
        lambda t: t.rows("SELECT began_at, ended_at, why FROM outage ORDER BY id")
    )
    return [tuple(row) for row in rows]


@pytest.mark.req("R-46")
async def test_an_optional_target_disturbs_nobody(tmp_path: Path) -> None:
    limits = Limits(optional=frozenset({"pacs"}))
    async with mailbox() as box, overseer(tmp_path, mail_to(box), limits=limits) as watching:
        pacs = watching.door("pacs")
        await watching.waits(10)
        pacs.fails()
        await watching.go_on(60)
        assert box.mails == []
