"""QIDO-RS over the archive: six resources, their keys, pages and fields."""

from pathlib import Path

import pytest

from tests.index.conftest import shelf
from tests.index.making import Shelf
from tests.web.dicomweb import Web, filled, uids, value
from waystation.dicomweb.xml_model import from_xml
from waystation.web import qido, spool
from waystation.web.qido import SearchTerms

__all__ = ("shelf",)

STUDY, SERIES, INSTANCE, URL = "0020000D", "0020000E", "00080018", "00081190"
XML = 'multipart/related; type="application/dicom+xml"'


@pytest.fixture
async def web(shelf: Shelf, tmp_path: Path) -> Web:
    return await filled(shelf, tmp_path)


ONE = "/dicom-web/studies/1.2.3.1"


@pytest.mark.req("W-20", "W-21", "W-22", "W-23", "W-24", "W-25", "W-26")
@pytest.mark.parametrize(
    ("path", "tag", "found"),
    [
        ("/dicom-web/studies", STUDY, ["1.2.3.3", "1.2.3.2", "1.2.3.1"]),
        (f"{ONE}/series", SERIES, ["1.2.3.1.1", "1.2.3.1.2"]),
        (f"{ONE}/series/1.2.3.1.2/instances", INSTANCE, ["1.2.3.1.2.1", "1.2.3.1.2.2"]),
        (f"{ONE}/series/1.2.3.2.2/instances", INSTANCE, []),
        (
            f"{ONE}/instances",
            INSTANCE,
            ["1.2.3.1.1.1", "1.2.3.1.1.2", "1.2.3.1.2.1", "1.2.3.1.2.2"],
        ),
        ("/dicom-web/series?StudyInstanceUID=1.2.3.2", SERIES, ["1.2.3.2.1", "1.2.3.2.2"]),
        (
            "/dicom-web/instances?SeriesInstanceUID=1.2.3.3.1",
            INSTANCE,
            ["1.2.3.3.1.1", "1.2.3.3.1.2"],
        ),
        ("/dicom-web/studies/1.2.3.9/series", SERIES, []),
    ],
)
async def test_each_resource_keeps_to_its_parents(
    web: Web, path: str, tag: str, found: list[str]
) -> None:
    assert uids(await web.found(path), tag) == found


REQUIRED = {
    "/studies": "00080005 00080020 00080030 00080050 00080054 00080056 00080061 00080090 00081190"
    " 00100010 00100020 00100030 00100040 0020000D 00200010 00201206 00201208",
    "/studies/1.2.3.1/series": "00080005 00080054 00080056 00080060 0008103E 00081190 0020000D"
    " 0020000E 00200011 00201209",
    "/studies/1.2.3.1/series/1.2.3.1.1/instances": "00080005 00080016 00080018 00080054 00080056"
    " 00081190 00083002 0020000D 0020000E 00200013 00280010",
}
REQUIRED["/series"] = f"{REQUIRED['/studies']} {REQUIRED['/studies/1.2.3.1/series']}"
OF_SERIES = "/studies/1.2.3.1/series/1.2.3.1.1/instances"
REQUIRED["/studies/1.2.3.1/instances"] = (
    f"{REQUIRED[OF_SERIES]} {REQUIRED['/studies/1.2.3.1/series']}"
)
REQUIRED["/instances"] = f"{REQUIRED['/studies/1.2.3.1/instances']} {REQUIRED['/studies']}"


@pytest.mark.req("W-36", "W-46", "W-47", "W-48", "W-49", "W-50", "WT-5")
@pytest.mark.parametrize("path", sorted(REQUIRED))
async def test_the_defaults_come_back_unasked_and_in_order(web: Web, path: str) -> None:
    for row in await web.found("/dicom-web" + path):
        assert list(row) == sorted(set(REQUIRED[path].split()))


@pytest.mark.req("W-5", "W-46", "W-47", "W-48")
async def test_each_match_tells_where_it_can_be_had(web: Web) -> None:
    root = "http://127.0.0.1:8080/wado-rs/sources/archive/studies/1.2.3.1"
    path = "/wado-rs/sources/archive"
    (study,) = await web.found(path + "/studies", StudyInstanceUID="1.2.3.1")
    assert value(study, URL) == root
    assert value(study, "00080054") == "archive"
    (series,) = await web.found(path + "/series", SeriesInstanceUID="1.2.3.1.2")
    assert value(series, URL) == f"{root}/series/1.2.3.1.2"
    (image,) = await web.found(path + "/instances", SOPInstanceUID="1.2.3.1.2.1")
    assert value(image, URL) == f"{root}/series/1.2.3.1.2/instances/1.2.3.1.2.1"


