"""QIDO-RS over scripted PACS and an archive, asked without a socket."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.flows.scripted_pacs import IMAGE, LEVEL, SERIES, STUDY, ScriptedPacs, running
from tests.index.making import Shelf
from waystation.dicom.head import Head
from waystation.flows.federate import Federation
from waystation.flows.upstreams import Upstreams
from waystation.web.dicomweb import DicomWeb
from waystation.web.qido import Holdings, SearchTerms, search_resources
from waystation.web.qido_sources import Sources, SourceSearch, sources_resource
from waystation.web.terms import Terms

NAME, ID, DATE, MODALITY = 0x00100010, 0x00100020, 0x00080020, 0x00080060
MODALITIES, N_SERIES, N_IMAGES, CHARSET = 0x00080061, 0x00201206, 0x00201208, 0x00080005
STUDY_WORD, SERIES_WORD, IMAGE_WORD = "0020000D", "0020000E", "00080018"
FROM, AVAILABILITY = "00080054", "00080056"


class Site:
    """A frame over an archive and PACS, asked without a socket."""

    def __init__(self, shelf: Shelf, folder: Path, *pacs: ScriptedPacs) -> None:
        self.shelf = shelf
        self.pacs = pacs
        self.terms = SearchTerms()
        self.cached: set[str] = set()
        names = ("old", "new")
        self.upstreams = Upstreams(
            {
                name: one.terms(name, priority=10 * (n + 1), find_max=50)
                for n, (name, one) in enumerate(zip(names, pacs, strict=False))
            }
        )
        federation = Federation(self.upstreams, shelf.archive.search)
        sources = Sources(
            federation=federation, keep_s=lambda: 60.0, folder=folder, cached=self._cached
        )
        holdings = Holdings(search=shelf.archive.search, terms=lambda: self.terms, folder=folder)
        self.frame = DicomWeb(
            Terms, search_resources(holdings, SourceSearch(sources)), lambda: names[: len(pacs)]
        )
        self.frame.add([sources_resource(sources)])
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.frame, client=("127.0.0.1", 5000)),
            base_url="http://127.0.0.1:8080",
        )

    async def _cached(self, _source: str, studies: Iterable[str]) -> set[str]:
        return self.cached & set(studies)

    async def ask(self, path: str, root: str = "/dicom-web", **headers: str) -> httpx2.Response:
        fields = {"accept": "application/dicom+json", "accept-encoding": "identity", **headers}
        return await self.client.get(root + path, headers=fields)

    async def found(self, path: str) -> list[dict[str, Any]]:
        answer = await self.ask(path, accept="*/*")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()
        return rows


def warnings(answer: httpx2.Response) -> list[str]:
    return [text.partition(": ")[2] for text in answer.headers.get_list("warning")]


def studies(*rows: dict[int, Any]) -> Any:
    """Return a script that has these studies, each with one series and one object."""

    def script(head: Head) -> Iterable[dict[int, Any]]:
        level = head.text(LEVEL)
        for row in rows:
            asked = (head.raw(STUDY) or b"").decode().strip("\0 ").split("\\")
            if asked == [""] or row[STUDY] in asked:
                series, image = f"{row[STUDY]}.1", f"{row[STUDY]}.1.1"
                if level == "STUDY":
                    yield row
                elif level == "SERIES":
                    yield {STUDY: row[STUDY], SERIES: series, MODALITY: "CT"}
                else:
                    yield {STUDY: row[STUDY], SERIES: series, IMAGE: image}

    return script


def saying(item: int | str) -> Any:
    return lambda head: [item]


def study(uid: str, patient: str, day: str, **more: Any) -> dict[int, Any]:
    return {STUDY: uid, ID: patient, NAME: f"{patient}^X", DATE: day} | {
        int(tag, 16): text for tag, text in more.items()
    }


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def site_of(stack: AsyncExitStack, shelf: Shelf, folder: Path, *pacs: ScriptedPacs) -> Site:
    for one in pacs:
        await stack.enter_async_context(running(one))
    made = Site(shelf, folder, *pacs)
    stack.push_async_callback(made.client.aclose)
    stack.push_async_callback(made.upstreams.close)
    return made
