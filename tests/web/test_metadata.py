"""Metadata: made ahead, streamed, told apart by its tag."""

from pathlib import Path

import pytest

from tests.index.conftest import shelf
from tests.index.making import Shelf, ct
from tests.web.dicomweb import Web, value
from waystation.dicomweb.json_model import EDITION
from waystation.dicomweb.xml_model import from_xml
from waystation.flows import metadata as belt
from waystation.web import metadata

__all__ = ("shelf",)

STUDY = "/dicom-web/studies/1.2.3.1"
XML = 'multipart/related; type="application/dicom+xml"'


@pytest.fixture
async def web(shelf: Shelf, tmp_path: Path) -> Web:
    """Return a study of two series with three images each, and another study."""
    said: dict[str, object] = {"60003000": bytes(300), "PixelData": bytes(8)}
    await shelf.put(*(ct(1, series, n) | said for series in (1, 2) for n in (1, 2, 3)), ct(2))
    return Web.over(shelf, tmp_path)


def instance(path: str) -> str:
    return f"http://127.0.0.1:8080{path}"


@pytest.mark.req("W-64", "W-78", "W-5")
@pytest.mark.parametrize(
    ("path", "n"),
    [("", 6), ("/series/1.2.3.1.2", 3), ("/series/1.2.3.1.2/instances/1.2.3.1.2.3", 1)],
)
async def test_every_level_has_its_metadata(web: Web, path: str, n: int) -> None:
    rows = await web.found(f"{STUDY}{path}/metadata")
    assert len(rows) == n
    last = rows[-1]
    assert value(last, "00080018") == "1.2.3.1.2.3"
    assert value(last, "00100010") == {"Alphabetic": "Name1^First"}
    bulk = f"{STUDY}/series/1.2.3.1.2/instances/1.2.3.1.2.3/bulkdata/"
    assert last["7FE00010"]["BulkDataURI"] == instance(bulk + "7FE00010")
    assert last["60003000"]["BulkDataURI"] == instance(bulk + "60003000")
    assert not any(tag.startswith("0002") for tag in last)


@pytest.mark.req("W-14", "W-64", "W-78")
async def test_a_long_study_is_streamed_in_pieces(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await web.ask(f"{STUDY}/metadata")
    monkeypatch.setattr(metadata, "TOGETHER", 2)
    pieces = await web.ask(f"{STUDY}/metadata")
    assert pieces.content == whole.content
    assert "content-length" in whole.headers
    assert "content-length" not in pieces.headers


@pytest.mark.req("W-54", "W-64", "WT-4")
async def test_metadata_in_xml_says_the_same(web: Web) -> None:
    rows = await web.found(f"{STUDY}/metadata")
    answer = await web.ask(f"{STUDY}/metadata", accept=XML)
    boundary = answer.headers["content-type"].rpartition("boundary=")[2]
    _, *parts, end = answer.content.split(b"--" + boundary.encode())
    assert end == b"--\r\n"
    documents = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts]
    assert [from_xml(document) for document in documents] == rows


@pytest.mark.req("W-81")
@pytest.mark.parametrize("accept", ["application/json", XML])
async def test_fields_leave_the_names_and_what_was_asked_for(web: Web, accept: str) -> None:
    answer = await web.ask(f"{STUDY}/metadata?includefield=PatientID,00080060", accept=accept)
    assert answer.text.count("00100020") == 6
    assert "00100010" not in answer.text
    rows = await web.found(f"{STUDY}/metadata", includefield="00080060")
    assert set(rows[0]) == {"00080016", "00080018", "00080060", "0020000D", "0020000E"}


@pytest.mark.req("W-18")
async def test_what_is_known_is_not_sent_again(web: Web, shelf: Shelf) -> None:
    first = await web.ask(f"{STUDY}/metadata")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = await web.ask(f"{STUDY}/metadata", if_none_match=f'"x", {tag}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for other in (
        f"{STUDY}/metadata?includefield=PatientID",
        STUDY.replace("dicom-web", "wado-rs"),
    ):
        path = other if "?" in other else other + "/metadata"
        assert (await web.ask(path, if_none_match=tag)).status_code == 200
    await shelf.put(ct(1, 3))
    assert (await web.ask(f"{STUDY}/metadata", if_none_match=tag)).status_code == 200


@pytest.mark.req("W-79")
async def test_what_was_made_ahead_is_served_without_the_objects(web: Web, shelf: Shelf) -> None:
    after = await web.belt.some(0)
    assert after is not None
    assert await web.belt.some(after) is None
    before = (await web.ask(f"{STUDY}/metadata")).content
    await shelf.run("DELETE FROM parcel")
    assert (await web.ask(f"{STUDY}/metadata")).content == before


@pytest.mark.req("W-79")
async def test_what_was_asked_for_first_is_kept(web: Web, shelf: Shelf) -> None:
    await web.ask(f"{STUDY}/metadata")
    await shelf.run("UPDATE arrival SET id = id")
    assert await shelf.rows("SELECT count(*) FROM instance_metadata") == [(6,)]


async def test_an_older_edition_is_made_anew(
    web: Web, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web.belt.some(0)
    monkeypatch.setattr(belt, "EDITION", EDITION + 1)
    assert await web.belt.some(0) is not None
    assert await web.belt.some(0) is None
    rows = await shelf.rows("SELECT DISTINCT edition FROM instance_metadata")
    assert rows == [(EDITION + 1,)]


@pytest.mark.req("W-89", "W-17")
async def test_what_is_not_here_is_404_with_and_without_a_body(web: Web) -> None:
    for path in (
        "/dicom-web/studies/9.9",
        f"{STUDY}/series/9",
        f"{STUDY}/series/1.2.3.1.1/instances/9",
    ):
        assert (await web.ask(path + "/metadata")).status_code == 404
        assert (await web.ask(path + "/metadata", "HEAD")).status_code == 404
    assert (await web.ask(f"{STUDY}/metadata", "HEAD")).status_code == 200


@pytest.mark.req("W-16")
async def test_an_object_that_cannot_be_read_is_an_error_and_never_left_out(
    web: Web, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf.run("DELETE FROM parcel WHERE arrival = (SELECT max(arrival) FROM parcel)")
    whole = await web.ask("/dicom-web/studies/1.2.3.2/metadata")
    assert whole.status_code == 503
    await shelf.run(
        "DELETE FROM parcel WHERE arrival IN (SELECT arrival FROM instance"
        " WHERE sop_instance = '1.2.3.1.2.3')"
    )
    monkeypatch.setattr(metadata, "TOGETHER", 2)
    with pytest.raises(Exception, match="cannot be read"):
        await web.ask(f"{STUDY}/metadata")