@pytest.mark.req("W-29", "W-49", "WT-5")
async def test_keys_and_fields_come_back_but_nothing_of_a_lower_level(web: Web) -> None:
    (row,) = await web.found(
        "/dicom-web/studies",
        PatientID="P2",
        StudyDescription="",
        includefield="PatientSize,Rows,00080060,00200011",
    )
    assert row["00081030"] == {"vr": "LO"}
    assert row["00101020"] == {"vr": "DS"}
    assert not {"00280010", "00080060", "00200011"} & row.keys()


@pytest.mark.req("W-29", "WT-5")
@pytest.mark.parametrize("fields", ["all", "PatientID,all", ["all", "PatientID"]])
async def test_all_is_everything_we_hold_of_the_level(web: Web, fields: object) -> None:
    image = (await web.found(OF_SERIES.join(["/dicom-web", ""]), includefield=fields))[0]
    assert value(image, "00280010") == 512
    assert value(image, "00100020") == "P1"
    study = (await web.found("/dicom-web/studies", includefield=fields))[0]
    assert value(study, "00080062") == "1.2.840.10008.5.1.4.1.1.2"
    assert "00101020" not in study


@pytest.mark.req("W-28", "W-45", "WT-5")
@pytest.mark.parametrize(
    "query",
    [
        "StudyInstanceUID=1.2.3.1,1.2.3.3",
        "StudyInstanceUID=1.2.3.1%5C1.2.3.3",
        "0020000D=1.2.3.1&StudyInstanceUID=1.2.3.3",
    ],
)
@pytest.mark.parametrize(("path", "n"), [("studies", 2), ("series", 4), ("instances", 8)])
async def test_lists_of_uids_find_the_same_at_every_level(
    web: Web, query: str, path: str, n: int
) -> None:
    rows = await web.found(f"/dicom-web/{path}?{query}")
    assert len(rows) == n
    assert {value(row, STUDY) for row in rows} == {"1.2.3.1", "1.2.3.3"}


@pytest.mark.req("W-34", "W-38", "WT-2", "WT-19")
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("PatienID=1", "PatienID"),
        ("limit=-1", "limit"),
        ("offset=x", "offset"),
        ("StudyDate=2026-13-01", "StudyDate"),
        ("StudyInstanceUID=1.2.x", "StudyInstanceUID"),
        ("StudyInstanceUID=1.2.*", "StudyInstanceUID"),
        ("PatientID=a&PatientID=b", "PatientID"),
        ("fuzzymatching=1", "fuzzymatching"),
        ("00091001=1", "00091001"),
        ("RequestAttributesSequence=1", "RequestAttributesSequence"),
        ("PatientID.PatientName=1", "PatientID"),
        ("charset=latin1", "charset"),
        ("TimezoneOffsetFromUTC=1", "TimezoneOffsetFromUTC"),
        ("PixelData=1", "PixelData"),
    ],
)
async def test_what_cannot_be_understood_is_named_and_never_widens(
    web: Web, query: str, named: str
) -> None:
    answer = await web.ask(f"/dicom-web/studies?{query}")
    assert answer.status_code == 400
    assert named in answer.json()["detail"]
    assert "2026-13-01" not in answer.text


@pytest.mark.req("W-34", "WT-2")
async def test_a_tolerant_node_says_what_it_left_out(web: Web) -> None:
    web.search = SearchTerms(tolerant=True, ignored=("_",))
    answer = await web.ask("/dicom-web/studies?PatienID=P1&_=17")
    assert answer.status_code == 200
    assert len(answer.json()) == 3
    (warning,) = answer.headers.get_list("warning")
    assert "PatienID" in warning


@pytest.mark.req("W-32", "W-33", "WT-19")
async def test_pages_fit_together_and_end(web: Web) -> None:
    seen: list[str] = []
    for offset in range(0, 99, 2):
        answer = await web.ask(f"/dicom-web/series?limit=2&offset={offset}")
        rows = answer.json()
        seen += uids(rows, SERIES)
        left = 6 - len(seen)
        said = answer.headers.get_list("warning")
        text = "299 http://127.0.0.1:8080/dicom-web: There are {} additional results that can be"
        assert said == ([text.format(left) + " requested"] if left else [])
        if not rows:
            break
    assert seen == [f"1.2.3.{study}.{series}" for study in (3, 2, 1) for series in (1, 2)]
    assert offset == 6


