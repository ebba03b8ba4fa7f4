"""STOW-RS: objects that come in a request (PS3.18 section 10.5; W-92 to W-97).

Contract: the body is read as a stream, each part straight into a draft.  What was stored is stored
whatever happens to the parts behind it; the answer names every part.  400 where nothing could be
told apart, 415 before a byte of the body is read.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from waystation.codecs.pool import CodecPool
from waystation.dicomweb import paths
from waystation.dicomweb.accept import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    JSON,
    MULTIPART,
    Offer,
    Range,
    ranges,
)
from waystation.dicomweb.json_model import dumped
from waystation.dicomweb.multipart_reader import (
    Begun,
    Data,
    Event,
    MultipartError,
    MultipartReader,
)
from waystation.dicomweb.store_answer import (
    NOT_NOW,
    UNREADABLE,
    Outcome,
    data_set_of,
    status_of,
)
from waystation.dicomweb.xml_model import to_xml
from waystation.flows.admitting import Keeping
from waystation.flows.deposit import Deposit
from waystation.model.arrival import Source
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Resource
from waystation.web.stow_metadata import ByMetadata
from waystation.web.stow_zip import ByZip, NotNowError, ZipError

log = structlog.get_logger()

LARGEST_BODY: Final = 16 << 30
OFFERS: Final = (Offer(DICOM_JSON, aliases=(JSON,)), Offer(DICOM_XML))
INNER: Final = (DICOM, DICOM_JSON, DICOM_XML)
ZIP: Final = "application/zip"
TAKES: Final = (*(f'{MULTIPART}; type="{inner}"' for inner in INNER), DICOM, ZIP)
# So long, at most, an answer waits until searches find what it speaks of.
VISIBLE_S: Final = 2.0
# So many studies, at most, are named in one record.
MOST_TOLD: Final = 100
NOT_UNDERSTOOD: Final = "The request is not understood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What storing needs of the node.

    shut: why nothing is taken now, or "".  folder: for bulk data that waits for its object.
    codecs: make pixels of pictures, None where nothing does.
    """

    keeping: Callable[[], Keeping]
    shut: Callable[[], str]
    folder: Path
    codecs: CodecPool | None = None

    def hindered(self) -> str:
        """Return why nothing can be stored now, or ""."""
        return self.shut() or self.keeping().full()


def store_resources(intake: Intake) -> list[Resource]:
    """Return the resources."""

    async def store(asked: Asked) -> Response:
        media = asked.choices(OFFERS)[0].offer.media
        kind = _kind_of(asked)
        announced = asked.headers.get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > LARGEST_BODY:
            raise Refusal(413, "The body is too large", f"At most {LARGEST_BODY >> 30} GiB at once")
        word = intake.hindered()
        if word:
            raise _not_now(word)
        return _answer(asked, media, await _store(asked, intake, kind))

    return [
        Resource(
            method="POST",
            template=template,
            handler=store,
            summary=summary,
            right="store",
            offers=OFFERS,
            params=("accept",),
            takes=TAKES,
            body=LARGEST_BODY,
        )
        for template, summary in (
            ("/studies", "Store instances"),
            (paths.STUDY, "Store instances of one study"),
        )
    ]


def _kind_of(asked: Asked) -> Range:
    """Return what the body is; `Refusal` 415 for what we do not take."""
    found = ranges(asked.headers.get("content-type", ""))
    if len(found) == 1:
        kind = found[0]
        whole = f"{kind.main}/{kind.sub}"
        if whole in (DICOM, ZIP) or (whole == MULTIPART and _inner(kind) in INNER):
            return kind
    raise Refusal(
        415, "This cannot be stored", "Send " + " or ".join(TAKES), headers={"Accept": TAKES[0]}
    )


def _inner(kind: Range) -> str:
    return (kind.param("type") or DICOM).lower()


def _not_now(word: str) -> Refusal:
    return Refusal(
        503, "Nothing can be stored now", word, headers={"Retry-After": "60"}, retryable=True
    )


