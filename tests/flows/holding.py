"""An archive and some PACS for `waystation.flows.holders`, with what each has and does not say."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.web.scripted_origin import Script
from waystation.flows.fetch import FetchFailed, Path, Reading, Whole
from waystation.flows.holders import Holders
from waystation.flows.upstream import Upstream
from waystation.model.delivery import Delivery
from waystation.model.peer import Remote
from waystation.model.upstream import UpstreamFailed, UpstreamTerms

STUDY = {"study": "1.2"}
REMOTE = Remote(name="p", ae_title="P", host="127.0.0.1", port=1, calling_ae="W")
DOWN = UpstreamFailed("b", 504, "it is asleep")
S = "1.2.1"


def one(uid: str, series: str = "1.2.1") -> Delivery:
    return Delivery(
        id=1,
        arrival_id=1,
        destination="",
        study_uid="1.2",
        series_uid=series,
        sop_class_uid="1",
        sop_instance_uid=uid,
        transfer_syntax_uid="1",
        calling_ae="",
        blob="",
        size_bytes=1,
        sha256="",
        received_at=0.0,
    )


def pacs(name: str, priority: int = 10) -> Upstream:
    terms = UpstreamTerms(name=name, find=REMOTE, move=REMOTE, get=REMOTE, priority=priority)
    return Upstream(terms)


class Site:
    """Some PACS with what each of them has, and an archive; remembers who was asked for what.

    has: SOP Instance UID → series, or why it does not answer.  blind: who lists no instances;
    uncounted: who does not count them either.  vanished: what is listed and not there.
    lacks: what who is asked first fails to send.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, has: Mapping[str, Any], own: Sequence[str] = ()
    ) -> None:
        self.has = dict(has)
        self.own = own
        self.gone = False
        self.federated = [pacs(name) for name in has]
        self.wanted: list[tuple[str, dict[str, str]]] = []
        self.listed: list[str] = []
        self.thinking = 0
        self.vanished: set[str] = set()
        self.blind: set[str] = set()
        self.uncounted: set[str] = set()
        self.lacks: set[str] = set()
        self.slow = asyncio.Event()
        self.slow.set()
        monkeypatch.setattr("waystation.flows.union.listing", self._listing)
        self.holders = Holders(self, lambda: self, self._archived, self._deleted)  # type: ignore[arg-type,return-value]

    async def _archived(self, path: Path) -> Sequence[Delivery]:
        return [one(uid) for uid in self.own if path.get("instance", uid) == uid]

    async def _deleted(self, path: Path) -> bool:
        return self.gone

    async def _listing(self, upstream: Upstream, path: Path) -> dict[str, str] | None:
        self.listed.append(upstream.name)
        self.thinking += 1
        try:
            await self.slow.wait()
        finally:
            self.thinking -= 1
        if upstream.name in self.blind:
            return None
        return dict(self._of(upstream.name, path))

    def _of(self, source: str, path: Path) -> dict[str, str]:
        has = self.has[source]
        if isinstance(has, UpstreamFailed):
            raise has
        return {
            uid: series
            for uid, series in has.items()
            if path.get("series", series) == series and path.get("instance", uid) == uid
        }

    def _counted(self, source: str, path: Path) -> dict[str, str]:
        try:
            found = self._of(source, path)
        except UpstreamFailed as error:
            raise FetchFailed(error.status, "It failed", error.text, source=source) from error
        if not found:
            raise FetchFailed(404, "Nothing of this kind is here", "", source=source)
        return found

    async def want(self, source: str, path: Path, *, filed: bool = False) -> Reading:
        if path.get("instance") in self.vanished:
            raise FetchFailed(404, "Nothing of this kind is here", "", source=source)
        found = self._counted(source, path)
        self.wanted.append((source, dict(path)))
        lacks, self.lacks = self.lacks, set()
        sent = (one(uid, series) for uid, series in found.items() if uid not in lacks)
        script = Script(*sent)
        script.expected = len(found)
        script.uids = None if source in self.blind else list(found)
        if lacks:
            text = "some lack"
            return script.fail(FetchFailed(502, "It is incomplete", text, missing=len(lacks)))
        return script.done()

    async def whole(self, source: str, path: Path) -> Whole | None:
        return None

    async def exists(self, source: str, path: Path) -> int | None:
        found = self._counted(source, path)
        return None if source in self.uncounted else len(found)

    async def read(self, path: Path = STUDY) -> list[str]:
        whole = await self.holders.whole("", path)
        if whole is not None:
            self.warnings = list(whole.reading.warnings)
            return [each.sop_instance_uid for each in whole.objects]
        reading = await self.holders.want("", path)
        self.warnings = list(reading.warnings)
        try:
            return [each.sop_instance_uid async for each in reading]
        finally:
            await reading.close()
