"""Logging in, and what a login is worth (S-56, S-58, S-59)."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.house import PASSWORD, House
from waystation.timing.attempts import Attempts, Bucket
from waystation.web import passwords
from waystation.web.accounts import IDLE_S, LIFE_S
from waystation.web.entrance import PROVED_S
from waystation.web.pages.sign_in import onward_path

ADMIN = ("ann", "admin", ("phi", "audit"))
BOB = ("bob", "operator", ())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


async def test_without_users_this_machine_is_let_in_and_every_page_says_so(house: House) -> None:
    await house.open()
    visitor = house.visitor()
    for page in ("/", "/users", "/tokens", "/audit"):
        answer = await visitor.get(page)
        assert answer.status_code == 200
        assert "Open: nobody has to sign in." in answer.text
    assert (await house.visitor("192.0.2.7").get("/")).status_code == 401


async def test_the_first_user_closes_the_house(house: House) -> None:
    await house.open()
    visitor = house.visitor()
    fields = {"name": "ann", "role": "viewer", "password": PASSWORD, "again": PASSWORD}
    refused = await visitor.send("/users", "/users", **fields)
    assert refused.status_code == 422
    assert "The first user is an admin" in refused.text
    made = await visitor.send("/users", "/users", **fields | {"role": "admin"})
    assert made.status_code == 303
    answer = await visitor.get("/users")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/users")
    assert (await visitor.get("/api/v1/status")).status_code == 401


@pytest.mark.req("S-58")
async def test_a_login_is_a_random_id_that_the_server_keeps_as_a_hash(house: House) -> None:
    await house.open(ADMIN)
    visitor = house.visitor()
    answer = await visitor.sign_in("ann", next="/users")
    assert answer.headers["location"] == "/users"
    cookie = answer.headers["set-cookie"]
    key = visitor.http.cookies["waystation-session"]
    assert len(key) == 43
    for flag in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert flag in cookie
    rows = await house.database.read(lambda t: t.rows("SELECT * FROM session"))
    assert len(rows) == 1
    assert key not in str(rows)
    page = await visitor.get("/users")
    assert page.status_code == 200
    assert "Open: nobody" not in page.text
    again = await visitor.sign_in("ann")
    assert again.status_code == 303
    assert visitor.http.cookies["waystation-session"] != key
    old = await house.visitor().get("/users", cookie=f"waystation-session={key}")
    assert old.status_code == 303


@pytest.mark.req("S-58")
async def test_over_tls_the_cookie_is_bound_to_this_host(house: House) -> None:
    await house.open(ADMIN)
    visitor = house.visitor(scheme="https")
    answer = await visitor.sign_in("ann")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-waystation=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    key = visitor.http.cookies["__Host-waystation"]
    plain = await house.visitor(scheme="https").get("/", cookie=f"waystation-session={key}")
    assert plain.status_code == 303


@pytest.mark.req("S-58")
@pytest.mark.parametrize(("each_s", "times"), [(IDLE_S + 1, 1), (IDLE_S - 60, 25)])
async def test_a_login_ends_when_it_is_idle_or_old(each_s: float, times: int, house: House) -> None:
    await house.open(ADMIN)
    visitor = await house.signed_in("ann")
    assert (times - 1) * each_s < LIFE_S < max(times * each_s, LIFE_S + 1)
    for _ in range(times - 1):
        house.now += each_s
        assert (await visitor.get("/")).status_code == 200
    house.now += each_s
    assert (await visitor.get("/")).status_code == 303


@pytest.mark.req("S-58")
async def test_a_page_that_is_only_open_does_not_keep_a_login(house: House) -> None:
    await house.open(ADMIN)
    visitor = await house.signed_in("ann")
    for _ in range(int(IDLE_S / 600)):
        house.now += 600
        assert (await visitor.get("/", x_waystation_live="1")).status_code == 200
    house.now += 1
    answer = await visitor.get("/", x_waystation_live="1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_the_trail_names_the_address_of_the_request_and_not_of_the_login(
    house: House,
) -> None:
    await house.open(ADMIN)
    ann = await house.signed_in("ann")
    there = house.visitor("192.0.2.5")
    there.http.cookies = ann.http.cookies
    await there.send("/", "/sign-out")
    (record,) = await house.trace("logout")
    assert (record.who, record.what["address"]) == ("ann", "192.0.2.5")


@pytest.mark.req("S-58")
async def test_a_login_ends_at_once_where_it_is_ended(house: House) -> None:
    await house.open(ADMIN, BOB)
    ann, bob = await house.signed_in("ann"), await house.signed_in("bob")
    assert (await bob.get("/")).status_code == 200
    done = await ann.send("/users/bob", "/users/bob", role="operator", enabled="")
    assert done.status_code == 303
    assert (await bob.get("/")).status_code == 303
    assert (await bob.sign_in("bob")).status_code == 401
    assert (await ann.send("/", "/sign-out")).headers["location"] == "/sign-in"
    assert (await ann.get("/")).status_code == 303
    assert [one.who for one in await house.trace("logout")] == ["ann"]


@pytest.mark.req("S-58")
async def test_an_administrator_gives_the_password_again_before_a_change(house: House) -> None:
    await house.open(ADMIN, BOB)
    ann = await house.signed_in("ann")
    house.now += PROVED_S + 1
    answer = await ann.send("/users/bob", "/users/bob/remove")
    assert answer.headers["location"] == "/sign-in/again?next=/users"
    assert await house.people.user("bob") is not None
    proof = await ann.send("/sign-in/again", "/sign-in/again", password=PASSWORD, next="/users/bob")
    assert proof.headers["location"] == "/users/bob"
    assert (await ann.send("/users/bob", "/users/bob/remove")).status_code == 303
    assert await house.people.user("bob") is None


@pytest.mark.req("S-59")
@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({"origin": "http://127.0.0.1:8080"}, True, 303),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True, 303),
        ({"origin": "null"}, True, 303),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, True, 403),
        ({"origin": "http://evil.example"}, True, 403),
        ({"origin": "http://127.0.0.1:8080"}, False, 403),
        ({}, False, 403),
    ],
)
async def test_a_form_needs_its_token_and_a_page_of_ours(
    headers: dict[str, str], token: bool, status: int, house: House
) -> None:
    await house.open(ADMIN)
    ann = await house.signed_in("ann")
    more = {} if token else {"form_token": "0" * 32}
    answer = await ann.send("/", "/lanes/pacs/pause", headers, **more)
    assert answer.status_code == status
    assert len(house.node.lane_changes) == (status == 303)


@pytest.mark.req("S-59")
async def test_a_cookie_alone_changes_nothing_over_the_api(house: House) -> None:
    await house.open(ADMIN)
    ann = await house.signed_in("ann")
    path, body = "/api/v1/destinations/pacs/pause", {"user": "somebody else"}
    assert (await ann.http.post(path, json=body)).status_code == 403
    page = (await ann.get("/")).text
    form = page.partition('data-form-token="')[2].partition('"')[0]
    done = await ann.http.post(path, json=body, headers={"x-waystation-form": form})
    assert done.status_code == 200
    assert house.node.lane_changes == [("pause", "pacs", "ann")]
    plain = await ann.http.post(path, content=b"{}", headers={"x-waystation-form": form})
    assert plain.status_code == 415


@pytest.mark.req("S-56")
def test_a_password_is_kept_as_argon2id_of_sixty_four_mebibytes() -> None:
    kept = passwords.hashed(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(kept, PASSWORD)
    assert not passwords.matches(kept, PASSWORD + "x")
    assert not passwords.matches("nonsense", PASSWORD)
    assert passwords.NOBODY.startswith(kept[:30])
    assert not passwords.matches(passwords.NOBODY, PASSWORD)


@pytest.mark.req("S-56")
@pytest.mark.parametrize("password", ["", "eleven char", "x" * 12, "ann" + "b" * 9, "y" * 5000])
def test_a_password_that_is_none_is_refused(password: str) -> None:
    assert passwords.fault_of(password, "ann")


@pytest.mark.req("S-56")
async def test_somebody_unknown_costs_the_same_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open(ADMIN)
    worked: list[str] = []

    def matches(kept: str, _: str) -> bool:
        worked.append(kept)
        return False

    monkeypatch.setattr(passwords, "matches", matches)
    house.accounts.passwords = passwords.Passwords()
    for name in ("ann", "nobody", ""):
        assert await house.accounts.check(name, "wrong", "192.0.2.1") is None
    assert len(worked) == 3
    assert worked[1:] == [passwords.NOBODY] * 2


@pytest.mark.req("S-56")
async def test_ten_failures_cost_a_growing_pause(house: House) -> None:
    await house.open(ADMIN)
    visitor = house.visitor()
    for _ in range(10):
        assert (await visitor.sign_in("ann", "wrong")).status_code == 401
    answer = await visitor.sign_in("ann")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 31
    house.now += 31
    assert (await visitor.sign_in("ann", "wrong")).status_code == 401
    longer = await visitor.sign_in("ann")
    assert 31 < int(longer.headers["retry-after"]) <= 61
    assert (await house.visitor("127.0.0.2").sign_in("ann")).status_code == 303
    assert len(await house.trace("login-failed")) == 11


@pytest.mark.req("S-56")
async def test_guesses_that_come_together_count_as_if_they_came_one_by_one(house: House) -> None:
    await house.open(ADMIN, BOB)
    full, going = asyncio.Event(), asyncio.Event()
    worked = 0

    async def slow(kept: str | None, password: str) -> bool:
        nonlocal worked
        worked += 1
        if worked == 10:
            full.set()
        await going.wait()
        return kept == f"plain {password}"

    house.accounts.passwords.matches = slow  # type: ignore[method-assign]
    guesses = [house.visitor().sign_in("ann", f"guess {number}") for number in range(40)]
    asked = asyncio.gather(*guesses)
    await full.wait()
    going.set()
    found = Counter(answer.status_code for answer in await asked)
    assert found == {401: 10, 429: 30}
    # Those of others at the same address that were right are no guesses.
    for _ in range(60):
        assert (await house.visitor().sign_in("bob")).status_code == 303


def test_attempts_are_forgotten_with_time_and_by_success() -> None:
    attempts = Attempts(most=2, span_s=100.0)
    for at in (0.0, 1.0):
        attempts.failed("a", at)
    assert attempts.wait_s("a", 2.0) == 29.0
    assert attempts.wait_s("b", 2.0) == 0.0
    assert attempts.wait_s("a", 101.0) == 0.0
    attempts.failed("a", 101.0)
    attempts.failed("a", 102.0)
    attempts.succeeded("a")
    assert attempts.wait_s("a", 102.0) == 0.0
    attempts.failed("a", 103.0)
    attempts.failed("a", 104.0)
    attempts.took_back("a", 104.0)
    attempts.took_back("a", 50.0)
    assert attempts.wait_s("a", 104.0) == 0.0


def test_calls_are_fifty_a_second_and_a_hundred_at_once() -> None:
    bucket = Bucket()
    assert not any(bucket.take("t", 0.0) for _ in range(100))
    assert bucket.take("t", 0.0) == pytest.approx(0.02)
    assert not any(bucket.take("t", 1.0) for _ in range(50))
    assert bucket.take("t", 1.0) > 0


@pytest.mark.parametrize(
    ("given", "leads"),
    [
        ("/users", "/users"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nset-cookie: x=1", "/"),
        ("", "/"),
    ],
)
def test_a_login_leads_to_our_own_pages_only(given: str, leads: str) -> None:
    assert onward_path(given) == leads


async def test_one_changes_the_own_password_and_other_logins_end(house: House) -> None:
    await house.open(ADMIN)
    here, there = await house.signed_in("ann"), await house.signed_in("ann", "192.0.2.1")
    new = "another long password"
    fields = {"before": "wrong", "password": new, "again": new}
    refused = await here.send("/account", "/account/password", **fields)
    assert (refused.status_code, "This is not your password" in refused.text) == (422, True)
    fields["before"] = PASSWORD
    assert (await here.send("/account", "/account/password", **fields)).status_code == 303
    assert (await here.get("/account")).status_code == 200
    assert (await there.get("/account")).status_code == 303
    assert (await house.visitor().sign_in("ann", new)).status_code == 303


async def test_with_a_set_up_token_the_first_user_is_made_from_elsewhere(house: House) -> None:
    from waystation.web.accounts import SetupToken

    await house.open()
    house.accounts.setup = SetupToken("the token", house.now + 100)
    visitor = house.visitor("192.0.2.9")
    assert (await visitor.get("/health/live")).status_code == 200
    assert (await visitor.get("/sign-in")).headers["location"] == "/setup"
    assert (await house.visitor().get("/users")).status_code == 303
    fields = {"name": "ann", "password": PASSWORD, "again": PASSWORD}
    wrong = await visitor.send("/setup", "/setup", setup="guess", **fields)
    assert wrong.status_code == 422
    house.now += 200
    assert (await visitor.send("/setup", "/setup", setup="the token", **fields)).status_code == 422
    house.now -= 200
    made = await visitor.send("/setup", "/setup", setup="the token", **fields)
    assert made.headers["location"] == "/sign-in"
    assert (await visitor.sign_in("ann")).status_code == 303
    assert (await visitor.get("/users")).status_code == 200
    assert (await house.visitor().get("/setup")).status_code == 303
