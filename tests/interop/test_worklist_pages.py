"""The worklist pages in Chromium, beside a real scanner's query: what is typed is what is seen."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.request import HTTPCookieProcessor

import pytest

from tests.objects.study import make_study
from tests.peers.browser import Browser
from tests.peers.node import Node, rule_to
from tests.peers.program import HOST, free_port, need, wait_until
from tests.web.test_payloads import PAYLOADS, markup_faults
from waystation.web.pages.worklist_fields import FIELDS

pytestmark = [pytest.mark.peer, pytest.mark.slow]
TODAY = date.today().strftime("%Y%m%d")
WHOLE = {
    "PatientName": "Beispiel^Hans",
    "PatientID": "42",
    "RequestedProcedureDescription": "Thorax",
    "ScheduledProcedureStepDescription": "Thorax p.a.",
    "ScheduledStationAETitle": "DX1",
    "Modality": "DX",
    "ScheduledProcedureStepStartDate": TODAY,
    "ScheduledProcedureStepStartTime": "0900",
}
# The fields that take any text.
FREE = sorted(
    {name for name, field in FIELDS.items() if field.kind in ("text", "area")}
    - {"PatientID", "PatientName2", "PatientName3", "StudyInstanceUID", "PatientWeight"}
    - {"ScheduledStationAETitle", "Modality"}
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    viewer = tmp_path_factory.mktemp("viewer")
    (viewer / "index.html").write_text("<!doctype html><title>A viewer</title>")
    config = f'[web.viewer]\npath = "{viewer}"\nport = {free_port()}\n' + rule_to("archive")
    with Node(tmp_path_factory.mktemp("worklist") / "node", config) as started:
        yield started


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium") / "profile") as started:
        yield started


def asked(node: Node, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        f"{node.web}/api/v1/worklist{path}",
        data=None if body is None else json.dumps({"user": "api", **body}).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def add(node: Node, **values: str) -> str:
    steps = [{"values": {**WHOLE, **values}}]
    return str(asked(node, "POST", "/steps", {"steps": steps})["steps"][0]["id"])


def page(node: Node, path: str) -> str:
    with urllib.request.urlopen(node.web + path) as answer:
        return str(answer.read().decode())


def seen_by(node: Node, station: str) -> list[str]:
    """Return the names that a scanner is answered."""
    station_key = f"(0040,0100)[0].ScheduledStationAETitle={station}"
    called = ["-aet", station, "-aec", "WAYSTATION", HOST, str(node.port)]
    done = subprocess.run(
        [need("/usr/bin/findscu"), "-W", "-k", station_key, "-k", "PatientName", *called],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return [line.split("[")[1].split("]")[0] for line in lines if "(0010,0010) PN [" in line]


def on(browser: Browser, path: str) -> None:
    browser.wait(f"location.pathname.startsWith('{path}') && document.readyState == 'complete'")


@pytest.mark.req("T-62")
def test_an_entry_is_added_by_keyboard_is_on_the_list_and_a_scanner_gets_it(
    node: Node, browser: Browser
) -> None:
    browser.open(node.web + "/worklist")
    browser.press("n")
    on(browser, "/worklist/new")
    browser.type("#f-PatientName", "Muster^Erika")
    browser.type("#f-Modality", "CT")
    browser.click("form.entry button.main")
    browser.wait("document.activeElement?.getAttribute('role') == 'alert'")
    assert browser.look("document.querySelector('#f-PatientName').value") == "Muster^Erika"
    assert browser.look("document.querySelector('#f-PatientID').ariaInvalid") == "true"
    for name, text in (
        ("PatientID", "1000017"),
        ("RequestedProcedureDescription", "CT Thorax"),
        ("ScheduledProcedureStepDescription", "Nativ"),
        ("ScheduledStationAETitle", "CT1"),
    ):
        browser.type(f"#f-{name}", text)
    browser.click("form.entry button.main")
    browser.wait("document.querySelector('.toast')?.innerText.includes('was added') ?? false")
    browser.open(node.web + "/worklist")
    assert "Muster, Erika" in browser.look("document.querySelector('tbody').innerText")
    assert seen_by(node, "CT1") == ["Muster^Erika"]
    assert not [text for text in browser.errors if "422" not in text]
    browser.errors.clear()


@pytest.mark.req("T-62")
def test_what_is_deleted_comes_back_by_undo(node: Node, browser: Browser) -> None:
    number = add(node, PatientName="Undo^One", PatientID="U1")
    browser.open(f"{node.web}/worklist/{number}")
    browser.click("form[action$='/delete'] button")
    browser.wait("document.getElementById('confirm').open")
    browser.click("#confirm-yes")
    browser.wait("document.querySelector('.toast')?.innerText.includes('was deleted') ?? false")
    assert "Undo, One" not in browser.look("document.body.innerText")
    browser.click(".toast button")
    browser.wait("document.querySelector('.toast')?.innerText.includes('is back') ?? false")
    assert "Undo, One" in browser.look("document.querySelector('h1').innerText")


@pytest.mark.req("T-63", "TT-30")
def test_the_second_of_two_editors_sees_what_changed_and_loses_nothing(
    node: Node, browser: Browser
) -> None:
    number = add(node, PatientID="E1")
    browser.open(f"{node.web}/worklist/{number}/edit")
    values = {"ScheduledProcedureStepStartTime": "1015", "PatientSex": "M"}
    asked(node, "PATCH", f"/steps/{number}", {"values": values})
    browser.type("#f-RequestedProcedureDescription", "Thorax in two planes")
    browser.click("form.entry button.main")
    browser.wait("document.querySelector('.notice.warn')?.innerText.includes('Somebody') ?? false")
    told = browser.look("document.querySelector('.notice.warn').innerText")
    assert "1015" in told
    assert "api" in told
    before = asked(node, "GET", f"/steps/{number}")["values"]
    assert before["RequestedProcedureDescription"] == "Thorax"
    browser.click("form.entry button.main")
    on(browser, f"/worklist/{number}")
    browser.wait("document.querySelector('.toast')?.innerText.includes('was changed') ?? false")
    after = asked(node, "GET", f"/steps/{number}")["values"]
    assert after["RequestedProcedureDescription"] == "Thorax in two planes"
    assert after["ScheduledProcedureStepStartTime"] == "1015"
    assert after["PatientSex"] == "M"


@pytest.mark.req("T-62")
def test_another_name_under_a_known_id_is_asked_about(node: Node, browser: Browser) -> None:
    add(node, PatientName="Known^Person", PatientID="SAME")
    number = add(node, PatientName="Known^Person", PatientID="SAME")
    browser.open(f"{node.web}/worklist/{number}/edit")
    browser.type("#f-PatientName", "Other^Person")
    browser.click("form.entry button.main")
    browser.wait("(document.body?.innerText ?? '').includes('Is this the right patient?')")
    assert asked(node, "GET", f"/steps/{number}")["values"]["PatientName"] == "Known^Person"
    browser.click("form.entry button.main")
    browser.wait("document.querySelector('.toast')?.innerText.includes('was changed') ?? false")


@pytest.mark.req("T-62")
def test_the_page_says_why_a_scanner_does_not_see_it_and_offers_what_mends_it(node: Node) -> None:
    number = add(node, PatientID="W1")
    asked(node, "POST", f"/steps/{number}/state", {"to": "completed"})
    told = page(node, f"/worklist/{number}/why?station=DX1")
    assert "DX1 does not see this entry" in told
    assert f'action="/worklist/{number}/state"' in told
    other = page(node, f"/worklist/{number}/why?station=DX2")
    assert "asked DX2, entry has DX1" in other
    lacking = add(node, PatientID="")
    assert "patient ID" in page(node, "/worklist")
    assert f'href="/worklist/{lacking}/edit"' in page(node, f"/worklist/{lacking}/why")


@pytest.fixture(scope="module")
def images(node: Node, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Send two images of SYNTHETIC^ONE; return their study."""
    study = make_study(tmp_path_factory.mktemp("images") / "study", "tiny", 2, seed="pages")
    sent = node.command("send", f"WAYSTATION@{HOST}:{node.port}", str(study.folder))
    assert sent.returncode == 0, sent.stderr
    return study.study_uid


