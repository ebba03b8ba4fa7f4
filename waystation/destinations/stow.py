"""Delivery by STOW-RS to a DICOMweb server (PS3.18 section 10.5).

Contract (R-54, S-7, `docs/spec/routing.md` section 7): one request carries up to
``max_objects`` objects or ``max_bytes`` bytes of a study, streamed, its length announced.  An
object is delivered if the answer names it as stored; the status alone is no proof, as there are
servers that answer 200 and name nothing because they took nothing.  A request that is refused,
perhaps because of one object in it, is cut in two until only that object is refused.  When a
request ends without an answer nobody knows what was kept: its objects go again, each in a request
of its own, so that one that breaks the server stops no other.  Within one request the delivered
ones come first.
"""

import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from waystation.destinations.base import Cargo, way_failed
from waystation.destinations.http import Server
from waystation.destinations.store_request import StoreRequest, cut
from waystation.dicomweb import multipart
from waystation.dicomweb.stow import PROCESSING_FAILURE, StoreAnswer, read_answer
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.net.credentials import Identity
from waystation.net.http import HttpSettings, Reply
from waystation.timing.http import (
    PERHAPS_BROKEN_BY_ONE,
    TOO_LARGE,
    classify_http,
    status_words,
)
from waystation.timing.lane import LANE_FAULTS
from waystation.timing.status import classify_status

ALL_STORED = 200
DUPLICATE = 0x0111
# B00EH among the failures is how Azure Health Data Services says that it has the instance.
ALREADY_THERE = {DUPLICATE, 0xB00E}
ACCEPT = {"Accept": "application/dicom+json"}
MOST_KNOWN = 10_000

