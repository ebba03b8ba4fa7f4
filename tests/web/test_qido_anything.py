"""Whatever stands in a URL: an answer or a problem, never a failure of ours."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from waystation.index.search import Found, Search
from waystation.model.query import Query
from waystation.web.dicomweb import DicomWeb
from waystation.web.qido import Holdings, SearchTerms, search_resources
from waystation.web.terms import Terms


class Empty(Search):
    """A search that is made ready, and finds nothing."""

    def __init__(self, query: Query) -> None:
        super().__init__(None, None, query)  # type: ignore[arg-type]

    async def run(self) -> AsyncGenerator[Found, None]:
        """Yield nothing."""
        for found in list[Found]():
            yield found


FRAME = DicomWeb(
    Terms,
    search_resources(
        Holdings(search=Empty, terms=lambda: SearchTerms(tolerant=True), folder=Path())
    ),
)


async def status(path: str, query: bytes, accept: str) -> int:
    """Return the status of one request."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query,
        "headers": [(b"host", b"127.0.0.1"), (b"accept", accept.encode("latin-1", "replace"))],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await FRAME(scope, receive, send)
    found: int = sent[0]["status"]
    return found


KEYS = st.sampled_from(
    [
        "PatientID",
        "PatientName",
        "StudyDate",
        "StudyTime",
        "0020000D",
        "Modality",
        "Rows",
        "SOPClassUID",
        "PixelData",
        "RequestAttributesSequence.00400009",
        "includefield",
        "limit",
        "offset",
        "fuzzymatching",
        "accept",
        "charset",
        "emptyvaluematching",
        "multiplevaluematching",
        "00091001",
        "00090010",
        "TimezoneOffsetFromUTC",
        "NumberOfStudyRelatedInstances",
        "PatientSize",
        "00280009",
        "FrameIncrementPointer",
    ]
)
VALUES = st.text(max_size=12) | st.sampled_from(
    ["*", "?", '""', "1.2", "1.2,1.3", "20260101-", "-", "10-09", "all", "true", "A\\B", "+0100"]
)
PATHS = st.sampled_from(
    ["studies", "series", "instances", "studies/1.2/series", "sources/archive/studies", "x"]
)


@pytest.mark.req("W-34", "W-38", "W-12")
@given(
    PATHS | st.text(max_size=20),
    st.lists(st.tuples(KEYS | st.text(max_size=8), VALUES), max_size=5),
    st.sampled_from(["*/*", "application/json"]) | st.text(max_size=20),
)
def test_any_url_is_answered_or_refused(
    path: str, params: list[tuple[str, str]], accept: str
) -> None:
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in params).encode()
    found = asyncio.run(status(f"/dicom-web/{path}", query, accept))
    assert found in (200, 400, 404, 405, 406)


@given(st.binary(max_size=60))
def test_any_bytes_of_a_query_are_answered_or_refused(query: bytes) -> None:
    assert asyncio.run(status("/dicom-web/studies", query, "*/*")) in (200, 400, 406)
