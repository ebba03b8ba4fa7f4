"""Every route names what it needs, and asks for it (S-57): routes x roles over a whole node."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest
from starlette.types import Scope
from structlog.testing import capture_logs

from tests.web import abilities
from tests.web.house import PASSWORD, House, empty_journal
from tests.web.standin import StandIn
from waystation.app.annexes import MAKERS
from waystation.app.node import Node
from waystation.app.read import load_text
from waystation.app.wiring_console import console_parts
from waystation.app.wiring_dicomweb import dicomweb
from waystation.web.access import KEY, NOBODY, ROLES, Ability, Rule, Who, abilities_of
from waystation.web.admission import Admission
from waystation.web.dicomweb import DicomWeb
from waystation.web.site import site

CONFIG = '[node]\ndata = "{data}"\n[web]\nport = 0\n[dicom]\nport = 0\n[spool]\nmin_free = "1KiB"\n'
# What a role alone may do, as the table of S-57 has it.
TABLE = {
    "viewer": {"see"},
    "operator": {"see", "act", "read"},
    "admin": {"see", "act", "read", "configure", "administer"},
}
GRANTED = {
    ("viewer", "phi"): {"phi", "search", "retrieve"},
    ("operator", "phi"): {"phi", "search", "retrieve", "store", "schedule"},
    ("admin", "phi"): {"phi", "search", "retrieve", "store", "schedule", "delete"},
}


class Doorman:
    """Lets everybody be who the test says."""

    is_open = False

    def __init__(self) -> None:
        self.who_is = NOBODY
        self.looks: list[tuple[Who, str]] = []
        self.refusals: list[tuple[Who, str]] = []

    async def who(self, scope: Scope, *, basic: bool = False) -> Who:
        return self.who_is

    async def fit(self) -> bool:
        return True

    def looked(self, who: Who, path: str, private: str = "", /, **what: object) -> None:
        self.looks.append((who, path))

    def refused(self, who: Who, method: str, path: str) -> None:
        self.refusals.append((who, path))


def somebody(role: str, *grants: str) -> Who:
    return Who(name=role, kind="token", role=role, abilities=abilities_of(role, grants))


EVERYBODY = {
    "nobody": NOBODY,
    **{role: somebody(role) for role in ROLES},
    "viewer+phi": somebody("viewer", "phi"),
    "admin+phi": somebody("admin", "phi"),
    "viewer+audit": somebody("viewer", "audit"),
    "viewer+reidentify": somebody("viewer", "reidentify"),
}


@pytest.mark.req("S-57")
def test_roles_and_grants_give_what_the_table_says() -> None:
    for role, own in TABLE.items():
        assert set(abilities_of(role, ())) == own | {"nothing"}
        assert set(abilities_of(role, ("audit",))) == own | {"nothing", "audit"}
        assert set(abilities_of(role, ("reidentify",))) == own | {"nothing", "reidentify"}
        granted = own | GRANTED[role, "phi"] | {"nothing"}
        assert set(abilities_of(role, ("phi",))) == granted


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "1", path)


@pytest.mark.req("S-57", "W-133")
async def test_each_route_lets_in_who_may_and_nobody_else(tmp_path: Path) -> None:
    text = CONFIG.format(data=tmp_path / "data")
    settings = load_text(text, tmp_path / "waystation.toml", os.environ).settings
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.db").write_bytes(empty_journal(str(tmp_path.parent)))
    node = Node(settings, text, MAKERS)
    await node.start()
    try:
        doorman, resources = Doorman(), dicomweb(node)
        resources.admission = Admission(doorman)
        app = site(StandIn(), resources, doorman, console_parts(node))
        transport = httpx2.ASGITransport(
            app, client=("192.0.2.1", 5000), raise_app_exceptions=False
        )
        rules: list[Rule] = app.state.rules
        assert _named(rules, resources) == abilities.by_route()
        base = "http://127.0.0.1"
        with capture_logs():
            async with httpx2.AsyncClient(transport=transport, base_url=base) as client:
                wrong = await _walk(client, doorman, rules, resources)
        assert not wrong
        assert "/api/v1/worklist/steps" in {path for _, path in doorman.looks}
        assert {rule.ability for rule in rules if "pseudonyms" in rule.path} == {"reidentify"}
        assert "/worklist/1/edit" in {path for _, path in doorman.looks}
        assert all(who.may(Ability.PHI) for who, _ in doorman.looks)
        refused = {(who.name, path) for who, path in doorman.refusals}
        assert {("viewer", "/users"), ("viewer", "/dicom-web/studies")} <= refused
        assert NOBODY not in {who for who, _ in doorman.refusals}
    finally:
        await node.stop()


def _named(rules: Sequence[Rule], resources: DicomWeb) -> dict[tuple[str, str], str]:
    named = {(resources.root + one.template, one.method): one.right for one in resources.resources}
    return named | {
        (rule.path, method): rule.ability.value for rule in rules for method in rule.methods
    }


async def _walk(
    client: httpx2.AsyncClient, doorman: Doorman, rules: Sequence[Rule], resources: DicomWeb
) -> list[str]:
    wrong = []
    for rule in rules:
        wrong += await _misjudged(client, doorman, rule)
    for one in resources.resources:
        path = resources.root + filled(one.template)
        wrong += await _asked(client, doorman, one.method, path, Ability(one.right))
    return wrong


async def _misjudged(client: httpx2.AsyncClient, doorman: Doorman, rule: Rule) -> list[str]:
    found = []
    for method in rule.methods:
        found += await _asked(client, doorman, method, filled(rule.path), rule.ability)
    return found


async def _asked(
    client: httpx2.AsyncClient, doorman: Doorman, method: str, path: str, needed: Ability
) -> list[str]:
    wrong = []
    for name, who in EVERYBODY.items():
        if path.endswith(("events", "openapi.json")) and who.may(needed):
            continue
        if path == "/metrics" and who is NOBODY:
            # Has a test of its own: it depends on where they are.
            continue
        doorman.who_is = who
        headers = {"content-type": "application/json"}
        answer = await client.request(method, path, headers=headers, content=b"nonsense")
        expected = 0 if who.may(needed) else 401 if who is NOBODY else 403
        is_refusal = "A login is needed" in answer.text or "You may not do this" in answer.text
        refused = answer.status_code if is_refusal and answer.status_code > 400 else 0
        if refused != expected:
            wrong.append(f"{name}: {method} {path} needs {needed}: {answer.status_code}")
    return wrong


def test_no_route_forgets_to_name_what_it_needs() -> None:
    folder = Path(__file__).parents[2] / "waystation" / "web"
    routed = re.compile(
        r"@router\.(get|post|put|patch|delete)\((?P<args>.*?)\)\n    async def", re.S
    )
    forgotten = [
        f"{file.name}: {match['args'][:60]}"
        for file in sorted(folder.rglob("*.py"))
        for match in routed.finditer(file.read_text("utf-8"))
        if "openapi_extra" not in match["args"]
    ]
    assert not forgotten


async def test_a_route_that_names_nothing_is_for_administrators(tmp_path: Path) -> None:
    from fastapi import APIRouter

    from waystation.web.access import needs, rules_of

    router = APIRouter()

    @router.get("/silent")
    async def silent() -> None: ...

    @router.get("/named", openapi_extra=needs(Ability.SEE))
    async def named() -> None: ...

    found = {rule.path: rule.ability for rule in rules_of([router])}
    assert found == {"/silent": Ability.ADMINISTER, "/named": Ability.SEE}
    assert needs(Ability.SEE) == {KEY: "see"}


@pytest.mark.req("S-56")
async def test_a_token_does_what_it_is_for_until_it_ends(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        await house.open(("ann", "admin", ()))
        value = await house.people.add_token("script", ["see", "act"], 30, "ann")
        (made,) = await house.people.tokens()
        http = house.visitor("192.0.2.4").http
        bearer = {"authorization": f"Bearer {value}"}
        assert (await http.get("/api/v1/status", headers=bearer)).status_code == 200
        assert (await http.get("/api/v1/users", headers=bearer)).status_code == 403
        done = await http.post("/api/v1/destinations/pacs/pause", json={}, headers=bearer)
        assert done.status_code == 200
        assert house.node.lane_changes == [("pause", "pacs", f"token script ({made.id})")]
        in_query = await http.get(f"/api/v1/status?access_token={value}&token={value}")
        assert in_query.status_code == 401
        assert (
            await http.get("/api/v1/status", headers={"authorization": "Bearer x"})
        ).status_code == 401
        rows = await house.database.read(lambda t: t.rows("SELECT * FROM token"))
        assert value not in str(rows)
        house.now += 31 * 86_400
        assert (await http.get("/api/v1/status", headers=bearer)).status_code == 401
        house.now -= 31 * 86_400
        assert (await http.get("/api/v1/status", headers=bearer)).status_code == 200
        assert await house.people.revoke(made.id, "ann") == "script"
        assert (await http.get("/api/v1/status", headers=bearer)).status_code == 401
    finally:
        house.close()


@pytest.mark.req("S-57", "R-85")
async def test_metrics_are_open_on_this_machine_and_need_a_login_elsewhere(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        await house.open()
        here, there = house.visitor().http, house.visitor("192.0.2.4").http
        assert [(await one.get("/metrics")).status_code for one in (here, there)] == [200, 401]
        await house.people.add("ann", "admin", (), PASSWORD, "test")
        assert [(await one.get("/metrics")).status_code for one in (here, there)] == [200, 401]
        for scope, status in ((["see"], 200), (["act"], 401)):
            value = await house.people.add_token("scraper", scope, 30, "ann")
            bearer = {"authorization": f"Bearer {value}"}
            assert (await there.get("/metrics", headers=bearer)).status_code == status
    finally:
        house.close()


async def test_a_user_is_changed_as_asked_or_not_at_all(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        await house.open(("ann", "admin", ()), ("bob", "viewer", ()))
        http = house.visitor().http
        http.headers["authorization"] = "Bearer the local key"
        new = "another long password"
        for path, said, status in (
            ("bob", {"role": "bogus", "password": new}, 400),
            ("bob", {"role": "operator", "password": "short"}, 400),
            ("ann", {"disabled": True, "password": new}, 409),
        ):
            answer = await http.patch(f"/api/v1/users/{path}", json={"user": "root", **said})
            assert answer.status_code == status
        for name, role in (("ann", "admin"), ("bob", "viewer")):
            account = await house.people.user(name)
            assert account is not None
            assert (account.role, account.password) == (role, f"plain {PASSWORD}")
        both = {"role": "operator", "password": new, "user": "root"}
        assert (await http.patch("/api/v1/users/bob", json=both)).status_code == 200
        account = await house.people.user("bob")
        assert account is not None
        assert (account.role, account.password) == ("operator", f"plain {new}")
        assert (await house.trace("account"))[0].what["change"] == "changed, password"
    finally:
        house.close()


async def test_a_command_on_this_machine_comes_in_with_the_local_key(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        await house.open(("ann", "admin", ()))
        bearer = {"authorization": "Bearer the local key"}
        here, there = house.visitor().http, house.visitor("192.0.2.4").http
        assert (await here.get("/api/v1/users", headers=bearer)).status_code == 200
        assert (await there.get("/api/v1/users", headers=bearer)).status_code == 401
        path = "/api/v1/destinations/pacs/pause"
        done = await here.post(path, json={"user": "root"}, headers=bearer)
        assert done.status_code == 200
        assert house.node.lane_changes == [("pause", "pacs", "root")]
    finally:
        house.close()


@pytest.mark.req("S-57")
async def test_an_expression_about_patients_needs_their_grant(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        await house.open(("ann", "admin", ("phi",)), ("bob", "operator", ()))
        ann, bob = await house.signed_in("ann"), await house.signed_in("bob")
        path = "/api/v1/deliveries?where=PatientID%20is%20%22X%22"
        assert (await bob.get(path)).status_code == 403
        assert (await bob.get("/api/v1/deliveries")).status_code == 200
        assert (await ann.get(path)).status_code == 200
    finally:
        house.close()


@pytest.mark.req("S-57")
@pytest.mark.parametrize("path", ["/api/v1/users/%3Fann", "/api/v1/users/%23ann", "/users/%3Fx"])
async def test_the_entrance_judges_the_path_that_the_route_sees(path: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        await house.open(("ann", "admin", ()))
        value = await house.people.add_token("looker", ["see"], 30, "ann")
        http = house.visitor().http
        bearer = {"authorization": f"Bearer {value}"}
        for method in ("GET", "POST", "PATCH", "DELETE"):
            answer = await http.request(method, path, headers=bearer, json={})
            assert answer.status_code in (403, 405), (method, answer.text)
    finally:
        house.close()
