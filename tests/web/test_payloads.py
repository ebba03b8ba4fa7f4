"""What strangers write is shown as text, on every page and in every answer (S-60, S-62)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from tests.journal.making import NOW
from tests.web.house import PASSWORD, House
from waystation.journal.audit import Event
from waystation.journal.entries import LaneCounts
from waystation.web.problems import HEADERS
from waystation.web.view import LaneView, QueueView, StatusView, TroubleView

WEB = Path(__file__).parents[2] / "waystation" / "web"
PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><a href=javascript:alert(1)>x</a>",
    '" onmouseover="alert(1)" x="',
    "javascript:alert(1)",
    "{{7*7}}{% raw %}${7*7}#{7*7}",
    "</title><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "DOE^<b>JOHN</b>&amp;&lt;",
    "=cmd|' /C calc'!A0",
    "a\r\nSet-Cookie: stolen=1",
    "\x1b[31mred\x1b[0m",
    "a\u202eb\u0000c\u2028d",
    "' OR 1=1 --",
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
)
PAGES = ("/", "/users", "/users/ann", "/tokens", "/audit", "/account")
ADMIN = ("ann", "admin", ("phi", "audit"))


class Markup(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        src = said.get("src") or ""
        if tag == "script" and not src.startswith("/static/"):
            self.faults.append(f"a script from {src!r}")
        if tag in ("img", "iframe", "object", "embed", "base", "style", "b"):
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc", "formaction"):
                self.faults.append(f"{name} of <{tag}>")
            if name in ("href", "action", "src") and not re.match(r"[/?#]", value or ""):
                self.faults.append(f"{name}={value!r}")


def markup_faults(text: str) -> list[str]:
    found = Markup()
    found.feed(text)
    return found.faults


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.open(ADMIN)
    yield made
    made.close()


def infect(house: House, payload: str) -> None:
    """Let everything that a page tells of say the same."""
    node = house.node
    whole = node.status

    async def status() -> StatusView:
        return replace(
            await whole(),
            name=payload,
            ae_title=payload,
            dicom=payload,
            config_problem=payload,
            config_ok=False,
            intake_stopped=payload,
        )

    async def lanes() -> QueueView:
        counts = LaneCounts(destination=payload, waiting=1, oldest_at=NOW - 5)
        lane = LaneView(counts=counts, state=payload, why=payload, kind=payload, window=payload)
        return QueueView(lanes=(lane,), held={payload: 1}, unplanned=0, now=NOW, ages={})

    node.status, node.lanes = status, lanes  # type: ignore[method-assign]
    node.reasons = [payload]
    node.not_well = [
        TroubleView(subject=payload, kind=payload, why=payload, look=payload, since=NOW - 60)
    ]


@pytest.mark.req("S-62")
async def test_a_payload_is_text_on_every_page(house: House) -> None:
    ann = await house.signed_in("ann")
    for payload in PAYLOADS:
        infect(house, payload)
        await house.trail.record(Event.LOOKED, payload, **{"text": payload, payload: [payload]})
        for page in (*PAGES, f"/audit?who={quote(payload)}&event={quote(payload)}"):
            answer = await ann.get(page)
            assert answer.status_code == 200, (page, payload)
            assert not markup_faults(answer.text), (page, payload)
            assert "49" not in re.findall(r">\s*(49)\s*<", answer.text)
            assert "stolen" not in answer.headers.get("set-cookie", "")


@pytest.mark.req("S-62")
async def test_a_payload_in_a_form_comes_back_as_text(house: House) -> None:
    ann = await house.signed_in("ann")
    for payload in PAYLOADS:
        fields = {"name": payload, "role": payload, "grants": payload, "password": payload}
        forms = (
            ("/users", "/users", fields | {"again": payload}),
            ("/tokens", "/tokens", {"name": payload, "scope": payload, "days": payload}),
            ("/users/ann", "/users/ann/password", {"password": payload[:5]}),
            ("/account", "/account/password", {"before": payload, "password": "x", "again": "y"}),
        )
        for page, path, said in forms:
            answer = await ann.send(page, path, **said)
            assert answer.status_code == 422, (path, payload, answer.status_code)
            assert not markup_faults(answer.text), (path, payload)
    stranger = house.visitor("192.0.2.8")
    for number, payload in enumerate(PAYLOADS):
        stranger = house.visitor(f"192.0.2.{number + 1}")
        answer = await stranger.sign_in(payload, payload, next=payload)
        assert answer.status_code == 401
        assert not markup_faults(answer.text), payload


@pytest.mark.req("S-62")
async def test_a_payload_in_an_address_or_header_comes_back_as_text(house: House) -> None:
    ann = await house.signed_in("ann")
    for payload in PAYLOADS:
        printable = payload.encode("ascii", "ignore").decode().replace("\x00", "")
        line = "".join(one for one in printable if one.isprintable())
        for path in ("/", "/users/", "/sign-in?next=", "/audit?before="):
            page = await ann.http.get(
                path + line.replace("#", "%23").replace("%}", "%25}").replace("{%", "{%25"),
                headers={"accept": "text/html", "referer": line, "user-agent": line},
                follow_redirects=False,
            )
            assert page.status_code in (200, 303, 404), (path, payload)
            assert not markup_faults(page.text), (path, payload)
            assert "\n" not in page.headers.get("location", "")
        as_json = await ann.http.get("/api/v1/deliveries", params={"study": payload})
        assert as_json.headers["content-type"].startswith("application/")
        assert as_json.headers["x-content-type-options"] == "nosniff"


@pytest.mark.req("S-60")
async def test_every_page_says_what_it_may_load(house: House) -> None:
    ann = await house.signed_in("ann")
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert HEADERS["content-security-policy"] == policy
    for path in (*PAGES, "/sign-in", "/nowhere", "/static/x/console.css", "/health/live"):
        headers = (await ann.get(path)).headers
        assert headers["content-security-policy"] == policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


@pytest.mark.req("S-60")
def test_templates_have_nothing_inline_and_nothing_from_elsewhere() -> None:
    for file in sorted((WEB / "templates").iterdir()):
        text = file.read_text("utf-8")
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text), file.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), file.name
        assert not re.search(r"(src|href|action)=\"(https?:)?//", text), file.name
    for file in sorted((WEB / "static").iterdir()):
        text = file.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|@import|eval\(|innerHTML\s*=|new Function", text), (
            file.name
        )


@pytest.mark.req("S-62")
def test_nothing_turns_escaping_off() -> None:
    for file in sorted(WEB.rglob("*.html")):
        text = file.read_text("utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape", text), file.name
    for file in sorted(WEB.rglob("*.py")):
        text = file.read_text("utf-8")
        assert "Markup" not in text, file.name
        assert not re.search(r"autoescape=(?!True)", text), file.name


@pytest.mark.req("S-61")
async def test_a_person_sees_an_error_as_a_page_without_its_inside(house: House) -> None:
    ann = await house.signed_in("ann")
    lost = await ann.get("/nowhere")
    assert lost.status_code == 404
    assert lost.headers["content-type"].startswith("text/html")
    assert "Back to the overview" in lost.text

    async def broken() -> StatusView:
        raise RuntimeError(f"PatientID SECRET {PASSWORD} /secret/path")

    house.node.status = broken  # type: ignore[method-assign]
    with capture_logs():
        answer = await ann.get("/")
    assert answer.status_code == 500
    assert re.search(r"Id <code>[0-9a-f]{12}</code>", answer.text)
    for inside in ("SECRET", "secret", "Traceback", "RuntimeError", PASSWORD):
        assert inside not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
