"""Metadata of studies, series and instances (PS3.18 section 10.4.1.1.2; W-64, W-78 to W-81).

Contract: what was made ahead is streamed, some objects at a time; nothing of it is held.  The
entity tag follows from what the archive shows, so that 304 costs no more than the list of objects.
Of what a PACS still has to send each object's part leaves as it lands, without a tag.
"""

import hashlib
import json
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from waystation.dicomweb import paths
from waystation.dicomweb.accept import DICOM_JSON, DICOM_XML, MULTIPART
from waystation.dicomweb.json_model import EDITION, dumped, placed
from waystation.dicomweb.query import Wanted, read_fields
from waystation.dicomweb.xml_model import to_xml
from waystation.flows.together import together
from waystation.index.object_texts import Described
from waystation.model.delivery import Delivery
from waystation.web.asked import Asked, Refusal
from waystation.web.bodies import Streamed
from waystation.web.brokered import Broker, Live
from waystation.web.dicomweb import Resource
from waystation.web.qido import OFFERS
from waystation.web.sending import PRIVATE, is_unchanged, unchanged

TOGETHER: Final = 64
# Compressed bytes that are handled at a time, and what an object counts whose size is not known.
BYTES: Final = 256 << 10
UNKNOWN: Final = 16 << 10
# Of what a filter leaves, the names of the object are always a part.
NAMES: Final[Wanted] = dict.fromkeys((0x00080016, 0x00080018, 0x0020000D, 0x0020000E))


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptions:
    """What metadata needs of the node.

    objects: what the archive shows at a path.  texts: their metadata, in order.
    was_here: whether something of that path was deleted.  broker: what is not in the archive.
    versioned: the same objects, with digests that change with what is corrected of them.
    """

    objects: Callable[[Mapping[str, str]], Awaitable[Sequence[Described]]]
    texts: Callable[[Sequence[Described]], Awaitable[Sequence[bytes]]]
    was_here: Callable[[Mapping[str, str]], Awaitable[bool]] | None = None
    broker: Broker | None = None
    versioned: Callable[[Sequence[Described]], Sequence[Described]] = lambda objects: objects


def metadata_resources(descriptions: Descriptions) -> list[Resource]:
    """Return the resources."""

    async def metadata(asked: Asked) -> Response:
        return await _metadata(asked, descriptions)

    return [
        Resource(
            method="GET",
            template=template + "/metadata",
            handler=metadata,
            summary=f"Attributes of the instances of one {name}, without bulk data",
            offers=OFFERS,
            params=("includefield", "accept", "charset"),
            pacs=True,
        )
        for name, template in (
            ("study", paths.STUDY),
            ("series", paths.SERIES),
            ("instance", paths.INSTANCE),
        )
    ]


async def _metadata(asked: Asked, descriptions: Descriptions) -> Response:
    media = asked.choices(OFFERS)[0].offer.media
    wanted, everything, odd = read_fields(
        [value for name, value in asked.params if name == "includefield"]
    )
    for name in odd:
        asked.warn(f"The field {name} means nothing here and was left out")
    chosen = None if everything or not wanted else {**wanted, **NAMES}
    objects = await _objects(asked, descriptions)
    if isinstance(objects, Live):
        writer = _Writer(asked.base, chosen, is_xml=media == DICOM_XML)
        return await _landing(objects, descriptions, writer)
    objects = descriptions.versioned(objects)
    etag = _etag(asked, objects, media, chosen)
    if is_unchanged(asked.headers, etag):
        return unchanged(etag)
    writer = _Writer(asked.base, chosen, is_xml=media == DICOM_XML)
    headers = {"etag": etag, "cache-control": PRIVATE, "content-type": writer.content_type}
    if asked.is_head:
        return Response(headers=headers)
    batches = list(_batches(objects))
    # Before the first byte an object that cannot be read still makes a status of its own.
    first = await descriptions.texts(batches[0])
    if len(batches) == 1:
        body = writer.opening + writer.parts(objects, first, first=True) + writer.closing
        return Response(body, headers=headers)
    return StreamingResponse(_pieces(batches, first, descriptions, writer), headers=headers)


async def _objects(asked: Asked, descriptions: Descriptions) -> Sequence[Described] | Live:
    """Return what is described; `Refusal` 404 or 410 if there is nothing."""
    broker = descriptions.broker
    if broker is not None and broker.serves(asked):
        found = await broker.opened(asked, filed=True)
        return found if isinstance(found, Live) else [_described(one) for one in found]
    objects = await descriptions.objects(asked.path)
    if not objects:
        if descriptions.was_here is not None and await descriptions.was_here(asked.path):
            raise Refusal(410, "This was deleted here")
        raise Refusal(404, "Nothing of this kind is here")
    return objects