@pytest.mark.req("T-62")
def test_an_entry_leads_to_its_images_once_some_have_come(node: Node, images: str) -> None:
    other = add(node, PatientID="I0")
    assert "<h2>Images" not in page(node, f"/worklist/{other}")
    number = add(node, PatientID="I1", StudyInstanceUID=images)
    wait_until(lambda: "2 images have come" in page(node, f"/worklist/{number}"), "the images")
    link = page(node, f"/worklist/{number}").split('" target="_blank"')[0].rpartition('href="')[2]
    assert link.endswith(f"/viewer?StudyInstanceUIDs={images}")
    with urllib.request.urlopen(link) as answer:
        assert b"A viewer" in answer.read()


@pytest.mark.req("S-62", "TT-30")
def test_nothing_that_a_sender_writes_becomes_markup(node: Node, browser: Browser) -> None:
    kept = [text for text in PAYLOADS if not set(text) & set("\r\n\x1b\0\u2028\\")]
    assert len(kept) > 10
    for number, text in enumerate(kept):
        evil = {name: text[: min(FIELDS[name].longest, 64)] for name in FREE}
        step = add(node, **{**evil, "PatientID": f"P{number}", "ScheduledStationAETitle": "EVIL"})
        for path in ("", "/edit", "/why"):
            assert markup_faults(page(node, f"/worklist/{step}{path}")) == []
        assert markup_faults(page(node, f"/worklist/new?copy={step}")) == []
        told = posted(node, "/worklist/templates", kind="procedure", name=text[:64], **evil)
        assert markup_faults(told) == []
        chosen = urllib.parse.urlencode({"procedure": text[:64], "station": text})
        assert markup_faults(page(node, f"/worklist/new?{chosen}")) == []
    for path in ("/worklist", "/worklist/preview?station=EVIL", "/worklist/traffic"):
        assert markup_faults(page(node, path)) == []
    evil_query = "/worklist?text=%3Cscript%3E&station=%22%3E%3Cimg&day=%3Cb%3E&state=%27"
    assert markup_faults(page(node, evil_query)) == []
    browser.errors.clear()
    browser.open(node.web + "/worklist")
    assert browser.errors == []


