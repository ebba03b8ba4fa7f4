"""Decisions about de-identified studies reach the node; nobody's identity leaves by HTTP."""

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn

DECISION = {
    "study": "1.2.3",
    "profile": "research",
    "what": "sample",
    "approved": True,
    "because": "looked at it",
    "user": "anna",
}


@pytest.mark.req("D-43")
def test_a_decision_reaches_the_node_with_its_author(client: TestClient, node: StandIn) -> None:
    answer = client.post("/api/v1/deid/decisions", json=DECISION)
    assert (answer.status_code, answer.json()) == (200, {"held": ["1"]})
    assert (node.decisions[0].user, node.decisions[0].approved) == ("anna", True)
    missing = client.post("/api/v1/deid/decisions", json=DECISION | {"profile": "none"})
    assert missing.status_code == 404


@pytest.mark.req("D-43")
@pytest.mark.parametrize(
    "wrong",
    [{"what": "all"}, {"study": "../x"}, {"because": ""}, {"user": ""}, {"more": 1}],
)
def test_a_decision_needs_a_study_a_reason_and_a_name(
    client: TestClient, node: StandIn, wrong: dict[str, object]
) -> None:
    assert client.post("/api/v1/deid/decisions", json=DECISION | wrong).status_code in (400, 422)
    assert node.decisions == []


@pytest.mark.req("D-30")
def test_a_look_up_is_only_written_down(client: TestClient, node: StandIn) -> None:
    order = {"kind": "lookup", "profile": "research", "because": "recall", "user": "anna"}
    assert client.post("/api/v1/deid/lookups", json=order).json() == {"noted": "lookup"}
    assert node.lookups[0].because == "recall"
