"""DICOMweb with people: who gets in, and what it leaves behind (W-133, W-134, S-67)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import Response

from tests.web.house import PASSWORD, House
from waystation.model.errors import StorageError
from waystation.web.asked import Answered, Asked, Refusal
from waystation.web.dicomweb import Resource
from waystation.web.terms import Terms

STUDY = "/dicom-web/studies/1.2.3"


async def answer(asked: Asked) -> Response:
    return Response("fine")


def resource(method: str, template: str, right: str) -> Resource:
    return Resource(method=method, template=template, handler=answer, summary="", right=right)


async def half(asked: Asked) -> Response:
    """Keeps some of it, and then cannot go on."""
    match asked.path["series"]:
        case "1":
            raise Refusal(400, "The body ends early")
        case "2":
            raise Answered(Response(status_code=304))
    raise StorageError("disk full")


RESOURCES = [
    *(
        Resource(
            method=method,
            template="/studies/{study}/series/{series}",
            handler=half,
            summary="",
            right=right,
        )
        for method, right in (("GET", "retrieve"), ("POST", "store"), ("DELETE", "delete"))
    ),
    resource("GET", "/studies", "search"),
    resource("GET", "/studies/{study}", "retrieve"),
    resource("POST", "/studies", "store"),
    resource("DELETE", "/studies/{study}", "delete"),
]
USERS = (
    ("ann", "admin", ("phi",)),
    ("bob", "operator", ("phi",)),
    ("eve", "viewer", ("phi",)),
    ("tom", "admin", ()),
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, RESOURCES)
    yield made
    made.close()


@pytest.mark.req("W-133")
@pytest.mark.parametrize(
    ("name", "search", "store", "delete"),
    [
        ("ann", 200, 200, 200),
        ("bob", 200, 200, 403),
        ("eve", 200, 403, 403),
        ("tom", 403, 403, 403),
    ],
)
async def test_rights_follow_from_role_and_grant(
    name: str, search: int, store: int, delete: int, house: House
) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    http.auth = (name, PASSWORD)
    assert (await http.get("/dicom-web/studies")).status_code == search
    assert (await http.get(STUDY)).status_code == search
    assert (await http.post("/dicom-web/studies")).status_code == store
    assert (await http.delete(STUDY)).status_code == delete


@pytest.mark.req("W-133")
async def test_without_a_login_nothing_is_told_but_how_to_log_in(house: House) -> None:
    await house.open(*USERS)
    for address in ("127.0.0.1", "192.0.2.1"):
        http = house.visitor(address).http
        for auth in (None, ("ann", "wrong"), ("nobody", PASSWORD)):
            refused = await http.get(STUDY, auth=auth)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic realm=")
        broken = await http.get(STUDY, headers={"authorization": "Basic !!"})
        assert broken.status_code == 401
    in_query = await http.get(f"{STUDY}?access_token=x&authorization=Basic")
    assert in_query.status_code == 401


@pytest.mark.req("W-133")
async def test_anonymous_read_opens_search_and_retrieve_only(house: House) -> None:
    await house.open(*USERS)
    house.terms = Terms(open=True)
    http = house.visitor("192.0.2.1").http
    assert (await http.get(STUDY)).status_code == 200
    assert (await http.post("/dicom-web/studies")).status_code == 401
    assert (await http.get(STUDY, auth=("ann", "wrong"))).status_code == 401


@pytest.mark.req("W-133")
async def test_the_login_of_the_console_holds_for_dicomweb(house: House) -> None:
    await house.open(*USERS)
    bob = await house.signed_in("bob")
    assert (await bob.http.get(STUDY)).status_code == 200
    assert (await bob.http.post("/dicom-web/studies")).status_code == 403
    ours = {"origin": "http://127.0.0.1:8080"}
    assert (await bob.http.post("/dicom-web/studies", headers=ours)).status_code == 200


@pytest.mark.req("W-134")
async def test_who_looked_at_what_is_recorded_once(house: House) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    http.auth = ("eve", PASSWORD)
    for _ in range(3):
        await http.get(STUDY)
    await http.get("/dicom-web/studies", params={"PatientID": "SECRET"})
    await http.get("/dicom-web/studies", params={"PatientID": "OTHER"})
    house.now += 601
    await http.get(STUDY)
    http.auth = ("bob", PASSWORD)
    await http.post("/dicom-web/studies")
    looked = await house.trace("looked")
    assert [(one.who, one.what["study"], one.what["status"]) for one in looked] == [
        ("eve", "1.2.3", 200)
    ] * 2
    queried = await house.trace("queried")
    assert [(one.who, one.what["keys"]) for one in queried] == [("eve", ["PatientID"])] * 2
    assert "SECRET" not in str(queried)
    assert [one.who for one in await house.trace("stored")] == ["bob"]


@pytest.mark.req("W-134")
@pytest.mark.parametrize(("method", "event"), [("POST", "stored"), ("DELETE", "deleted")])
async def test_what_ended_early_is_recorded_with_how_it_ended(
    method: str, event: str, house: House
) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    http.auth = ("ann", PASSWORD)
    for series in ("1", "3"):
        await http.request(method, f"{STUDY}/series/{series}")
    assert [
        (one.who, one.what["series"], one.what["status"]) for one in await house.trace(event)
    ] == [("ann", "3", 503), ("ann", "1", 400)]


@pytest.mark.req("W-134")
async def test_an_answer_without_a_body_and_a_refusal_are_looks_as_well(house: House) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    http.auth = ("eve", PASSWORD)
    for series in ("2", "1"):
        await http.get(f"{STUDY}/series/{series}")
    assert [one.what["status"] for one in await house.trace("looked")] == [400, 304]


async def test_too_many_attempts_tell_when_to_come_again(house: House) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    for number in range(10):
        await http.get(STUDY, auth=("ann", f"guess {number}"))
    answer = await http.get(STUDY, auth=("ann", PASSWORD))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 31


async def test_what_was_read_before_a_change_is_not_believed_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    http.auth = ("bob", PASSWORD)
    passwords = house.accounts.passwords
    whole = passwords.matches

    async def meanwhile(kept: str | None, password: str) -> bool:
        await house.people.change("bob", "operator", ("phi",), True, "ann")
        return await whole(kept, password)

    with monkeypatch.context() as slow:
        slow.setattr(passwords, "matches", meanwhile)
        assert (await http.get(STUDY)).status_code == 200
    assert (await http.get(STUDY)).status_code == 401


@pytest.mark.req("S-59")
async def test_a_page_that_names_no_origin_is_none_of_ours(house: House) -> None:
    await house.open(*USERS)
    bob = await house.signed_in("bob")
    for origin in ("null", "http://evil.example", ""):
        answer = await bob.http.post("/dicom-web/studies", headers={"origin": origin})
        assert answer.status_code == 403, origin


@pytest.mark.req("S-67")
async def test_while_no_record_can_be_kept_nobody_looks_at_patients(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open(("ann", "admin", ("phi", "audit")))
    ann = await house.signed_in("ann")
    assert (await ann.get(STUDY)).status_code == 200
    whole = house.trail._job

    def full(*_: object) -> object:
        raise StorageError("disk full")

    monkeypatch.setattr(house.trail, "_job", lambda *_: full)
    house.now += 700
    await ann.get(STUDY)
    await house.trace()
    for _ in range(2):
        refused = await ann.get(STUDY)
        assert refused.status_code == 503
        assert "audit trail" in refused.text
    assert (await ann.get("/audit")).status_code == 503
    assert (await ann.get("/")).status_code == 200
    monkeypatch.setattr(house.trail, "_job", whole)
    assert (await ann.get(STUDY)).status_code == 200
    assert len(await house.trace("resumed")) == 1


async def test_a_hundred_requests_at_once_cost_one_look_at_the_password(house: House) -> None:
    await house.open(*USERS)
    http = house.visitor("192.0.2.1").http
    http.auth = ("eve", PASSWORD)
    answers = await asyncio.gather(*(http.get(STUDY) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await house.trace("login")) == 1


@pytest.mark.req("W-139")
async def test_a_viewer_with_a_token_is_no_script_that_calls_the_api_too_often(
    house: House,
) -> None:
    await house.open(*USERS)
    value = await house.people.add_token("viewer", ["retrieve"], 30, "ann")
    http = house.visitor("192.0.2.4").http
    bearer = {"authorization": f"Bearer {value}"}
    asked = [(await http.get(STUDY, headers=bearer)).status_code for _ in range(120)]
    assert asked == [200] * 120
