"""The DICOMweb resources over an archive of a test, asked without a socket."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from tests.index.making import Shelf, ct
from tests.web.standin import StandIn
from waystation.blobs.folder import BlobFolder
from waystation.flows.metadata import MetadataBelt
from waystation.index import object_texts
from waystation.index.object_texts import Described
from waystation.web.capabilities import capabilities
from waystation.web.dicomweb import DicomWeb, Resource
from waystation.web.metadata import Descriptions, metadata_resources
from waystation.web.qido import Holdings, SearchTerms, search_resources
from waystation.web.site import site
from waystation.web.terms import Terms

BASE = "http://127.0.0.1:8080"


class Web:
    """Asks; ``terms`` and ``search`` may be changed between two requests."""

    def __init__(self, resources: Sequence[Resource] = ()) -> None:
        self.terms = Terms()
        self.search = SearchTerms()
        self.now = 0.0
        self.frame = DicomWeb(lambda: self.terms, resources, clock=lambda: self.now)
        self.frame.add(capabilities(self.frame))
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(site(StandIn(), self.frame), client=("127.0.0.1", 5000)),
            base_url=BASE,
        )

    @classmethod
    def over(cls, shelf: Shelf, folder: Path) -> "Web":
        """Return one that searches a shelf."""
        made = cls()
        belt = MetadataBelt(shelf.database, BlobFolder(folder / "blobs"), ThreadPoolExecutor(1))
        made.frame.add(
            search_resources(
                Holdings(search=shelf.archive.search, terms=lambda: made.search, folder=folder)
            )
        )

        async def objects(path: Mapping[str, str]) -> Sequence[Described]:
            return await shelf.database.read(object_texts.objects(path))

        made.frame.add(metadata_resources(Descriptions(objects=objects, texts=belt.texts)))
        made.belt = belt
        return made

    belt: MetadataBelt

    async def ask(
        self, path: str, method: str = "GET", params: object = None, **headers: str
    ) -> httpx2.Response:
        """Send one request; underscores in header names are hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields.setdefault("accept", "*/*")
        fields.setdefault("accept-encoding", "identity")
        return await self._client.request(method, path, params=params or None, headers=fields)  # type: ignore[arg-type]

    async def found(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Return the matches of a search."""
        answer = await self.ask(path, params=params)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()
        return rows


def value(row: Mapping[str, Any], tag: str) -> Any:
    """Return the first value of an attribute, None if it is empty."""
    values = row[tag].get("Value", [None])
    return values[0]


def uids(rows: Sequence[Mapping[str, Any]], tag: str) -> list[str]:
    """Return the first value of an attribute of each match."""
    return [value(row, tag) for row in rows]


async def filled(shelf: Shelf, folder: Path) -> Web:
    """Return one over three studies of two series with two images each."""
    await shelf.put(
        *(
            ct(study, series, number, Rows=b"\x00\x02", SeriesDescription=f"Series {series}")
            for study in (1, 2, 3)
            for series in (1, 2)
            for number in (1, 2)
        )
    )
    return Web.over(shelf, folder)