@pytest.mark.req("W-32")
async def test_no_answer_is_longer_than_the_node_allows(web: Web) -> None:
    web.search = SearchTerms(most=2)
    for query in ("", "?limit=100"):
        answer = await web.ask("/dicom-web/studies" + query)
        assert len(answer.json()) == 2
        assert "There are 1 additional" in answer.headers["warning"]
    none = await web.ask("/dicom-web/studies?limit=0")
    assert none.json() == []
    assert "There are 3 additional" in none.headers["warning"]


@pytest.mark.req("W-32")
async def test_counting_what_is_left_ends_in_time(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qido, "COUNT_S", -1.0)
    answer = await web.ask("/dicom-web/studies?limit=1")
    assert "There are at least 1 additional" in answer.headers["warning"]


@pytest.mark.req("W-37")
async def test_a_search_that_takes_too_long_says_so(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qido, "SEARCH_S", 0.0)
    answer = await web.ask("/dicom-web/instances?Rows=512")
    assert answer.status_code == 413
    assert "Narrow" in answer.json()["detail"]


@pytest.mark.req("W-51", "W-52")
async def test_nothing_found_is_an_empty_list(web: Web) -> None:
    answer = await web.ask("/dicom-web/studies?PatientID=nobody")
    assert (answer.status_code, answer.text) == (200, "[]")
    assert answer.headers["content-type"] == "application/dicom+json"
    document = await web.ask("/dicom-web/studies?PatientID=nobody", accept=XML)
    assert (document.status_code, document.content) == (200, b"")


@pytest.mark.req("W-52")
async def test_an_archive_that_cannot_be_read_is_no_empty_list(web: Web, shelf: Shelf) -> None:
    await shelf.run("DROP TABLE level")
    assert (await web.ask("/dicom-web/studies?PatientID=P1")).status_code == 503


@pytest.mark.req("W-52")
async def test_objects_that_cannot_be_read_are_told_of(web: Web, shelf: Shelf) -> None:
    await shelf.run("DELETE FROM parcel WHERE arrival IN (SELECT min(arrival) FROM parcel)")
    answer = await web.ask("/dicom-web/instances?Rows=512")
    assert len(answer.json()) == 11
    assert "1 objects could not be read" in answer.headers["warning"]
    await shelf.run("DELETE FROM parcel")
    assert (await web.ask("/dicom-web/instances?Rows=512")).status_code == 500


@pytest.mark.req("W-54", "WT-4")
@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
async def test_xml_says_what_json_says(web: Web, path: str) -> None:
    rows = await web.found("/dicom-web" + path)
    answer = await web.ask("/dicom-web" + path, accept=XML)
    kind, _, boundary = answer.headers["content-type"].rpartition("; boundary=")
    assert kind == XML
    head, *parts, end = answer.content.split(b"--" + boundary.encode())
    assert (head, end) == (b"", b"--\r\n")
    documents = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts]
    assert [from_xml(document) for document in documents] == rows


@pytest.mark.req("W-9", "W-10", "W-53", "WT-4")
@pytest.mark.parametrize("path", sorted(REQUIRED))
async def test_every_resource_answers_what_is_accepted(web: Web, path: str) -> None:
    for accept in ("application/json", "application/dicom+json", "*/*", "text/html, */*;q=0.1"):
        answer = await web.ask("/dicom-web" + path, accept=accept)
        assert answer.headers["content-type"] == "application/dicom+json"
    answer = await web.ask("/dicom-web" + path, accept="text/html")
    assert answer.status_code == 406
    assert "application/dicom+json" in answer.json()["supported"]
    forced = await web.ask(f"/dicom-web{path}?accept=application/dicom%2Bjson", accept=XML)
    assert forced.headers["content-type"] == "application/dicom+json"


@pytest.mark.req("W-14", "W-15")
async def test_a_long_answer_waits_on_the_disk_and_streams(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (await web.ask("/dicom-web/instances")).content
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    monkeypatch.setattr(spool, "PIECE", 100)
    answer = await web.ask("/dicom-web/instances")
    assert answer.content == whole
    assert int(answer.headers["content-length"]) == len(whole)


@pytest.mark.req("W-17")
async def test_head_is_an_existence_query(web: Web) -> None:
    answer = await web.ask("/dicom-web/studies?PatientID=P1", "HEAD")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 100