Ending = tuple[Delivery, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class StowSettings:
    """How to store.  url: root of the DICOMweb service.  probe: ``store`` or ``query``.

    trust_status: 200 counts as stored even with an answer that names nothing.
    """

    url: str
    http: HttpSettings = HttpSettings()
    identity: Identity = None
    max_objects: int = 100
    max_bytes: int = 50_000_000
    probe: str = "store"
    trust_status: bool = False
    retry_on_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of one request.  again: requests to be made instead of it.

    stop: the way itself failed; nothing more of the batch is tried.
    """

    endings: Sequence[Ending] = ()
    again: Sequence[Sequence[Delivery]] = ()
    stop: bool = False


class StowDestination:
    """One ``[destination.NAME]`` of kind stow."""

    def __init__(self, name: str, settings: StowSettings) -> None:
        self.name = name
        self._settings = settings
        self._server = Server(settings.http, settings.identity)
        self._url = f"{settings.url}/studies"
        self._most_objects = settings.max_objects
        self._most_bytes = settings.max_bytes
        self._alone: dict[int, None] = {}
        self._stuck: dict[int, None] = {}

    async def send(self, batch: Sequence[Delivery], cargo: Cargo) -> AsyncGenerator[Ending, None]:
        """Send a batch of one study in as many requests as it takes."""
        requests: deque[Sequence[Delivery]] = deque(
            cut(batch, self._alone, self._most_objects, self._most_bytes)
        )
        while requests:
            ended = await self._store(requests.popleft(), cargo)
            last = len(ended.endings) - 1
            for place, (delivery, outcome) in enumerate(ended.endings):
                if isinstance(outcome, Delivered) and place < last:
                    outcome = replace(outcome, more=True)
                if isinstance(outcome, Delivered | Refused):
                    self._alone.pop(delivery.id, None)
                    self._stuck.pop(delivery.id, None)
                yield delivery, outcome
            if ended.stop:
                return
            requests.extendleft(reversed(ended.again))

    async def probe(self) -> Deferred | None:
        """Send the request that would carry objects, without any; or ask for one study."""
        if self._settings.probe == "query":
            url = f"{self._url}?limit=1"
            reply = await self._server.ask("GET", url, headers=ACCEPT, read=False)
        else:
            boundary = secrets.token_hex(16)
            reply = await self._server.ask(
                "POST",
                self._url,
                headers=ACCEPT | {"Content-Type": multipart.content_type(boundary)},
                body=multipart.end(boundary),
                read=False,
            )
        if isinstance(reply, Deferred):
            return reply
        failure = classify_http(reply.status, reply.retry_after, now=time.time())
        # Whatever else it says of a request without objects, it listens to us.
        return failure if failure.fault in LANE_FAULTS else None

    async def close(self) -> None:
        """End the connections."""
        await self._server.close()

    async def _store(self, group: Sequence[Delivery], cargo: Cargo) -> Ended:
        boundary = secrets.token_hex(16)
        request = StoreRequest(group, cargo, boundary)
        headers = ACCEPT | {
            "Content-Type": multipart.content_type(boundary),
            "Content-Length": str(request.length),
        }
        try:
            async with aclosing(request.pieces()) as body:
                reply = await self._server.ask("POST", self._url, headers=headers, body=body)
        except StorageError as error:
            return without(group, request.place, str(error))
        if isinstance(reply, Deferred):
            if reply.fault is Fault.UNKNOWN:
                remember(self._alone, group)
            return Ended(endings=[(group[0], reply)], stop=True)
        if reply.status == TOO_LARGE and len(group) > 1:
            self._most_objects = max(1, len(group) // 2)
        settings = self._settings
        ended = judge(
            group,
            reply,
            now=time.time(),
            trust_status=settings.trust_status,
            retry_on_warning=settings.retry_on_warning,
        )
        if ended.stop:
            self._suspect(group, reply.status)
        return ended

    def _suspect(self, group: Sequence[Delivery], status: int) -> None:
        """Let each object go alone, at once or the second time that the same request fails.

        One of them may be what the server cannot bear; the first must not pay for it.
        """
        if status in PERHAPS_BROKEN_BY_ONE or group[0].id in self._stuck:
            remember(self._alone, group)
        remember(self._stuck, group[:1])


def remember(book: dict[int, None], group: Sequence[Delivery]) -> None:
    """Note deliveries, and forget the oldest where there are too many."""
    book |= dict.fromkeys(delivery.id for delivery in group)
    while len(book) > MOST_KNOWN:
        del book[next(iter(book))]


def without(group: Sequence[Delivery], place: int, why: str) -> Ended:
    """Return how to go on when the object at ``place`` cannot be read: the others go again."""
    refused = Refused(reason=HoldReason.CORRUPT, why=why)
    others = [group[:place], group[place + 1 :]]
    return Ended(endings=[(group[place], refused)], again=[part for part in others if part])


def judge(
    group: Sequence[Delivery],
    reply: Reply,
    *,
    now: float,
    trust_status: bool = False,
    retry_on_warning: bool = False,
) -> Ended:
    """Return what an answer means for each object of its request.  now: Unix seconds."""
    good = 200 <= reply.status < 300
    failure = None if good else classify_http(reply.status, reply.retry_after, now=now)
    if failure is not None and failure.fault is not Fault.OBJECT:
        return Ended(endings=[(group[0], failure)], stop=True)
    answer = read_answer(reply.body or b"", reply.content_type)
    if trust_status and reply.status == ALL_STORED and (answer is None or answer.empty):
        return Ended(endings=[(delivery, Delivered()) for delivery in group])
    told: list[Ending] = []
    untold: list[Delivery] = []
    for delivery in group:
        outcome = outcome_of(answer or StoreAnswer(), delivery, retry_on_warning)
        if outcome is None:
            untold.append(delivery)
        else:
            told.append((delivery, outcome))
    if failure is None:
        why = f"{status_words(reply.status)}, but the answer does not say that it was stored"
        failure = Deferred(fault=Fault.OBJECT, why=why, connected=True)
    elif len(group) > 1:
        return _ordered(told, again=_halves(untold) if len(untold) == len(group) else [untold])
    return _ordered([*told, *((delivery, failure) for delivery in untold)])


def outcome_of(answer: StoreAnswer, delivery: Delivery, retry_on_warning: bool) -> Outcome | None:
    """Return what the answer says of one object, None if nothing."""
    uid = delivery.sop_instance_uid
    reason = answer.failed.get(uid)
    if reason is None:
        warning = answer.stored.get(uid)
        if warning and retry_on_warning:
            return classify_status(warning, retry_on_warning=True)
        return None if warning is None else Delivered(status=warning)
    if reason in ALREADY_THERE and not retry_on_warning:
        return Delivered(status=DUPLICATE, comment="already there")
    # A warning among the failures does not mean that the instance was kept.
    return classify_status(reason or PROCESSING_FAILURE, retry_on_warning=True)


def _halves(group: Sequence[Delivery]) -> list[Sequence[Delivery]]:
    middle = len(group) // 2
    return [group[:middle], group[middle:]]


def _ordered(endings: Sequence[Ending], again: Sequence[Sequence[Delivery]] = ()) -> Ended:
    """Put what stops the lane last, once, so that nothing that was delivered is forgotten."""
    stopping = [ending for ending in endings if way_failed(ending[1])]
    others = [ending for ending in endings if not way_failed(ending[1])]
    if stopping:
        return Ended(endings=[*others, stopping[0]], stop=True)
    return Ended(endings=others, again=[part for part in again if part])