async def _store(asked: Asked, intake: Intake, kind: Range) -> list[Outcome]:
    scope = asked.request.scope
    source = Source(
        peer="",
        calling_ae="",
        called_ae="",
        address=asked.caller,
        way_in="stow",
        tls=scope["scheme"] == "https",
    )
    deposit = Deposit(intake.keeping(), source)
    study = asked.path.get("study", "")
    try:
        if kind.sub == "zip":
            await _zipped(asked, intake, deposit, study)
        elif kind.main == "application":
            await _whole_body(asked, deposit, study)
        elif _inner(kind) == DICOM:
            await _parts(asked, deposit, kind.param("boundary") or "", study)
        else:
            made = ByMetadata(deposit, study, intake.folder, intake.codecs)
            try:
                await _described(asked, made, kind.param("boundary") or "")
            finally:
                made.close()
        outcomes = await deposit.outcomes()
    except ClientDisconnect:
        raise Refusal(400, "The request ended before its body") from None
    finally:
        await deposit.close()
        # Also where the body breaks off: what came whole before is kept.
        asked.told.update(_kept(await deposit.outcomes()))
    # Who was told that it is stored looks for it at once.
    with suppress(TimeoutError):
        async with asyncio.timeout(VISIBLE_S):
            await intake.keeping().settled()
    return outcomes


def _kept(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return what the audit trail says of it."""
    kept = [one for one in outcomes if not one.reason]
    return {"n": len(kept), "studies": sorted({one.study_uid for one in kept})[:MOST_TOLD]}


async def _zipped(asked: Asked, intake: Intake, deposit: Deposit, study: str) -> None:
    """Take a body that is an archive of files."""
    made = ByZip(deposit, study, intake.folder, intake.keeping().disk, intake.hindered)
    try:
        await made.take(asked.request.stream())
    except ZipError as error:
        title = NOT_UNDERSTOOD if error.status == 400 else "The archive is too large"
        raise Refusal(error.status, title, str(error)) from None
    except NotNowError as error:
        raise _not_now(str(error)) from None
    except OSError as error:
        log.error("upload not written", error=str(error))
        raise _not_now("the disk does not take the upload") from error
    finally:
        made.close()


async def _whole_body(asked: Asked, deposit: Deposit, study: str) -> None:
    """Take a body that is one DICOM file."""
    deposit.begin(study)
    async for data in asked.request.stream():
        await deposit.take(data)
    await deposit.end()


async def _parts(asked: Asked, deposit: Deposit, boundary: str, study: str) -> None:
    """Take a body of many."""
    try:
        reader = MultipartReader(boundary)
        taking = _Taking(deposit, study)
        async for data in asked.request.stream():
            for event in reader.feed(data):
                await taking.take(event)
    except MultipartError as error:
        raise Refusal(400, NOT_UNDERSTOOD, str(error)) from None
    if not reader.n_parts:
        raise Refusal(400, NOT_UNDERSTOOD, "There is no part in the body")
    if reader.inside:
        await taking.cut()


async def _described(asked: Asked, made: ByMetadata, boundary: str) -> None:
    """Take a body of metadata and bulk data."""
    try:
        reader = MultipartReader(boundary)
        async for data in asked.request.stream():
            for event in reader.feed(data):
                await made.take(event)
        if not reader.over:
            raise MultipartError("the body is not complete")
        await made.finish()
    except MultipartError as error:
        raise Refusal(400, NOT_UNDERSTOOD, str(error)) from None


class _Taking:
    """Takes the parts of one body."""

    def __init__(self, deposit: Deposit, study: str) -> None:
        self._deposit = deposit
        self._study = study
        self._is_object = False

    async def take(self, event: Event) -> None:
        """Take what the reader has found."""
        if isinstance(event, Begun):
            found = ranges(event.headers.get("content-type", DICOM))
            self._is_object = len(found) == 1 and f"{found[0].main}/{found[0].sub}" == DICOM
            if self._is_object:
                self._deposit.begin(self._study)
            else:
                self._deposit.fail(UNREADABLE, "a part that is no DICOM file")
        elif not self._is_object:
            pass
        elif isinstance(event, Data):
            await self._deposit.take(event.data)
        else:
            await self._deposit.end()

    async def cut(self) -> None:
        """The body ended within a part: that part failed."""
        if self._is_object:
            await self._deposit.drop()
            self._deposit.fail(UNREADABLE, "the body ends within this part")


def _answer(asked: Asked, media: str, outcomes: list[Outcome]) -> Response:
    status = status_of(outcomes)
    if status == NOT_NOW:
        raise _not_now(next(one.comment for one in outcomes if one.comment))
    for one in outcomes:
        if one.reason:
            asked.warn(f"{one.reason:04X} {one.comment}")
    found = data_set_of(outcomes, asked.base)
    body = to_xml(found) if media == DICOM_XML else dumped(found).encode()
    return Response(body, status, headers={"content-type": media})