@pytest.mark.req("T-62", "T-64")
def test_the_api_keeps_templates_with_the_checks_of_the_page(node: Node) -> None:
    good = {"kind": "station", "name": "US 1", "values": {"ScheduledStationAETitle": "US1"}}
    bad = {"kind": "procedure", "name": "P", "values": {"Modality": "x", "colour": "red"}}
    with pytest.raises(urllib.error.HTTPError) as refused:
        asked(node, "POST", "/templates", {"templates": [good, bad]})
    told = json.load(refused.value)
    fields = [one["field"] for one in told["fields"]]
    assert (told["status"], fields) == (400, ["templates[1].colour", "templates[1].Modality"])
    assert "US 1" not in json.dumps(asked(node, "GET", "/templates"))
    kept = asked(node, "POST", "/templates", {"templates": [good]})["templates"]
    assert good in kept
    assert "US 1" in page(node, "/worklist/templates")
    left = asked(node, "DELETE", "/templates?kind=station&name=US%201")["templates"]
    assert good not in left


@pytest.mark.req("T-61")
def test_a_message_is_tried_on_the_page_and_changes_nothing(node: Node, browser: Browser) -> None:
    lines = [
        "MSH|^~\\&|RIS|HOSP|WS|RAD|20261121090000||ORM^O01|M1|P|2.3",
        "PID|1||77^^^HOSP||Versuch^Eva||19700101|F",
        "PV1|1|O",
        "ORC|NW|P77|F77",
        "OBR|1|P77|F77|CTTH^CT Thorax|||20261121100000",
    ]
    browser.open(node.web + "/worklist/messages")
    browser.look(f"document.querySelector('#f-text').value = {json.dumps(chr(10).join(lines))}")
    browser.click("form[action^='/worklist/messages'] button.main")
    browser.wait("document.querySelector('#tried') !== null")
    told = browser.look("document.querySelector('#tried').innerText")
    assert "would be taken" in told
    assert "Versuch^Eva" in told
    assert "PID-5" in told
    assert "Versuch" not in page(node, "/worklist?day=all")


def posted(node: Node, path: str, **fields: str) -> str:
    """Send a form as a browser without script would; return the page that follows."""
    seen = page(node, "/worklist/new")
    token = seen.split('name="form_token" value="')[1].split('"')[0]
    body = urllib.parse.urlencode({"form_token": token, **fields}).encode()
    headers = {"Origin": node.web, "Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(node.web + path, data=body, headers=headers)
    try:
        with urllib.request.build_opener(HTTPCookieProcessor()).open(request) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())


@pytest.fixture(scope="module")
def templates(node: Node) -> None:
    """CT thorax at CT9, of two steps; CT9 can show Western European letters only."""
    station = {"ScheduledStationAETitle": "CT9", "Modality": "CT", "charset": "ISO_IR 100"}
    room = {"ScheduledProcedureStepLocation": "R 2"}
    assert "CT9 is kept" in posted(node, "/worklist/templates", kind="station", **station, **room)
    posted(
        node,
        "/worklist/templates",
        kind="procedure",
        name="CT thorax",
        RequestedProcedureDescription="CT of the thorax",
        ScheduledStationAETitle="CT9 CT8",
        Modality="CT",
        ScheduledProcedureStepDescription="Native",
        more_steps="With contrast",
        codes="CTTHOR, 99LOCAL, CT thorax",
        minutes="30",
        RequestedContrastAgent="Iodine",
    )


