"""The pages of de-identification: who sees what, what is recorded, and what nobody can do."""

import csv
import io
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from tests.web.deid_house import EVIL, KEY, PATIENT, DeidHouse, every_kind, study_of
from tests.web.test_openapi import check
from tests.web.test_payloads import markup_faults
from waystation.journal.audit import Event

pytestmark = pytest.mark.asyncio(loop_scope="module")
HIDDEN = ("Hidden^Person", "SECRET-17")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DeidHouse]:
    """A node that nothing below changes: each study is held or gone already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNG_KEY", KEY)
        made = DeidHouse(tmp_path_factory.mktemp("deid"))
        await made.open(every_kind())
        await made.rig.wait_for({"held:deid-failed": 4 + len(EVIL), "done": 2})
        yield made
        await made.close()


@pytest.mark.req("D-43", "S-57")
async def test_the_list_says_what_waits_why_and_since_when(house: DeidHouse) -> None:
    house.come("vic", "viewer")
    answer = await house.get("/deid")
    assert answer.status_code == 200
    assert "a person is to see this study" in answer.text
    assert "burned-in state unknown" in answer.text
    assert not any(secret in answer.text for secret in HIDDEN)
    assert "/deid/studies/" not in answer.text
    lines = (await house.api("GET", "/waiting")).json()
    asks = {
        one["study"]: (one["profile"], [each["what"] for each in one["reasons"]]) for one in lines
    }
    assert asks[study_of("CT")] == ("sampled", ["sample"])
    assert asks[study_of("US")] == ("looked", ["pixels"])
    assert study_of("known") not in asks
    house.come("otto", "operator")
    assert f"/deid/studies/{study_of('CT')}" in (await house.get("/deid")).text


@pytest.mark.req("D-41", "D-43")
async def test_both_sides_are_shown_to_who_may_see_patients_and_each_view_is_recorded(
    house: DeidHouse,
) -> None:
    house.come("ann", "operator", "phi")
    number = await house.object_of("CT")
    before = len(await house.trace(Event.LOOKED))
    for _ in range(2):
        answer = await house.get(f"/deid/objects/{number}?profile=sampled")
        assert answer.status_code == 200
    assert all(secret in answer.text for secret in HIDDEN)
    trace = await house.trace(Event.LOOKED)
    assert len(trace) == before + 2
    assert (trace[0].who, trace[0].what["object"]) == ("ann", number)
    assert trace[0].what["study"] == study_of("CT")
    assert not any(secret in str(trace[0]) for secret in HIDDEN)


@pytest.mark.req("D-41")
async def test_old_values_and_pictures_are_hidden_from_others_and_the_page_says_why(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    number = await house.object_of("CT")
    before = len(await house.trace(Event.LOOKED))
    answer = await house.get(f"/deid/objects/{number}?profile=sampled")
    assert answer.status_code == 200
    assert "Old values and pictures are hidden" in answer.text
    assert not any(secret in answer.text for secret in HIDDEN)
    assert "<img" not in answer.text
    assert "PatientName" in answer.text
    picture = await house.get(f"/deid/objects/{number}/picture?profile=sampled")
    assert picture.status_code == 403
    told = (await house.api("GET", f"/objects/{number}?profile=sampled")).json()
    assert told["hidden"]
    assert {row["before"] for row in told["changed"]} == {None}
    # What stays is an old value, too.
    assert {row["after"] for row in told["kept"]} == {None}
    assert not any(secret in str(told) for secret in HIDDEN)
    assert len(await house.trace(Event.LOOKED)) == before


@pytest.mark.req("D-41")
async def test_a_row_names_action_rule_and_both_values(house: DeidHouse) -> None:
    house.come("ann", "operator", "phi")
    number = await house.object_of("CT")
    recipe = next(
        one["recipe"]
        for one in (await house.api("GET", "/waiting")).json()
        if one["study"] == study_of("CT")
    )
    told = (await house.api("GET", f"/objects/{number}?profile=sampled&recipe={recipe}")).json()
    rows = {row["name"]: row for row in told["changed"]}
    name = rows["PatientName"]
    assert (name["action"], name["by"], name["before"]) == ("D", "basic", PATIENT["PatientName"])
    assert name["after"] == rows["PatientID"]["after"] != PATIENT["PatientID"]
    assert rows["StudyInstanceUID"]["action"] == "U"
    assert rows["StudyInstanceUID"]["before"] == study_of("CT")
    edited = rows["BodyPartExamined"]
    assert (edited["by"], edited["before"], edited["after"]) == ("edit", "SKULL", "HEAD")
    kept = {row["name"]: row["after"] for row in told["kept"]}
    assert (kept["Modality"], kept["Rows"]) == ("CT", "32")
    assert sum(told["actions"].values()) == len(told["changed"])


@pytest.mark.req("D-41", "D-33")
async def test_pictures_show_the_rectangles_and_what_would_leave(house: DeidHouse) -> None:
    house.come("ann", "operator", "phi")
    house_rows = await house.rig.rows(
        "SELECT id FROM arrival WHERE study = :study", {"study": study_of("known")}
    )
    number = f"{int(house_rows[0][0]):x}"
    told = (await house.api("GET", f"/objects/{number}?profile=looked")).json()
    assert (told["held"], told["pixels"]["rule"]) == ([], "Echo with a bar")
    assert told["pixels"]["rectangles"] == [[0, 0, 48, 8]]
    path = f"/deid/objects/{number}/picture?profile=looked"
    pixels = {}
    for blacked in ("0", "1"):
        answer = await house.get(f"{path}&blacked={blacked}")
        assert answer.headers["content-type"] == "image/png"
        assert "no-store" in answer.headers["cache-control"]
        shown = Image.open(io.BytesIO(answer.content)).convert("RGB")
        pixels[blacked] = (shown.getpixel((20, 0)), shown.getpixel((20, 4)))
    assert pixels == {
        "0": ((255, 220, 0), (255, 255, 255)),
        "1": ((0, 0, 0), (0, 0, 0)),
    }
    page = (await house.get(f"/deid/objects/{number}?profile=looked")).text
    assert page.count("<img ") == 2
    assert (await house.get(f"{path}&frame=7")).status_code == 422


@pytest.mark.req("D-43")
async def test_a_rule_for_the_device_is_offered_with_the_rectangles_that_are_tried(
    house: DeidHouse,
) -> None:
    house.come("ann", "operator", "phi")
    number = await house.object_of("US")
    told = (await house.api("GET", f"/objects/{number}?profile=looked&box=0,0,48,8")).json()
    assert 'model = "Echo 7"' in told["device_rule"]
    assert "rectangles = [[0, 0, 48, 8]]" in told["device_rule"]
    page = await house.get(f"/deid/objects/{number}?profile=looked&boxes=0+0+48+900")
    assert "lies outside the image of 48 × 32 pixels" in page.text
    assert "<img" not in page.text
    wrong = await house.get(f"/deid/objects/{number}?profile=looked&boxes=left")
    assert "four numbers" in wrong.text


@pytest.mark.req("D-41", "D-29")
async def test_a_dry_run_writes_nothing_and_gives_no_number(house: DeidHouse) -> None:
    house.come("otto", "operator")
    rig = house.rig
    tables = ("treatment", "deid_pseudonym", "deid_record", "deid_approval", "delivery", "person")

    async def state() -> list[int]:
        return [int((await rig.rows(f"SELECT count(*) FROM {name}"))[0][0]) for name in tables]

    before, files = await state(), len(house.left())
    number = await house.object_of("CT")
    for profile in ("numbers", "listed", "looked", "sampled"):
        answer = await house.get(f"/deid/objects/{number}?profile={profile}")
        assert answer.status_code == 200
        study = f"/deid/studies/{study_of('CT')}/totals?profile={profile}"
        assert (await house.get(study)).status_code == 200
    told = (await house.api("GET", f"/objects/{number}?profile=numbers")).json()
    rows = {row["name"]: row["after"] for row in told["changed"]}
    assert rows["PatientID"] == "N-000001"
    new = await house.rig.rows(
        "SELECT id FROM arrival WHERE study = :study", {"study": study_of("new")}
    )
    told = (await house.api("GET", f"/objects/{int(new[0][0]):x}?profile=numbers")).json()
    assert {"N-next"} == {row["after"] for row in told["changed"] if row["name"] == "PatientID"}
    assert (await state(), len(house.left())) == (before, files)


@pytest.mark.req("D-41", "D-42")
async def test_what_verification_stops_shows_no_value_at_all_to_who_may_not_see_patients(
    house: DeidHouse,
) -> None:
    rows = await house.rig.rows(
        "SELECT id FROM arrival WHERE study = :study ORDER BY id", {"study": study_of("evil")}
    )
    path = f"/objects/{int(rows[0][0]):x}?profile=numbers"
    house.come("otto", "operator")
    told = (await house.api("GET", path)).json()
    assert told["final"].startswith("verification: ")
    values = {row[side] for row in told["changed"] + told["kept"] for side in ("before", "after")}
    assert values == {None}
    house.come("ann", "operator", "phi")
    told = (await house.api("GET", path)).json()
    kept = {row["name"]: row["after"] for row in told["kept"]}
    assert kept["ManufacturerModelName"] == EVIL[0]


@pytest.mark.req("D-41")
async def test_totals_of_a_study_count_each_action_and_what_would_be_held(
    house: DeidHouse,
) -> None:
    house.come("otto", "operator")
    path = f"/studies/{study_of('CT')}/totals"
    told = (await house.api("GET", f"{path}?profile=numbers")).json()
    assert (told["total"], told["looked"]) == (2, 2)
    assert told["report"]["objects"] == {"in": 2, "out": 2, "held": {}}
    assert told["actions"]["U"] == 6
    assert study_of("CT") not in str(told["report"])
    held = (await house.api("GET", f"{path}?profile=listed")).json()["report"]["objects"]["held"]
    assert list(held.values()) == [2]
    page = await house.get(f"/deid/studies/{study_of('CT')}/totals?profile=numbers")
    assert "PatientName" in page.text


async def test_totals_that_ran_out_of_time_say_so(
    house: DeidHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.app.deid_looking.TOTALS_S", -1.0)
    house.come("otto", "operator")
    page = await house.get(f"/deid/studies/{study_of('CT')}/totals?profile=numbers")
    assert "Tried on 1 of 2 objects" in page.text


async def test_the_dry_run_finds_a_study_an_object_or_says_that_it_is_not_here(
    house: DeidHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.come("otto", "operator")
    found = await house.get(f"/deid/try?what={study_of('CT')}&profile=numbers")
    number = await house.object_of("CT")
    assert f"/deid/objects/{number}?profile=numbers" in found.text
    uid = (await house.rig.rows("SELECT sop_instance FROM arrival ORDER BY id"))[0][0]
    for what in (uid, number):
        answer = await house.get(f"/deid/try?what={what}&profile=numbers")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/deid/objects/{number}?profile=numbers"
    for what in ("1.2.3", "%3Cscript%3E", "zz", "%00"):
        answer = await house.get(f"/deid/try?what={what}&profile=numbers")
        assert answer.status_code == 200
        assert "No object and no study" in answer.text
    for number in ("77", "7" + "f" * 15):
        assert (await house.get(f"/deid/objects/{number}?profile=numbers")).status_code == 404
        assert (await house.api("GET", f"/objects/{number}?profile=numbers")).status_code == 404
    here = await house.object_of("CT")
    monkeypatch.setattr("waystation.web.pages.deid_look.MOST_ROWS", 3)
    short = await house.get(f"/deid/objects/{here}?profile=numbers")
    assert "more are not shown" in short.text
    assert (await house.get(f"/deid/objects/{here}?profile=nosuch")).status_code == 404
    assert (await house.get("/deid/studies/1.2.3?profile=numbers")).status_code == 404


@pytest.mark.req("D-30", "S-57")
async def test_who_is_behind_a_pseudonym_needs_the_grant_and_a_reason(house: DeidHouse) -> None:
    form = {"profile": "numbers", "pseudonym": "N-000001", "because": "recall"}
    for role, grants in (("admin", ("phi", "audit")), ("operator", ("phi",)), ("viewer", ())):
        house.come("no", role, *grants)
        assert (await house.get("/deid/pseudonyms")).status_code == 403
        assert (await house.send("/deid/pseudonyms", **form)).status_code == 403
        assert (await house.api("POST", "/pseudonyms/lookup", **form)).status_code == 403
        assert "/deid/pseudonyms" not in (await house.get("/deid")).text
    assert await house.trace(Event.REIDENTIFIED) == []
    house.come("rita", "viewer", "reidentify")
    answer = await house.send("/deid/pseudonyms", **form | {"because": " "})
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert await house.trace(Event.REIDENTIFIED) == []


@pytest.mark.req("D-30")
async def test_each_look_up_is_recorded_with_its_reason_before_it_is_told(
    house: DeidHouse,
) -> None:
    house.come("rita", "viewer", "reidentify")
    form = {"profile": "numbers", "pseudonym": "N-000001", "because": "recall of contrast"}
    answer = await house.send("/deid/pseudonyms", **form)
    assert answer.status_code == 200
    assert PATIENT["PatientID"] in answer.text
    (record,) = await house.trace(Event.REIDENTIFIED)
    assert record.who == "rita"
    assert record.what["because"] == "recall of contrast"
    assert (record.what["kind"], record.what["pseudonym"]) == ("lookup", "N-000001")
    assert PATIENT["PatientID"] not in str(record)
    kept = await house.rig.rows("SELECT text FROM deid_record WHERE kind = 'lookup'")
    assert "recall of contrast" in kept[-1][0]
    by_api = await house.api("POST", "/pseudonyms/lookup", **form)
    assert by_api.json()["patient_id"] == PATIENT["PatientID"]
    listed = await house.api("POST", "/pseudonyms/lookup", **form | {"profile": "listed"})
    assert listed.status_code == 404
    refused = await house.api("POST", "/pseudonyms/lookup", **form | {"profile": "sampled"})
    assert refused.status_code == 400
    assert len(await house.trace(Event.REIDENTIFIED)) == 3


@pytest.mark.req("D-30", "S-62")
async def test_the_table_is_exported_for_a_reason_and_no_cell_is_a_formula(
    house: DeidHouse,
) -> None:
    house.come("rita", "viewer", "reidentify")
    answer = await house.send("/deid/pseudonyms/export", profile="listed", because="end of study")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [
        ["pseudonym_id", "issuer", "patient_id"],
        ["LUNG-1", "", "P1"],
        ["LUNG-2", "", "'=SUM(1)"],
    ]
    record = (await house.trace(Event.REIDENTIFIED))[0]
    assert (record.what["kind"], record.what["because"]) == ("export", "end of study")
    silent = await house.send("/deid/pseudonyms/export", profile="listed")
    assert silent.status_code == 422
    by_api = await house.api("POST", "/pseudonyms/export", profile="listed", because="x")
    assert [one["patient_id"] for one in by_api.json()] == ["P1", "=SUM(1)"]


@pytest.mark.req("D-30")
async def test_a_look_up_of_a_command_on_this_machine_is_in_the_trail_too(
    house: DeidHouse,
) -> None:
    house.come("local", "admin", "reidentify", kind="local")
    order = {"kind": "lookup", "profile": "listed", "pseudonym": "LUNG-1", "because": "recall"}
    done = await house.api("POST", "/lookups", **order, user="root")
    assert done.json() == {"noted": "lookup"}
    record = (await house.trace(Event.REIDENTIFIED))[0]
    assert (record.who, record.what["pseudonym"]) == ("root", "LUNG-1")
    assert record.what["because"] == "recall"


@pytest.mark.req("D-40")
async def test_reports_are_listed_by_new_uid_and_never_found_by_the_old_one_by_strangers(
    house: DeidHouse,
) -> None:
    house.come("vic", "viewer")
    lines = (await house.api("GET", "/reports")).json()
    assert {one["profile"] for one in lines} == {"looked", "numbers"}
    assert study_of("MR") not in str(lines)
    page = await house.get("/deid/reports")
    for one in lines:
        assert f'href="/deid/reports/{one["study"]}"' in page.text
        report = await house.get(f"/deid/reports/{one['study']}")
        assert report.status_code == 200
        assert not any(secret in report.text for secret in (*HIDDEN, study_of("MR")))
    assert (await house.get(f"/deid/reports/{study_of('MR')}")).status_code == 404
    house.come("ann", "viewer", "phi")
    assert (await house.get(f"/deid/reports/{study_of('MR')}")).status_code == 200


async def test_the_api_is_described(house: DeidHouse) -> None:
    house.come("vic", "viewer")
    document = (await house.http.get("/api/v1/openapi.json")).json()
    check(document)
    ours = [path for path in document["paths"] if path.startswith("/api/v1/deid/")]
    assert len(ours) == 13
    picture = document["paths"]["/api/v1/deid/objects/{number}/picture"]["get"]
    assert "image/png" in picture["responses"]["200"]["content"]


@pytest.mark.req("S-62")
async def test_nothing_that_an_object_says_becomes_markup(house: DeidHouse) -> None:
    house.come("ann", "operator", "phi", "reidentify")
    rows = await house.rig.rows(
        "SELECT id FROM arrival WHERE study = :study", {"study": study_of("evil")}
    )
    assert len(rows) == len(EVIL)
    paths = [f"/deid/objects/{int(row[0]):x}?profile=sampled" for row in rows]
    paths += ["/deid", f"/deid/studies/{study_of('evil')}?profile=sampled"]
    paths += ["/deid/try?what=%22%3E%3Cb%3E&profile=%3Cscript%3E"]
    for path in paths:
        answer = await house.get(path)
        assert answer.status_code == 200, path
        assert set(markup_faults(answer.text)) <= {"<img>"}, path
        sources = re.findall(r'<img src="([^"]*)"', answer.text)
        assert all(one.startswith("/deid/objects/") for one in sources)
    told = await house.send(
        "/deid/pseudonyms", profile="numbers", pseudonym="<b>", because='"><script>'
    )
    assert markup_faults(told.text) == []
