"""The answers to one search, as they will be sent: rows of JSON or XML in a spool (W-46 to W-55).

Contract: a `Page` is given rows and gives one response; `Rows` makes a row of a record, whoever
holds it.  Nothing is sent before `Page.response`.
"""

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from waystation.dicomweb import matches
from waystation.dicomweb.accept import DICOM_JSON, DICOM_XML, MULTIPART
from waystation.dicomweb.json_model import dumped
from waystation.dicomweb.query import SearchAsked, Wanted, merged
from waystation.dicomweb.xml_model import to_xml
from waystation.index import levels
from waystation.matching.match import Matcher
from waystation.model.query import IMAGE, LEVELS, Query, Record
from waystation.web.asked import Asked, Refusal
from waystation.web.spool import Spool

OWN: Final = ("archive",)
Uids = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the six resources.  defaults: what comes back unasked."""

    template: str
    level: str
    defaults: Wanted
    summary: str


def wanted_of(kind: Kind, read: SearchAsked) -> Wanted:
    """Return what comes back: nothing of a lower level (W-29)."""
    own = LEVELS.index(kind.level)
    both = merged(kind.defaults, read.wanted)
    if read.everything and kind.level != IMAGE:
        for name in LEVELS[: own + 1]:
            if name == kind.level or name == "PATIENT" or kind.template.count("/") == 1:
                both |= {tag: None for tag in levels.TABLES[name] if tag not in both}
        both |= {tag: None for tag, name in levels.COMPUTED.items() if name == kind.level}
    return {tag: below for tag, below in both.items() if LEVELS.index(levels.level_of(tag)) <= own}


class Rows:
    """Makes rows of records.  base: URL of root and source, as the request came in."""

    def __init__(self, base: str, kind: Kind, read: SearchAsked, query: Query) -> None:
        self._base = base
        self._kind = kind
        self._everything = read.everything
        self._wanted = wanted_of(kind, read)
        named = {tag for tag in read.wanted if tag in self._wanted}
        self._optional = matches.IF_KNOWN - named
        if read.everything:
            self._optional |= self._wanted.keys() - kind.defaults.keys() - named
        self._keys = {key.tag: key for key in query.keys if key.vr == "SQ"}
        self._matcher = Matcher(query) if self._keys else None

    def row(
        self,
        uids: Uids,
        record: Record,
        sources: Sequence[str] = OWN,
        availability: str = "ONLINE",
    ) -> dict[str, matches.Element]:
        """Return one row.  uids: of study, series and instance, "" below its level."""
        return matches.row(
            record,
            self._fields(record),
            self._optional,
            url=self._url(uids),
            items=self._items,
            sources=sources,
            availability=availability,
        )

    def _fields(self, record: Record) -> Wanted:
        if not self._everything or self._kind.level != IMAGE:
            return self._wanted
        return {**{tag: None for tag, _ in record.elements()}, **self._wanted}

    def _items(self, record: Record, tag: int) -> list[Record]:
        """Return the items that match, where items were asked for (T-10)."""
        key = self._keys.get(tag)
        if key is None or self._matcher is None:
            return list(record.items(tag))
        return self._matcher.matching_items(key, record)

    def _url(self, uids: Uids) -> str:
        words = zip(("studies", "series", "instances"), uids, strict=True)
        return self._base + "".join(f"/{word}/{uid}" for word, uid in words if uid)


class Page:
    """The answers to one request."""

    def __init__(self, asked: Asked, media: str, folder: Path) -> None:
        self.asked = asked
        self.n = 0
        self._is_xml = media == DICOM_XML
        self._boundary = secrets.token_hex(16)
        self._spool = Spool(folder)

    def close(self) -> None:
        """Forget what was found."""
        self._spool.close()

    async def look(self) -> None:
        """End the search if nobody waits for it any more; give others their turn."""
        await asyncio.sleep(0)
        if await self.asked.request.is_disconnected():
            raise Refusal(499, "The caller has gone")

    def add(self, row: dict[str, Any]) -> None:
        """Add one answer."""
        if self._is_xml:
            head = f"--{self._boundary}\r\nContent-Type: {DICOM_XML}\r\n"
            document = to_xml(row)
            self._spool.write(f"{head}Content-Length: {len(document)}\r\n\r\n".encode())
            self._spool.write(document + b"\r\n")
            self.n += 1
        else:
            self._write(dumped(row))

    def add_text(self, text: str) -> None:
        """Add one answer that is DICOM JSON already."""
        if self._is_xml:
            self.add(json.loads(text))
        else:
            self._write(text)

    def _write(self, text: str) -> None:
        if "\ufffd" in text:
            self.asked.warn("Some characters could not be read in their character set")
        self._spool.write((b"," if self.n else b"[") + text.encode())
        self.n += 1

    def response(self) -> Response:
        """Return the whole answer."""
        if self._is_xml:
            self._spool.write(f"--{self._boundary}--\r\n".encode() if self.n else b"")
        else:
            self._spool.write(b"]" if self.n else b"[]")
        headers = {"content-length": str(self._spool.size), "content-type": self._type()}
        if self._spool.is_on_disk:
            return StreamingResponse(self._spool.pieces(), headers=headers)
        return Response(self._spool.whole(), headers=headers)

    def _type(self) -> str:
        if not self._is_xml:
            return DICOM_JSON
        return f'{MULTIPART}; type="{DICOM_XML}"; boundary={self._boundary}'
