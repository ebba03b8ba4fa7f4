"""QIDO-RS over one PACS by its own root: parameters, pages, characters, failures."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.flows.scripted_pacs import (
    ABORT,
    SILENT,
    STUDY,
    ScriptedPacs,
    until,
)
from tests.index.conftest import shelf
from tests.index.making import Shelf
from tests.web.dicomweb import uids, value
from tests.web.sources import (
    CHARSET,
    NAME,
    STUDY_WORD,
    site_of,
    stack,
    studies,
    study,
    warnings,
)
from waystation.dicomweb.json_model import dumped
from waystation.dicomweb.xml_model import from_xml
from waystation.web import qido_page, qido_sources
from waystation.web.qido_page import Page

__all__ = ("shelf", "stack")


@pytest.mark.req("W-62", "WT-1")
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
    other = await site.ask("/sources/old/studies?limit=2&offset=1", authorization="Bearer x")
    assert len(old.asked) > asked, "for that caller only"
    assert uids(other.json(), STUDY_WORD) == ["1.7", "1.1"]
    everything = []
    for offset in range(0, 8, 2):
        answer = await site.ask(f"/sources/old/studies?limit=2&offset={offset}")
        everything += uids(answer.json(), STUDY_WORD)
    assert sorted(everything) == sorted(row[STUDY] for row in rows)
    assert not warnings(answer)


async def test_others_have_their_turn_between_rows_and_each_row_is_written_once(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qido_sources, "LOOK_EVERY", 1)
    turns, made, sent = 0, list[int](), list[int]()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def noted(row: Any) -> str:
        made.append(turns)
        return dumped(row)

    def added(page: Page, text: str) -> None:
        sent.append(turns)
        page._write(text)

    rows = [study(f"1.{n}", "P", "20200101") for n in range(1, 5)]
    site = await site_of(stack, shelf, tmp_path, ScriptedPacs(studies(*rows)))
    for module in (qido_sources, qido_page):
        monkeypatch.setattr(module, "dumped", noted)
    monkeypatch.setattr(Page, "add_text", added)
    busy = asyncio.create_task(others())
    answer = await site.ask("/sources/old/studies")
    busy.cancel()
    assert len(answer.json()) == 4
    assert len(set(made)) == len(made) == 4
    assert len(set(sent)) == len(sent) == 4


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
    async with asyncio.timeout(30):
        await site.frame(scope, receive, send)
    await until(lambda: old.cancelled)