def _described(one: Delivery) -> Described:
    return Described(
        arrival=one.arrival_id,
        study_uid=one.study_uid,
        series_uid=one.series_uid,
        instance_uid=one.sop_instance_uid,
        transfer_syntax=one.transfer_syntax_uid,
        sha256=bytes.fromhex(one.sha256),
    )


async def _landing(live: Live, descriptions: Descriptions, writer: "_Writer") -> Response:
    """Answer while objects come (W-80); the first one makes the status."""
    opening = [_described(live.first)]
    first = await descriptions.texts(opening)

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield writer.opening + writer.parts(opening, first, first=True)
        async with aclosing(together(live.rest, BYTES // UNKNOWN)) as landed:
            async for some in landed:
                found = [_described(one) for one in some]
                yield writer.parts(found, await descriptions.texts(found))
        yield writer.closing

    headers = {"cache-control": PRIVATE, "content-type": writer.content_type}
    return Streamed(pieces(), headers=headers)


def _batches(objects: Sequence[Described]) -> Iterator[Sequence[Described]]:
    """Yield the objects, so many at a time that they fit into little memory."""
    start, size = 0, 0
    for at, one in enumerate(objects):
        own = one.kept_bytes or UNKNOWN
        if at > start and (size + own > BYTES or at - start == TOGETHER):
            yield objects[start:at]
            start, size = at, 0
        size += own
    yield objects[start:]


async def _pieces(
    batches: Sequence[Sequence[Described]],
    first: Sequence[bytes],
    descriptions: Descriptions,
    writer: "_Writer",
) -> AsyncIterator[bytes]:
    yield writer.opening + writer.parts(batches[0], first, first=True)
    for some in batches[1:]:
        yield writer.parts(some, await descriptions.texts(some))
    yield writer.closing


def _etag(asked: Asked, objects: Sequence[Described], media: str, chosen: Wanted | None) -> str:
    digest = hashlib.sha256(f"{EDITION} {asked.base} {media} {chosen}".encode())
    for one in objects:
        digest.update(one.sha256)
    return f'W/"{digest.hexdigest()[:32]}"'


class _Writer:
    """Puts the metadata of objects together.  chosen: what is left of each, None for all."""

    def __init__(self, base: str, chosen: Wanted | None, *, is_xml: bool) -> None:
        self._base = base
        self._chosen = chosen
        self._is_xml = is_xml
        self._boundary = secrets.token_hex(16)
        self.opening = b"" if is_xml else b"["
        self.closing = f"--{self._boundary}--\r\n".encode() if is_xml else b"]"
        self.content_type = (
            f'{MULTIPART}; type="{DICOM_XML}"; boundary={self._boundary}' if is_xml else DICOM_JSON
        )

    def parts(
        self, objects: Sequence[Described], texts: Sequence[bytes], *, first: bool = False
    ) -> bytes:
        """Return the parts of some objects; ``first``: nothing was written before them."""
        made = [self._one(one, text) for one, text in zip(objects, texts, strict=True)]
        if self._is_xml:
            return b"".join(made)
        return (b"" if first else b",") + b",".join(made)

    def _one(self, one: Described, text: bytes) -> bytes:
        url = (
            f"{self._base}/studies/{one.study_uid}/series/{one.series_uid}"
            f"/instances/{one.instance_uid}"
        )
        whole = placed(text, url)
        if not self._is_xml and self._chosen is None:
            return whole
        data_set = json.loads(whole)
        if self._chosen is not None:
            data_set = reduced(data_set, self._chosen)
        if not self._is_xml:
            return dumped(data_set).encode()
        document = to_xml(data_set)
        head = (
            f"--{self._boundary}\r\nContent-Type: {DICOM_XML}\r\n"
            f"Content-Location: {url}/metadata\r\nContent-Length: {len(document)}\r\n\r\n"
        )
        return head.encode() + document + b"\r\n"


def reduced(data_set: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Return what is wanted of a data set, items too."""
    found: dict[str, Any] = {}
    for name, element in data_set.items():
        tag = int(name, 16)
        if tag not in wanted:
            continue
        below = wanted[tag]
        if below is not None and element.get("vr") == "SQ" and "Value" in element:
            items = [reduced(item, below) for item in element["Value"]]
            found[name] = {**element, "Value": items}
        else:
            found[name] = element
    return found
