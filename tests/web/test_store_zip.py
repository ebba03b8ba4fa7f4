"""Archives of files over STOW-RS: what is taken, and what a hostile one costs."""

import io
import struct
import zipfile
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.flows.rig import Rig
from tests.objects.samples import as_file, study
from tests.web.living import Living
from waystation.dicomweb.stow import read_answer
from waystation.web import stow_zip

pytestmark = pytest.mark.asyncio(loop_scope="module")
ZIP = "application/zip"
SENT = study(4, "zipped", "tiny")
FILES = [as_file(one) for one in SENT]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Living]:
    """Return one node for all of them."""
    made = Rig(tmp_path_factory.mktemp("zipped"))
    await made.start()
    yield Living(made)
    await made.close()


def packed(*files: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        for number, file in enumerate(files):
            archive.writestr(f"../{number}/", "")
            archive.writestr(f"../{number}.dcm", file)
    return body.getvalue()


async def post(web: Living, body: bytes | AsyncIterator[bytes]) -> httpx2.Response:
    return await web.ask("/studies", "POST", content=body, content_type=ZIP)


def told(answer: httpx2.Response) -> tuple[set[str], int]:
    """Return what was stored, and how many parts failed without a name."""
    found = read_answer(answer.content)
    assert found is not None
    return set(found.stored), found.unnamed


@pytest.mark.req("R-19")
async def test_the_files_of_an_archive_are_stored_and_others_are_told(web: Living) -> None:
    answer = await post(web, packed(FILES[0], b"a note", FILES[1]))
    assert answer.status_code == 202
    assert told(answer) == ({one.sop_instance for one in SENT[:2]}, 1)
    for body in (b"", b"no archive", packed(), packed(FILES[0])[:-1]):
        assert (await post(web, body)).status_code == 400


@pytest.mark.req("R-19", "L27")
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_what_is_packed_so_that_its_size_is_not_bounded_is_not_unpacked(
    web: Living, method: int
) -> None:
    mixed = io.BytesIO(packed(FILES[0]))
    with zipfile.ZipFile(mixed, "a") as archive:
        archive.writestr("bomb", FILES[1], method)
    answer = await post(web, mixed.getvalue())
    assert answer.status_code == 202
    assert told(answer) == ({SENT[0].sop_instance}, 1)
    assert "packed in a way that is not taken" in answer.headers["warning"]


@pytest.mark.req("L27")
async def test_a_list_of_entries_is_bounded_before_it_is_held(
    web: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = packed(*[b""] * 30)
    monkeypatch.setattr(stow_zip, "LARGEST_LIST", 1000)
    assert (await post(web, many)).status_code == 413
    # A list that says of itself that it is short is no longer for it.
    end = many.rfind(b"PK\5\6")
    lying = many[: end + 8] + struct.pack("<HH", 1, 1) + many[end + 12 :]
    assert (await post(web, lying)).status_code == 413
    monkeypatch.setattr(stow_zip, "LARGEST_LIST", 1 << 20)
    monkeypatch.setattr(stow_zip, "MOST_ENTRIES", 29)
    assert (await post(web, many)).status_code == 413
    monkeypatch.setattr(stow_zip, "MOST_ENTRIES", 10)
    assert (await post(web, many)).json()["detail"].startswith("The list of files")


@pytest.mark.req("R-19")
async def test_an_entry_that_cannot_be_unpacked_costs_no_other(web: Living) -> None:
    body = bytearray(packed(FILES[0], FILES[1], FILES[2], method=zipfile.ZIP_STORED))
    # The place of the second one is said to be behind the end of everything.
    struct.pack_into("<L", body, body.rfind(b"../1.dcm") - 4, 0xFFFFFFF0)
    answer = await post(web, bytes(body))
    assert answer.status_code == 202
    assert told(answer) == ({SENT[0].sop_instance, SENT[2].sop_instance}, 1)


@pytest.mark.req("L27")
async def test_more_than_may_come_out_ends_it_and_what_was_stored_is_answered_for(
    web: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow_zip, "MOST_BYTES", len(FILES[0]) + 10)
    answer = await post(web, packed(*FILES))
    assert answer.status_code == 202
    assert told(answer) == ({SENT[0].sop_instance}, 1)
    assert "unpacks to more than" in answer.headers["warning"]


@pytest.mark.req("E1")
async def test_a_body_is_not_taken_to_its_end_once_nothing_may_be_stored(
    web: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow_zip, "ASK_BYTES", 100)
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 50:
            sent += 1
            if sent == 3:
                web.rig.node.sweep.stopped_why = "the disk is full"
            yield bytes(100)

    try:
        answer = await post(web, body())
    finally:
        web.rig.node.sweep.stopped_why = ""
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    assert "the disk is full" in answer.text
    assert sent < 50
