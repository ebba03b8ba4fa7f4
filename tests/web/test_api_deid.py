"""Bodies of the API of de-identification: what is no decision and no look-up is refused."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn
from waystation.web.api_deid import boxes_of, deid_api
from waystation.web.api_deid_shapes import (
    DecisionDone,
    DeidDecision,
    DeidDesk,
    DeidLookup,
    EntrySaid,
    NotHereError,
    Rectangle,
)
from waystation.web.site import site

DECISION: dict[str, Any] = {
    "study": "1.2.3",
    "profile": "research",
    "what": "sample",
    "approved": True,
    "because": "looked at it",
    "user": "anna",
}
ASKED: dict[str, Any] = {"profile": "research", "because": "recall", "user": "anna"}


class Noted:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.decisions: list[DeidDecision] = []
        self.lookups: list[DeidLookup] = []

    async def decide(self, said: DeidDecision, *, release: bool = False) -> DecisionDone:
        if said.profile == "none":
            raise NotHereError("There is no profile none")
        self.decisions.append(said)
        return DecisionDone(held=["1"])

    async def note_lookup(self, said: DeidLookup) -> None:
        self.lookups.append(said)

    async def look_up(self, said: DeidLookup) -> EntrySaid | None:
        self.lookups.append(said)
        return None

    async def export(self, said: DeidLookup) -> Sequence[EntrySaid]:
        self.lookups.append(said)
        return []


@pytest.fixture
def desk() -> Noted:
    return Noted()


@pytest.fixture
def asking(desk: Noted) -> TestClient:
    app = site(StandIn(), parts=[deid_api(cast(DeidDesk, desk))])
    return TestClient(
        app,
        base_url="http://127.0.0.1:8080",
        raise_server_exceptions=False,
        client=("127.0.0.1", 5000),
    )


@pytest.mark.req("D-43")
def test_a_decision_reaches_the_node_with_its_author(asking: TestClient, desk: Noted) -> None:
    answer = asking.post("/api/v1/deid/decisions", json=DECISION)
    assert (answer.status_code, answer.json()["held"]) == (200, ["1"])
    assert (desk.decisions[0].user, desk.decisions[0].approved) == ("anna", True)
    missing = asking.post("/api/v1/deid/decisions", json=DECISION | {"profile": "none"})
    assert missing.status_code == 404


@pytest.mark.req("D-43")
@pytest.mark.parametrize(
    "wrong",
    [{"what": "all"}, {"study": "../x"}, {"because": ""}, {"user": ""}, {"more": 1}],
)
def test_a_decision_needs_a_study_a_reason_and_a_name(
    asking: TestClient, desk: Noted, wrong: dict[str, object]
) -> None:
    assert asking.post("/api/v1/deid/decisions", json=DECISION | wrong).status_code in (400, 422)
    assert desk.decisions == []


@pytest.mark.req("D-30")
def test_a_look_up_elsewhere_is_written_down(asking: TestClient, desk: Noted) -> None:
    order = {"kind": "lookup", "pseudonym": "L-1", **ASKED}
    assert asking.post("/api/v1/deid/lookups", json=order).json() == {"noted": "lookup"}
    assert (desk.lookups[0].because, desk.lookups[0].pseudonym) == ("recall", "L-1")


@pytest.mark.req("D-30")
@pytest.mark.parametrize("path", ["lookups", "pseudonyms/lookup", "pseudonyms/export"])
@pytest.mark.parametrize("wrong", [{"because": ""}, {"user": ""}, {"more": 1}])
def test_nobody_asks_without_a_reason_and_a_name(
    asking: TestClient, desk: Noted, path: str, wrong: dict[str, object]
) -> None:
    order = {"kind": "lookup", "pseudonym": "L-1"} if path == "lookups" else {}
    order |= {"pseudonym": "L-1"} if path.endswith("/lookup") else {}
    answer = asking.post(f"/api/v1/deid/{path}", json={**order, **ASKED, **wrong})
    assert answer.status_code in (400, 422)
    assert desk.lookups == []


def test_rectangles_are_read_as_they_are_typed() -> None:
    assert boxes_of(["0,0,48,8", " 1 2  3 4 "]) == (Rectangle(0, 0, 48, 8), Rectangle(1, 2, 3, 4))
