"""The messages of ``waystation alert test``: one alert and one report to each recipient."""

from time import time

from waystation.app.settings import Settings
from waystation.app.wiring_schedule import Windows
from waystation.app.wiring_watch import cast, reports, teller
from waystation.flows.report import messages_of
from waystation.flows.report_text import Facts
from waystation.journal.reporting import Period
from waystation.journal.watching import Message
from waystation.timing.incident import Finding, Notice, Turn


def everybody(settings: Settings) -> list[Message]:
    """Return a test alert for everybody who gets alerts, a test of each report for its readers."""
    now = time()
    windows = Windows(settings.schedule, now=now)
    finding = Finding(
        subject="test",
        kind="test",
        why="this is a test of waystation alert test: nothing is wrong",
        look="waystation queue list",
    )
    notice = Notice(
        turn=Turn.BEGAN, subject="test", began_at=now, ended_at=None, findings=(finding,)
    )
    found = teller(settings, windows).tell(notice, now)
    people = cast(settings)
    for report in reports(settings, windows):
        facts = Facts(
            name=f"{report.name} (test)",
            node=settings.node.name,
            zone=report.zone,
            period=Period(since=now, until=now, counts={}, outages=(), standing={}),
            destinations=people.destinations,
            peers=people.peers,
        )
        found += messages_of(report, facts)
    return found
