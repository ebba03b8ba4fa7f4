"""Events for another program: an HTTP POST that tells of objects, without the objects.

Contract: one event tells of up to ``max_objects`` objects of one study; any status 2xx takes it.
Headers ``Webhook-Id``, ``Webhook-Timestamp`` and, with a key, ``Webhook-Signature`` follow the
convention of standardwebhooks.com: the signature is ``v1,`` and the base64 of the HMAC-SHA-256
over ``id.timestamp.body``.  A repeated event has the same id, so that a receiver can tell.  An
event whose fate is unknown is repeated.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from waystation.destinations.base import Cargo, way_failed
from waystation.destinations.fields import EVENT_FIELDS, values_of
from waystation.destinations.http import Server
from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Delivered, Outcome
from waystation.net.credentials import Identity
from waystation.net.http import HttpSettings, Reply
from waystation.timing.http import classify_http

EVENT = "waystation.objects"
PING = "waystation.ping"
# How the convention marks a key that is written in base64.
ENCODED_KEY = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Where to and what.  key: of the signature, empty for none (see `key_of`)."""

    url: str
    http: HttpSettings = HttpSettings()
    identity: Identity = None
    key: bytes = field(default=b"", repr=False)
    fields: tuple[str, ...] = EVENT_FIELDS
    max_objects: int = 1


class WebhookDestination:
    """One ``[destination.NAME]`` of kind webhook.  clock: Unix seconds."""

    def __init__(
        self, name: str, settings: WebhookSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._server = Server(settings.http, settings.identity)

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Post the events of a batch; the objects are not read."""
        size = self._settings.max_objects
        for start in range(0, len(batch), size):
            group = batch[start : start + size]
            outcome = await self._post(EVENT, event_id(group), {"objects": self._objects(group)})
            if way_failed(outcome):
                yield group[0], outcome
                return
            for delivery in group:
                if isinstance(outcome, Delivered):
                    outcome = replace(outcome, more=delivery is not group[-1])
                yield delivery, outcome

    async def probe(self) -> Deferred | None:
        """Post an event that tells of nothing."""
        outcome = await self._post(PING, f"ping-{int(self._clock())}", {"objects": []})
        if way_failed(outcome):
            return outcome
        return None

    async def tell(self, kind: str, name: str, said: Mapping[str, object]) -> Outcome:
        """Post an event of another kind.  name: the same at each attempt."""
        return await self._post(kind, name, said)

    async def close(self) -> None:
        """End the connections."""
        await self._server.close()

    def _objects(self, group: Sequence[Delivery]) -> list[dict[str, str | int | float]]:
        return [values_of(delivery, self._settings.fields) for delivery in group]

    async def _post(self, kind: str, name: str, said: Mapping[str, object]) -> Outcome:
        now = self._clock()
        event = {
            "type": kind,
            "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "destination": self.name,
            **said,
        }
        body = json.dumps(event, separators=(",", ":")).encode("ascii")
        reply = await self._server.ask(
            "POST",
            self._settings.url,
            headers={
                "Content-Type": "application/json",
                "Webhook-Id": name,
                "Webhook-Timestamp": str(int(now)),
                **signature(self._settings.key, name, int(now), body),
            },
            body=body,
            read=False,
        )
        return reply if isinstance(reply, Deferred) else taken(reply, now)


def taken(reply: Reply, now: float) -> Outcome:
    """Return what an answer means."""
    if 200 <= reply.status < 300:
        return Delivered()
    return classify_http(reply.status, reply.retry_after, now=now)


def event_id(group: Sequence[Delivery]) -> str:
    """Return a name for the event about these deliveries that is the same at each attempt."""
    names = [f"{delivery.arrival_id:x}-{delivery.id:x}" for delivery in group]
    if len(names) == 1:
        return names[0]
    return hashlib.sha256(",".join(names).encode()).hexdigest()[:32]


def signature(key: bytes, name: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the header that signs an event, none without a key."""
    if not key:
        return {}
    signed = f"{name}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {"Webhook-Signature": "v1," + base64.b64encode(digest).decode()}


def key_of(secret: str) -> bytes:
    """Return the bytes of a key: those of its text, or of the base64 behind ``whsec_``.

    Raises ValueError if that is no base64.
    """
    if not secret.startswith(ENCODED_KEY):
        return secret.encode()
    return base64.b64decode(secret.removeprefix(ENCODED_KEY), validate=True)