@pytest.mark.req("T-62")
def test_an_entry_is_filled_from_templates_and_has_their_steps_codes_and_length(
    node: Node, browser: Browser, templates: None
) -> None:
    browser.open(node.web + "/worklist/new")
    browser.type("#f-PatientName", "Vorlage^Vera")
    browser.look("document.querySelector('select[name=procedure]').value = 'CT thorax'")
    browser.look("document.querySelector('select[name=station]').value = 'CT9'")
    browser.click("button[name=use]")
    browser.wait("document.querySelector('#f-minutes')?.value == '30'")
    assert browser.look("document.querySelector('#f-PatientName').value") == "Vorlage^Vera"
    assert (
        browser.look("document.querySelector('#f-ScheduledProcedureStepLocation').value") == "R 2"
    )
    for name, text in (
        ("PatientID", "T1"),
        ("ScheduledProcedureStepStartTime", "23:45"),
        ("repeats", "1"),
    ):
        browser.look(f"document.querySelector('#f-{name}').value = '{text}'")
    browser.look("document.querySelector('#f-every').value = '7'")
    browser.click("form.entry button.main")
    browser.wait("document.querySelector('.toast')?.innerText.includes('4 entries') ?? false")
    steps = asked(node, "GET", "/steps?text=Vorlage")["steps"]
    said = [asked(node, "GET", f"/steps/{one['id']}")["values"] for one in steps]
    assert len({one["StudyInstanceUID"] for one in said}) == 2
    days = {one["ScheduledProcedureStepStartDate"] for one in said}
    assert days == {f"{date.today() + timedelta(days=later):%Y%m%d}" for later in (0, 7)}
    assert {one["ScheduledProcedureStepEndTime"] for one in said} == {"0015"}
    assert {one["ScheduledProcedureStepDescription"] for one in said} == {"Native", "With contrast"}
    assert "CTTHOR" in json.dumps(said[0])


@pytest.mark.req("T-62")
def test_text_that_the_station_cannot_show_is_warned_of_beside_its_field(
    node: Node, templates: None
) -> None:
    fields = {**WHOLE, "ScheduledStationAETitle": "CT9", "PatientID": "C1"}
    fields |= {"PatientName": "Łukasz^Ewa", "ScheduledProcedureStepStartDate": "2026-03-01"}
    told = posted(node, "/worklist/new", **fields)
    assert "Ł cannot be shown in ISO_IR 100: CT9 would see ?" in told
    assert 'id="w-PatientName"' in told
    assert 'value="Łukasz^Ewa"' in told
    assert asked(node, "GET", "/steps?text=C1")["steps"] == []
    assert "The entry was added" in posted(node, "/worklist/new", sure="1", **fields)


@pytest.mark.req("T-62")
def test_a_patient_is_filled_in_by_the_id_from_the_worklist_or_else_the_archive(
    node: Node, images: str
) -> None:
    add(node, PatientID="L1", PatientName="Liste^Lisa=山田", PatientBirthDate="19640812")
    told = posted(node, "/worklist/new", use="patient", PatientID="L1", PatientName="Typed")
    assert 'value="Liste^Lisa"' in told
    assert 'value="山田"' in told
    assert 'value="1964-08-12"' in told
    told = posted(node, "/worklist/new", use="patient", PatientID="L2", Modality="CT")
    assert "Neither the worklist nor the archive" in told
    assert 'value="CT"' in told
    filed = {"use": "patient", "PatientID": "SYN-0001"}
    wait_until(
        lambda: 'value="SYNTHETIC^ONE"' in posted(node, "/worklist/new", **filed), "the archive"
    )


@pytest.mark.req("T-62")
def test_templates_go_out_as_csv_and_a_faulty_file_is_refused_as_a_whole(
    node: Node, browser: Browser, templates: None
) -> None:
    kept = page(node, "/worklist/templates.csv").removeprefix("\ufeff")
    assert "CTTHOR, 99LOCAL, CT thorax" in kept

    def read(text: str) -> str:
        browser.open(node.web + "/worklist/templates")
        script = f"""(() => {{ const list = new DataTransfer();
          list.items.add(new File([{json.dumps(text)}], "t.csv"));
          document.querySelector("#f-file").files = list.files;
          document.body.dataset.old = "1";
          document.querySelector("form[enctype] button.main").click(); }})()"""
        browser.look(script)
        gone = "document.body !== null && !document.body.dataset.old"
        browser.wait(gone + " && document.readyState == 'complete'")
        return str(browser.look("document.querySelector('main').innerText"))

    told = read("kind,name,Modality\nstation,,CT\nprocedure,New,x\nthing,A,CT")
    assert "Line 2: Give it a name" in told
    assert "Line 3: Modality" in told
    assert "Line 4: kind must be" in told
    assert "New" not in page(node, "/worklist/templates.csv")
    browser.errors.clear()
    assert "templates were taken" in read(kept)
    assert page(node, "/worklist/templates.csv").removeprefix("\ufeff") == kept
