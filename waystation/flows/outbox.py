"""Messages on their way out: mail and webhook (R-82).

Contract: what is in the outbox leaves in its own time, tried again for a day with growing pauses;
an image never waits for it, and a message never for an image.  A webhook is signed as
destinations of kind webhook are; a message that is repeated has the same id.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from waystation.db.engine import Database
from waystation.flows.rounds import keep_going
from waystation.journal import watching
from waystation.journal.watching import Message, Posted
from waystation.model.errors import ConfigError, PeerError, WaystationError

if TYPE_CHECKING:
    from waystation.net.mail import MailServer

log = structlog.get_logger()
GIVE_UP_S = 86_400.0
FIRST_S, LONGEST_S = 30.0, 900.0
AGAIN_S = 5.0
# A clock that was set back hides a message no longer than this.
LOOK_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways out, as the configuration has them.

    mail: None without a mail server.  key: of the signature of webhooks, empty for none.
    hook_ca: file of the authorities that vouch for webhook servers, "" for the system's.
    """

    mail: MailServer | None = None
    key: bytes = field(default=b"", repr=False)
    hook_ca: str = ""

    async def send(self, name: str, message: Message, *, at: float, now: float) -> None:
        """Send one message.  Raises `WaystationError` if it was not taken.

        name: of this very message.  at: when it was written.
        """
        if message.channel == watching.MAIL:
            await self._mail(name, message, at)
        else:
            await self._post(name, message, at, now)

    async def _mail(self, name: str, message: Message, at: float) -> None:
        from waystation.net.mail import Mail, send_mail

        if self.mail is None:
            raise ConfigError("alert.mail", "there is no mail server any more")
        mail = Mail(
            name=name,
            to=message.to,
            subject=message.subject,
            text=message.text,
            at=at,
            tables=message.tables,
        )
        await send_mail(self.mail, mail)

    async def _post(self, name: str, message: Message, at: float, now: float) -> None:
        from waystation.destinations.webhook import signature
        from waystation.model.peer import TlsFiles
        from waystation.net.http import HttpClient, HttpSettings

        body = json.dumps(
            {
                "type": "waystation.message",
                "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
                "id": name,
                "subject": message.subject,
                **message.event,
                "text": message.text,
            },
            separators=(",", ":"),
        ).encode("ascii")
        headers = {
            "Content-Type": "application/json",
            "Webhook-Id": name,
            "Webhook-Timestamp": str(int(now)),
            **signature(self.key, name, int(now), body),
        }
        client = HttpClient(HttpSettings(tls=TlsFiles(ca=self.hook_ca)))
        try:
            reply = await client.request("POST", message.to, headers=headers, body=body, read=False)
        finally:
            await client.close()
        if not 200 <= reply.status < 300:
            raise PeerError(f"the webhook answers {reply.status}")


class Outbox:
    """The belt of messages.  clock: Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float], ways: Ways) -> None:
        self.ways = ways
        self._database = database
        self._clock = clock
        self._something = asyncio.Event()

    def wake(self) -> None:
        """Something was posted, or the ways are others."""
        self._something.set()

    async def run(self) -> None:
        """Send until cancelled."""
        await keep_going("messages", self.round, self._something, self._clock, AGAIN_S)

    async def round(self) -> float:
        """Try everything that is due; return how long nothing can happen."""
        ready, later = await self._database.read(watching.due(self._clock()))
        while ready:
            await asyncio.gather(*(self._try(each) for each in ready))
            ready, later = await self._database.read(watching.due(self._clock()))
        return LOOK_S if later is None else min(LOOK_S, max(0.0, later - self._clock()))

    async def _try(self, posted: Posted) -> None:
        state, why = watching.DONE, ""
        try:
            await self.ways.send(
                f"{posted.id:x}", posted.message, at=posted.created_at, now=self._clock()
            )
        except WaystationError as error:
            state, why = watching.WAITING, str(error)
        now = self._clock()
        due = now + min(LONGEST_S, FIRST_S * 2.0 ** min(posted.attempts, 16))
        if state == watching.WAITING and now - posted.created_at >= GIVE_UP_S:
            state = watching.FAILED
        if state != watching.DONE:
            given_up = state == watching.FAILED
            log.error("message given up" if given_up else "message not sent", why=why)
        await self._database.write(
            watching.settle(posted.id, state=state, why=why, due=due, now=now), urgent=False
        )
