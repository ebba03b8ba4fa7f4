"""What is fetched from PACS in the API: seen, followed, stopped, begun ahead (W-119)."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from starlette.types import Scope

from tests.web.conftest import BASE
from tests.web.standin import StandIn
from waystation.flows.fetch import COMPLETE, FetchFailed, Path, Progress
from waystation.web.access import Who, abilities_of
from waystation.web.api_fetches import fetches_api
from waystation.web.entrance import NoAccounts
from waystation.web.site import site

RUN = Progress(
    id="f1",
    source="old",
    study_uid="1.2.3",
    level="study",
    state="running",
    began_at=1000.0,
    expected=10,
    received=4,
    size_bytes=4000,
    rate=2000.04,
    n_missing=6,
    missing=("1.2.3.5",),
    verified="uids",
    readers=2,
    way="move",
)
END = replace(RUN, state=COMPLETE, ended_at=1005.0, received=10, n_missing=0, missing=())


class Playing:
    """The part of `Fetches` that the API needs."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.begun: list[tuple[str, dict[str, str]]] = []
        self.ended = False

    def progress(self, fetch: str = "") -> Sequence[Progress]:
        return [one for one in (RUN,) if fetch in ("", one.id)]

    async def follow(self, fetch: str) -> AsyncIterator[Progress]:
        for one in (RUN, RUN, RUN, END):
            yield one

    async def cancel(self, fetch: str) -> bool:
        self.cancelled.append(fetch)
        return not self.ended

    async def forget(self, source: str, path: Path) -> int:
        return 3 if (source, path["study"]) == ("old", "1.2.3") else 0

    async def prefetch(self, source: str, path: Path) -> Progress:
        if source != "old":
            raise FetchFailed(404, "There is no such source", source)
        self.begun.append((source, dict(path)))
        return RUN


@pytest.fixture
def fetches() -> Playing:
    return Playing()


@pytest.fixture
def asking(fetches: Playing) -> Iterator[TestClient]:
    app = site(StandIn(), parts=[fetches_api(lambda: fetches)])  # type: ignore[arg-type,return-value]
    with TestClient(
        app, base_url=BASE, raise_server_exceptions=False, client=("127.0.0.1", 5000)
    ) as opened:
        yield opened


@pytest.mark.req("W-119")
def test_a_fetch_shows_how_far_it_is_and_what_lacks(asking: TestClient) -> None:
    (shown,) = asking.get("/api/v1/fetches").json()["fetches"]
    assert shown == asking.get("/api/v1/fetches/f1").json()
    assert shown == {
        "id": "f1",
        "source": "old",
        "study": "1.2.3",
        "level": "study",
        "state": "running",
        "expected": 10,
        "received": 4,
        "bytes": 4000,
        "bytes_per_s": 2000.0,
        "missing": 6,
        "missing_uids": ["1.2.3.5"],
        "verified": "uids",
        "error": "",
        "status": 0,
        "readers": 2,
        "way": "move",
        "began_at": 1000.0,
        "ended_at": None,
    }
    assert asking.get("/api/v1/fetches/f2").status_code == 404


@pytest.mark.req("W-119")
def test_its_events_tell_of_changes_and_last_of_the_end(asking: TestClient) -> None:
    answer = asking.get("/api/v1/fetches/f1/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in answer.text.strip().split("\n\n")]
    assert [event[0] for event in events] == ["event: running", "event: complete"]
    assert json.loads(events[-1][1].removeprefix("data: "))["received"] == 10
    assert asking.get("/api/v1/fetches/f2/events").status_code == 404


@pytest.mark.req("W-119")
def test_a_person_stops_one_under_a_name(asking: TestClient, fetches: Playing) -> None:
    def stop(fetch: str, **order: str) -> int:
        return asking.request("DELETE", f"/api/v1/fetches/{fetch}", json=order).status_code

    assert stop("f1", user="anna") == 200
    assert stop("f1") == 400
    assert stop("f2", user="anna") == 404
    fetches.ended = True
    assert stop("f1", user="anna") == 409
    assert fetches.cancelled == ["f1", "f1"]


def test_who_is_known_decides_under_the_own_name(fetches: Playing) -> None:
    decided: list[tuple[str, str]] = []

    def told(by: str, what: str, /, **more: object) -> None:
        decided.append((by, what))

    class Doorman(NoAccounts):
        async def who(self, scope: Scope, *, basic: bool = False) -> Who:
            abilities = abilities_of("operator", ())
            return Who(name="bob", kind="token", role="operator", abilities=abilities)

    made = fetches_api(lambda: fetches, told)  # type: ignore[arg-type,return-value]
    app = site(StandIn(), keeper=Doorman(lambda scope: True), parts=[made])
    with TestClient(app, base_url=BASE, client=("127.0.0.1", 5000)) as asking:
        said = {"user": "somebody else"}
        stopped = asking.request("DELETE", "/api/v1/fetches/f1", json=said)
        assert stopped.json()["user"] == "bob"
        order = {"source": "old", "study": "1.2.3"}
        assert asking.post("/api/v1/fetches", json=order).status_code == 202
        dropped = asking.request("DELETE", "/api/v1/cache/old/1.2.3", json={})
        assert dropped.json()["user"] == "bob"
    assert decided == [("bob", "stop"), ("bob", "fetch"), ("bob", "forget")]


@pytest.mark.req("W-119")
def test_a_study_or_series_is_fetched_before_somebody_asks_for_it(
    asking: TestClient, fetches: Playing
) -> None:
    order = {"source": "old", "study": "1.2.3", "user": "anna"}
    answer = asking.post("/api/v1/fetches", json=order)
    assert answer.status_code == 202
    assert answer.headers["location"] == "/api/v1/fetches/f1"
    assert asking.post("/api/v1/fetches", json={**order, "series": "1.2.3.4"}).status_code == 202
    assert fetches.begun == [
        ("old", {"study": "1.2.3"}),
        ("old", {"study": "1.2.3", "series": "1.2.3.4"}),
    ]
    assert asking.post("/api/v1/fetches", json={**order, "source": "new"}).status_code == 404
    assert asking.post("/api/v1/fetches", json={**order, "study": "../x"}).status_code == 400


@pytest.mark.req("W-99")
def test_what_the_cache_has_of_a_study_is_dropped_by_a_person(asking: TestClient) -> None:
    def drop(path: str) -> int:
        order = {"user": "anna"}
        return asking.request("DELETE", f"/api/v1/cache/{path}", json=order).status_code

    assert drop("old/1.2.3") == 200
    assert drop("old/1.2.4") == 409
    assert drop("old/..") in (404, 400)
