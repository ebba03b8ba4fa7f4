"""Asking a scripted PACS by an `Inquiry`: queries, the upstream, a PACS with two studies."""

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from tests.flows.scripted_pacs import IMAGE, LEVEL, SERIES, STUDY
from waystation.dicom.head import Head
from waystation.dicom.tags import vr_of
from waystation.flows.inquiry import Inquiry, Match
from waystation.flows.upstream import Upstream
from waystation.model.query import Key, Options, Query
from waystation.model.upstream import UpstreamFailed, UpstreamTerms

NAME, ID, DATE, TIME, MODALITY, MODALITIES = (
    *(0x00100010, 0x00100020, 0x00080020, 0x00080030, 0x00080060, 0x00080061),
)
NUMBER = 0x00200013


def query(level: str, keys: dict[int, str], **options: bool) -> Query:
    """Return a query; an empty text is a universal key."""
    made = [
        Key(tag, vr_of(tag), tuple(text.split("\\")) if text else ()) for tag, text in keys.items()
    ]
    return Query(level=level, options=Options(combined=True, **options)).with_keys(made)


@asynccontextmanager
async def upstream(terms: UpstreamTerms) -> AsyncIterator[Upstream]:
    made = Upstream(terms)
    try:
        yield made
    finally:
        await made.close()


async def found(one: Upstream, asked: Query, limit: int = 0) -> tuple[list[Match], list[str]]:
    inquiry = Inquiry(one, asked, limit=limit)
    async with aclosing(inquiry.run()) as matches:
        rows = [match async for match in matches]
    return rows, inquiry.warnings


async def fails(one: Upstream, asked: Query | None = None) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        await found(one, asked or query("STUDY", {ID: "1"}))
    return caught.value


def tree(head: Head) -> Iterable[dict[int, Any]]:
    """Two studies of one patient, each with two series of two objects."""
    level = head.text(LEVEL)
    for study in ("1.1", "1.2"):
        if head.text(STUDY) not in ("", study):
            continue
        if level == "STUDY":
            yield {STUDY: study, NAME: "Doe^Jane", ID: "1", DATE: "20200101", MODALITIES: "CT"}
            continue
        for series in (f"{study}.1", f"{study}.2"):
            if head.text(SERIES) not in ("", series):
                continue
            if level == "SERIES":
                yield {STUDY: study, SERIES: series, MODALITY: "CT"}
                continue
            for image in (f"{series}.1", f"{series}.2"):
                yield {STUDY: study, SERIES: series, IMAGE: image, NUMBER: image[-1]}
