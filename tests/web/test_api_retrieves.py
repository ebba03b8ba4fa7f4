"""Retrievals under way in the API: seen without a patient, stopped by a person with a name."""

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn

MARK = 'data-form-token="'


@pytest.mark.req("T-46")
def test_a_retrieval_under_way_shows_who_what_whereto_how_fast_and_what_remains(
    client: TestClient,
) -> None:
    (shown,) = client.get("/api/v1/retrieves").json()["retrieves"]
    assert shown == {
        "id": 7,
        "kind": "C-MOVE-RQ",
        "peer": "ws",
        "calling_ae": "WS1",
        "address": "192.0.2.1",
        "what": "study 1.2.3",
        "to": "WS1",
        "total": 10,
        "remaining": 6,
        "completed": 3,
        "failed": 1,
        "warning": 0,
        "bytes_per_s": 1500.0,
    }


@pytest.mark.req("T-46")
def test_an_operator_stops_one_under_his_name(client: TestClient, node: StandIn) -> None:
    def stop(number: int, **order: str) -> int:
        return client.request("DELETE", f"/api/v1/retrieves/{number}", json=order).status_code

    assert stop(7, user="anna") == 200
    assert node.stopped == [(7, "anna")]
    assert stop(8, user="anna") == 404
    assert stop(7) in (400, 422)
    assert len(node.stopped) == 2


@pytest.mark.req("T-46")
def test_the_console_shows_them_and_has_a_button_to_stop_one(
    client: TestClient, node: StandIn
) -> None:
    text = client.get("/archive").text
    for shown in ("WS1", "192.0.2.1", "study 1.2.3", "C-MOVE", "4 of 10", "1 failed", "1.5 kB/s"):
        assert shown in text
    assert "about 3 s" in text
    where, form = "/archive/retrieves/{}/stop", {"form_token": text.partition(MARK)[2][:32]}
    answer = client.post(where.format(7), data=form)
    assert "It ends behind the object" in answer.text
    assert [number for number, _ in node.stopped] == [7]
    assert "It had ended already" in client.post(where.format(8), data=form).text
    node.retrieve = None
    assert "Nobody is fetching anything" in client.get("/archive").text
