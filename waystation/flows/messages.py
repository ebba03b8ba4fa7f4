"""What people and programs are told about incidents, in words (R-81).

Contract: plain sentences with count, duration and the command to look at it; names of the
configuration only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from waystation.journal.watching import MAIL, WEBHOOK, Message
from waystation.timing.incident import Notice, Turn
from waystation.timing.window import wait_text

LONGEST_SUBJECT = 140
MOMENT = "%a %Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who hears of it: mail addresses, addresses of webhooks."""

    mail: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()

    def messages(
        self,
        subject: str,
        text: str,
        event: dict[str, Any],
        tables: Sequence[tuple[str, str]] = (),
    ) -> list[Message]:
        """Return one message for each of them."""
        ways = [(MAIL, to) for to in self.mail] + [(WEBHOOK, to) for to in self.webhooks]
        return [
            Message(
                channel=channel,
                to=to,
                subject=subject,
                text=text,
                tables=tuple(tables) if channel == MAIL else (),
                event=event if channel == WEBHOOK else {},
            )
            for channel, to in ways
        ]


def moment_text(at: float, zone: tzinfo) -> str:
    """Return an instant as a person reads it, with its offset from UTC."""
    local = datetime.fromtimestamp(at, zone)
    return f"{local:{MOMENT}} UTC{local:%z}"


def iso_text(at: float | None) -> str | None:
    """Return an instant as a program reads it."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Makes messages of notices.  node: its name.  zone: of the times in them."""

    node: str
    zone: tzinfo
    audience: Audience

    def tell(self, notice: Notice, now: float) -> list[Message]:
        """Return the messages about one notice."""
        ended = notice.ended_at if notice.turn in (Turn.OVER, Turn.CAME_AND_WENT) else None
        lasted_s = (now if ended is None else ended) - notice.began_at
        subject = f"[{self.node}] {notice.subject}: {_headline(notice, lasted_s)}"
        return self.audience.messages(
            subject[:LONGEST_SUBJECT],
            "\n".join(self._lines(notice, ended, lasted_s)),
            {
                "event": f"incident.{notice.turn.value.replace(' ', '-')}",
                "node": self.node,
                "about": notice.subject,
                "conditions": [
                    {"kind": each.kind, "n": each.n, "why": each.why} for each in notice.findings
                ],
                "began_at": iso_text(notice.began_at),
                "ended_at": iso_text(ended),
                "seconds": round(lasted_s),
            },
        )

    def _lines(self, notice: Notice, ended: float | None, lasted_s: float) -> list[str]:
        lines = [f"{notice.subject} on {self.node}", ""]
        heading = "Now:" if ended is None else "What it was:"
        lines += [heading, *(f"- {each.why or each.kind}" for each in notice.findings), ""]
        lines.append(f"Began: {moment_text(notice.began_at, self.zone)}")
        if ended is not None:
            lines.append(f"Over since: {moment_text(ended, self.zone)}")
        lines.append(f"Duration: {wait_text(lasted_s)}")
        if notice.times > 1:
            lines.append(f"Came back {notice.times - 1} times meanwhile")
        looks = dict.fromkeys(each.look for each in notice.findings if each.look)
        lines += ["", *(f"Look: {look}" for look in looks)]
        return [*lines, ""]


def _headline(notice: Notice, lasted_s: float) -> str:
    lasted = wait_text(lasted_s)
    match notice.turn:
        case Turn.OVER:
            return f"over after {lasted}"
        case Turn.CAME_AND_WENT:
            return f"came and went within {lasted}"
        case Turn.GOES_ON:
            return f"still, for {lasted}: {_whys(notice)}"
        case _:
            return _whys(notice)


def _whys(notice: Notice) -> str:
    return "; ".join(each.why or each.kind for each in notice.findings)
