"""QIDO-RS over PACS: one by its own root, and all of them with our archive on the plain one."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.flows.scripted_pacs import (
    ABORT,
    IMAGE,
    LEVEL,
    SERIES,
    SILENT,
    STUDY,
    ScriptedPacs,
    running,
    until,
)
from tests.index.conftest import shelf
from tests.index.making import Shelf, ct
from tests.web.dicomweb import uids, value
from waystation.dicom.head import Head
from waystation.dicomweb.xml_model import from_xml
from waystation.flows.federate import Federation
from waystation.flows.upstreams import Upstreams
from waystation.web.dicomweb import DicomWeb
from waystation.web.qido import Holdings, SearchTerms, search_resources
from waystation.web.qido_sources import Sources, SourceSearch, sources_resource
from waystation.web.terms import Terms

__all__ = ("shelf",)
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


ROUTES = [
    ("/studies", "STUDY", {}),
    ("/studies/1.1/series", "SERIES", {STUDY: "1.1"}),
    ("/studies/1.1/series/1.1.1/instances", "IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}),
    ("/studies/1.1/instances", "IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}),
    ("/series?StudyInstanceUID=1.1", "SERIES", {STUDY: "1.1"}),
    ("/instances?StudyInstanceUID=1.1", "IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}),
]


@pytest.mark.req("W-1", "W-2", "W-20", "W-21", "W-22", "W-23", "W-24", "W-25", "W-26")
async def test_every_route_carries_the_uids_of_its_path_to_the_pacs(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = ScriptedPacs(studies(study("1.1", "P1", "20200101"), study("1.2", "P2", "20200102")))
    site = await site_of(stack, shelf, tmp_path, old)
    for root in ("/dicom-web", "/qido-rs", "/wado-rs"):
        for path, level, parents in ROUTES:
            old.asked.clear()
            answer = await site.ask(f"/sources/old{path}", root)
            assert answer.status_code == 200, answer.text
            rows = answer.json()
            assert len(rows) == (2 if path == "/studies" else 1)
            assert value(rows[0], STUDY_WORD).startswith("1.")
            head = old.asked[-1]
            assert head.text(LEVEL) == level
            assert {tag: head.text(tag) for tag in parents} == parents
            url = value(rows[0], "00081190")
            assert url.startswith(f"http://127.0.0.1:8080{root}/sources/old/studies/1.")


@pytest.mark.req("W-126", "W-127", "W-128", "W-33", "W-50", "W-5")
async def test_sources_are_merged_by_uid_and_patients_never_mixed(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.put(ct(1, StudyInstanceUID="1.3", PatientID="OWN", StudyDate="20200103"))
    # The same positions hold other patients; 1.2 lies at both, and at one of them as another's.
    old = ScriptedPacs(
        studies(
            study("1.1", "P1", "20200101"),
            study("1.2", "P2", "20200102", **{"00080061": "CT", "00201208": "7"}),
        )
    )
    new = ScriptedPacs(
        studies(
            study("1.2", "Q2", "20200102", **{"00080061": "PT", "00201208": "9"}),
            study("1.3", "OWN", "20200103"),
            study("1.4", "Q4", "20200104"),
        )
    )
    site = await site_of(stack, shelf, tmp_path, old, new)
    site.cached = {"1.1"}
    answer = await site.ask("/studies?includefield=QueryRetrieveLevel")
    rows = answer.json()
    assert uids(rows, STUDY_WORD) == ["1.4", "1.3", "1.2", "1.1"]
    found = {value(row, STUDY_WORD): row for row in rows}
    assert [value(found[uid], "00100020") for uid in ("1.1", "1.2", "1.3", "1.4")] == [
        *("P1", "P2", "OWN", "Q4"),
    ]
    assert value(found["1.2"], "00100010") == {"Alphabetic": "P2^X"}
    assert found["1.2"]["00080061"]["Value"] == ["CT", "PT"]
    assert value(found["1.2"], "00201208") == 9
    assert {uid: row[FROM]["Value"] for uid, row in found.items()} == {
        "1.1": ["old"],
        "1.2": ["old", "new"],
        "1.3": ["archive", "new"],
        "1.4": ["new"],
    }
    assert {uid: value(row, AVAILABILITY) for uid, row in found.items()} == {
        "1.1": "ONLINE",
        "1.2": "NEARLINE",
        "1.3": "ONLINE",
        "1.4": "NEARLINE",
    }
    assert all("00080052" not in row or "Value" not in row["00080052"] for row in rows)
    assert warnings(answer) == ["sources old and new name different patients for one study"]
    assert value(found["1.1"], "00081190") == "http://127.0.0.1:8080/dicom-web/studies/1.1"


@pytest.mark.req("W-129", "W-62", "W-52")
async def test_a_source_that_fails_is_a_warning_where_another_has_matches_and_an_error_else(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old, new = ScriptedPacs(lambda head: [0xC001]), ScriptedPacs(studies(study("1.1", "P", "2020")))
    site = await site_of(stack, shelf, tmp_path, old, new)
    answer = await site.ask("/studies")
    assert uids(answer.json(), STUDY_WORD) == ["1.1"]
    (text,) = warnings(answer)
    assert text.startswith("source old did not answer (answered C001")
    new.answer = studies()
    answer = await site.ask("/studies")
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["source"], problem["dimse_status"]) == ("old", "C001")
    # Both fail: what they have in common decides.
    for first, second, status in (
        (SILENT, SILENT, 504),
        (0xA700, 0xA700, 503),
        (0xA700, SILENT, 503),
        (0xA700, 0xA900, 502),
    ):
        old.answer, new.answer = saying(first), saying(second)
        answer = await site.ask("/studies")
        assert answer.status_code == status, (first, second)
        assert answer.json()["source"] == "old, new"
        assert ("retry-after" in answer.headers) == (status == 503)
    assert site.upstreams.federated[0].down is None


@pytest.mark.req("W-129")
async def test_a_source_that_is_down_is_passed_over_at_once_and_looked_for(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.upstreams.LOOKS_S", (0.02,))
    await shelf.put(ct(1))
    old = ScriptedPacs(studies(study("1.1", "P", "20200101")))
    site = await site_of(stack, shelf, tmp_path, old)
    await old.stop()
    first, second = await site.ask("/studies"), await site.ask("/studies")
    assert warnings(first) == warnings(second)
    assert "source old did not answer (127.0.0.1" in warnings(first)[0]
    upstream = site.upstreams.get("old")
    assert upstream is not None
    assert upstream.down is not None
    (listed,) = [one for one in (await site.found("/sources")) if one["name"] == "old"]
    assert listed == {"name": "old", "kind": "pacs", "health": "down", "federated": True}
    belt = asyncio.create_task(site.upstreams.run())
    await old.start()
    await until(lambda: upstream.down is None)
    belt.cancel()
    assert len(await site.found("/studies")) == 2


@pytest.mark.req("W-62")
@pytest.mark.parametrize(
    ("item", "status"),
    [(0xA700, 503), (0xA900, 502), (0xC000, 502), (0xFE00, 502), (ABORT, 502), (SILENT, 504)],
)
async def test_one_pacs_alone_fails_with_the_status_of_its_failure(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path, item: int | str, status: int
) -> None:
    old = ScriptedPacs(lambda head: [study("1.1", "P", "20200101"), item])
    site = await site_of(stack, shelf, tmp_path, old)
    answer = await site.ask("/sources/old/studies")
    assert answer.status_code == status
    assert answer.json()["retryable"] is (status in (503, 504))
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "P" not in answer.json()["detail"].split()


@pytest.mark.req("W-3", "W-4", "W-92")
async def test_sources_that_are_none_are_not_found_and_nothing_is_stored_at_a_pacs(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    site = await site_of(stack, shelf, tmp_path, ScriptedPacs())
    for path in ("/sources/nobody/studies", "/sources/NEW/studies", "/sources/old"):
        assert (await site.ask(path)).status_code == 404
    answer = await site.client.post("/dicom-web/sources/old/studies", content=b"")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert (await site.ask("/sources/archive/studies")).json() == []
    assert not site.pacs[0].asked


@pytest.mark.req("W-32", "W-33", "W-59", "W-132")
async def test_pages_of_one_pacs_keep_its_order_and_are_cancelled_behind_the_page(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    rows = [study(f"1.{n}", "P", f"2020010{n % 9 + 1}") for n in (5, 3, 9, 1, 7, 2)]
    old = ScriptedPacs(studies(*rows))
    site = await site_of(stack, shelf, tmp_path, old)
    first = await site.ask("/sources/old/studies?limit=2")
    assert uids(first.json(), STUDY_WORD) == ["1.5", "1.3"]
    assert warnings(first) == ["There are at least 1 additional results that can be requested"]
    await until(lambda: old.cancelled)
    # The PACS turns its answers round: what was given keeps its place.
    old.answer = studies(*reversed(rows))
    second = await site.ask("/sources/old/studies?limit=2&offset=2")
    assert uids(second.json(), STUDY_WORD) == ["1.9", "1.2"]
    asked = len(old.asked)
    again = await site.ask("/sources/old/studies?limit=2&offset=1")
    assert uids(again.json(), STUDY_WORD) == ["1.3", "1.9"]
    assert len(old.asked) == asked, "kept"
    everything = []
    for offset in range(0, 8, 2):
        answer = await site.ask(f"/sources/old/studies?limit=2&offset={offset}")
        everything += uids(answer.json(), STUDY_WORD)
    assert sorted(everything) == sorted(row[STUDY] for row in rows)
    assert not warnings(answer)


@pytest.mark.req("W-132", "W-130", "W-32")
async def test_pages_of_the_merged_set_fit_together_and_its_size_is_bounded(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.put(*(ct(n) for n in range(1, 6)))
    many = (study(f"1.{n}", "P", "20190101") for n in range(1, 70))
    old, new = ScriptedPacs(studies(*many)), ScriptedPacs(studies(study("1.3", "P", "20190101")))
    site = await site_of(stack, shelf, tmp_path, old, new)
    pages = []
    for offset in range(0, 60, 20):
        answer = await site.ask(f"/studies?limit=20&offset={offset}")
        pages += uids(answer.json(), STUDY_WORD)
        assert "source old has more than 50 matches; narrow the query" in warnings(answer)
    assert len(pages) == len(set(pages)) == 55
    assert len(old.asked) == len(new.asked) == 1
    site.terms = SearchTerms(most=10)
    answer = await site.ask("/studies")
    assert len(answer.json()) == 10
    other = await site.client.get(
        "/dicom-web/studies", headers={"accept": "application/dicom+json"}
    )
    assert other.status_code == 200


@pytest.mark.req("W-55", "W-57", "W-58")
@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        ("ISO_IR 126", "iso8859-7", "Διονυσιος"),
        ("ISO_IR 192", "utf-8", "Buc^Jérôme"),
        ("GB18030", "gb18030", "Wang^XiaoDong=王^小东"),
        ("\\ISO 2022 IR 149", "", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("\\ISO 2022 IR 87", "", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
async def test_names_of_any_script_go_there_and_back(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path, charset: str, codec: str, name: str
) -> None:
    from waystation.dicom.charsets import encode

    raw = encode(name, charset, "PN")
    row = {STUDY: "1.1", NAME: raw, CHARSET: charset.encode()}
    old = ScriptedPacs(lambda head: [row])
    site = await site_of(stack, shelf, tmp_path, old)
    site.upstreams.change({"old": old.terms(charset=charset)})
    answer = await site.client.get(
        "/dicom-web/sources/old/studies",
        params={"PatientName": name},
        headers={"accept": "application/dicom+json"},
    )
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()
    parts = value(found, "00100010")
    words = ("Alphabetic", "Ideographic", "Phonetic")
    assert "=".join(parts[word] for word in words if word in parts) == name
    assert (old.asked[0].raw(NAME) or b"").strip() == raw.strip()
    assert old.asked[0].charset("") == charset


@pytest.mark.req("W-55", "W-57")
async def test_what_a_pacs_cannot_be_told_and_what_cannot_be_read_is_a_warning(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = ScriptedPacs(studies(study("1.1", "P", "20200101")))
    site = await site_of(stack, shelf, tmp_path, old)
    ask = {"accept": "application/dicom+json"}
    answer = await site.client.get(
        "/dicom-web/sources/old/studies", params={"PatientName": "山田*"}, headers=ask
    )
    assert answer.json() == []
    assert "PatientName" in warnings(answer)[0]
    assert not old.asked
    old.answer = lambda head: [{STUDY: "1.1", NAME: b"\xff\xfe^A", CHARSET: b"ISO_IR 192"}]
    answer = await site.ask("/sources/old/studies")
    assert "\ufffd" in value(answer.json()[0], "00100010")["Alphabetic"]
    assert any("could not be read" in text for text in warnings(answer))


@pytest.mark.req("W-35", "W-38", "W-29", "W-49", "W-54")
async def test_parameters_mean_the_same_at_a_pacs(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = ScriptedPacs(studies(study("1.1", "P", "20200101", **{"00080061": "CT"})))
    site = await site_of(stack, shelf, tmp_path, old)
    assert (await site.ask("/sources/old/studies?SeriesNumber=3")).status_code == 400
    assert (await site.ask("/sources/old/studies?StudyDate=2026-13-01")).status_code == 400
    assert (await site.ask("/sources/old/studies?PatienID=1")).status_code == 400
    assert not old.asked
    (row,) = await site.found("/sources/old/studies?Modality=CT")
    assert old.texts()["ModalitiesInStudy"] == "CT"
    assert "Value" not in row["00201208"], "a count that was not sent is empty"
    assert await site.found("/sources/old/studies?Modality=MR") == []
    await site.found("/sources/old/studies?includefield=all")
    assert {"StudyDescription", "SOPClassesInStudy", "PatientComments"} <= old.texts().keys()
    await site.found("/sources/old/studies/1.1/series/1.1.1/instances?includefield=all")
    assert {"SOPClassUID", "Rows", "ContentDate", "NumberOfFrames"} <= old.texts().keys()
    kind = 'multipart/related; type="application/dicom+xml"'
    answer = await site.ask("/sources/old/studies", accept=kind)
    document = answer.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    assert value(from_xml(document), STUDY_WORD) == "1.1"


@pytest.mark.req("W-30")
async def test_fuzzy_matching_is_asked_for_only_when_it_is_wanted_and_its_lack_is_told(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = ScriptedPacs(studies(study("1.1", "P", "20200101")))
    site = await site_of(stack, shelf, tmp_path, old)
    answer = await site.ask("/sources/old/studies?PatientName=P&fuzzymatching=true")
    assert warnings(answer) == [
        "The fuzzymatching parameter is not supported. Only literal matching has been performed."
        " (source old)"
    ]
    await site.ask("/sources/old/studies?PatientName=P")
    sop_class = "1.2.840.10008.5.1.4.1.2.2.1"
    assert old.offered == [{sop_class: b"\0\0\1"}, {}]


@pytest.mark.req("W-59")
async def test_a_caller_that_goes_away_ends_the_query(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = ScriptedPacs(lambda head: [SILENT])
    site = await site_of(stack, shelf, tmp_path, old)
    site.upstreams.change({"old": old.terms(find_s=30.0)})
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if (message := next(messages, None)) is not None:
            return message
        await until(lambda: old.asked)
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/dicom-web/sources/old/studies",
        "raw_path": b"/dicom-web/sources/old/studies",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"127.0.0.1:8080")],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8080),
    }
    async with asyncio.timeout(5):
        await site.frame(scope, receive, send)
    await until(lambda: old.cancelled)
