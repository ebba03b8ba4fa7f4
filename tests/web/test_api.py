"""The JSON of the API: stable keys, no patient, decisions only with a choice and a name."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen

LANE_KEYS = [
    "destination",
    "kind",
    "state",
    "why",
    "waiting",
    "sending",
    "held",
    "done",
    "discarded",
    "oldest_s",
    "open",
    "window",
    "associations",
    "waiting_bytes",
    "objects_per_s",
    "bytes_per_s",
    "clears_at",
    "ages",
]
PATHS = (
    "/api/v1/status",
    "/api/v1/destinations",
    "/api/v1/deliveries",
    "/api/v1/deliveries/1",
    "/api/v1/arrivals",
    "/api/v1/arrivals/a0",
    "/api/v1/shares?by=peer",
)


def test_lanes_have_their_keys_and_the_age_of_the_oldest(client: TestClient) -> None:
    body = client.get("/api/v1/destinations").json()
    assert list(body) == [
        "lanes",
        "held",
        "unplanned",
        "gathering",
        "gathers",
        "today",
        "unverified",
    ]
    lane = body["lanes"][0]
    assert sorted(lane) == sorted(LANE_KEYS)
    assert (lane["waiting"], lane["oldest_s"], lane["state"]) == (2, 90.0, "down")


def test_a_delivery_shows_ids_and_statuses_in_hexadecimal(client: TestClient) -> None:
    entry = client.get("/api/v1/deliveries").json()["deliveries"][0]
    assert (entry["id"], entry["arrival"], entry["status"]) == ("1", "a0", "A700")
    assert (entry["priority"], entry["rules"]) == ("normal", ["all", "urgent"])


def test_filters_reach_the_node(client: TestClient, node: StandIn) -> None:
    query = "to=pacs&study=1.2&state=held&reason=expired&after=1f&limit=7"
    assert client.get(f"/api/v1/deliveries?{query}").status_code == 200
    assert node.chosen == [
        Chosen(destination="pacs", study="1.2", state="held", reason="expired", after=0x1F, limit=7)
    ]


def test_a_full_page_names_the_next_one(client: TestClient) -> None:
    first = client.get("/api/v1/deliveries?limit=2").json()
    assert first["next"] == "2"
    last = client.get("/api/v1/deliveries?limit=2&after=2").json()
    assert [entry["id"] for entry in last["deliveries"]] == ["3"]
    assert last["next"] is None


@pytest.mark.parametrize(
    "query",
    ["state=lost", "limit=0", "limit=10001", "after=xyz", "after=" + "f" * 17, "nope=1"],
)
def test_a_filter_that_is_not_understood_is_refused_by_name(query: str, client: TestClient) -> None:
    answer = client.get(f"/api/v1/deliveries?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/deliveries/1", "/api/v1/arrivals/a0"])
def test_a_story_has_arrival_deliveries_and_failed_attempts(path: str, client: TestClient) -> None:
    story = client.get(path).json()
    assert list(story) == ["arrival", "deliveries", "attempts", "steps"]
    assert story["steps"] == {
        "1": {
            "steps": "edit (1)",
            "changed": ["AccessionNumber"],
            "deidentified": "",
            "sha256": "ab",
        }
    }
    assert story["arrival"]["verdicts"] == [{"rule": "all", "matched": False}]
    assert [attempt["status"] for attempt in story["attempts"]["1"]] == ["A700"]


@pytest.mark.parametrize("path", ["/api/v1/deliveries/2", "/api/v1/arrivals/1"])
def test_an_unknown_id_is_not_found(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_carries_what_a_rule_read_from_the_object(path: str, client: TestClient) -> None:
    text = client.get(path).text
    assert "SECRET-ID" not in text
    assert "patient" not in text.lower()


@pytest.mark.parametrize("action", [action.value for action in Action])
def test_every_action_reaches_the_node_with_its_author(
    action: str, client: TestClient, node: StandIn
) -> None:
    order = {"to": "pacs", "user": "ann", "because": "why not"}
    done = client.post(f"/api/v1/deliveries/{action}", json=order).json()
    assert done == {
        "action": action,
        "preview": False,
        "matching": 2,
        "changed": 2,
        "left": {"done": 5},
    }
    asked = node.asked[0]
    assert (asked.action.value, asked.user, asked.because) == (action, "ann", "why not")
    assert asked.chosen.destination == "pacs"


def test_a_preview_only_counts(client: TestClient, node: StandIn) -> None:
    order = {"ids": ["1", "ff"], "user": "ann", "preview": True}
    done = client.post("/api/v1/deliveries/discard", json=order).json()
    assert (done["matching"], done["changed"], done["preview"]) == (2, 0, True)
    assert node.asked[0].chosen.ids == (1, 255)


@pytest.mark.parametrize(
    ("action", "order", "status"),
    [
        ("retry", {"user": "ann"}, 400),
        ("retry", {"user": "ann", "all": True}, 200),
        ("retry", {"to": "pacs"}, 400),
        ("retry", {"to": "pacs", "user": ""}, 400),
        ("discard", {"to": "pacs", "user": "ann"}, 400),
        ("retry", {"to": "pacs", "user": "ann", "dry": True}, 400),
        ("retry", {"ids": ["x"], "user": "ann"}, 400),
        ("erase", {"to": "pacs", "user": "ann"}, 400),
    ],
)
def test_an_order_needs_a_choice_a_name_and_a_known_action(
    action: str, order: dict[str, Any], status: int, client: TestClient, node: StandIn
) -> None:
    assert client.post(f"/api/v1/deliveries/{action}", json=order).status_code == status
    assert len(node.asked) == (status == 200)


def test_an_expression_chooses_and_reaches_the_node(client: TestClient, node: StandIn) -> None:
    where = "Modality == 'CT'"
    assert client.get("/api/v1/deliveries", params={"where": where}).status_code == 200
    assert node.wheres == [where]
    order = {"where": where, "user": "ann"}
    assert client.post("/api/v1/deliveries/retry", json=order).status_code == 200
    assert (node.asked[0].where, node.asked[0].chosen.everything) == (where, True)
    long = client.get("/api/v1/deliveries", params={"where": "x" * 4097})
    assert long.status_code == 400


def test_ages_stand_by_their_limits(client: TestClient) -> None:
    body = client.get("/api/v1/destinations").json()
    ages = body["lanes"][0]["ages"]
    assert ages == {"5m": 1, "15m": 1, "1h": 0, "4h": 0, "1d": 0, "more": 0}
    assert (body["gathers"], body["gathering"], body["today"]) == (1, 212, {"done": 5})


def test_what_is_open_is_shared_out_by_name(client: TestClient) -> None:
    body = client.get("/api/v1/shares?by=study&limit=5").json()
    share = {"name": "a study", "waiting": 2, "sending": 0, "held": 1, "oldest_s": 90.0}
    assert body == {"by": "study", "shares": [share]}
    assert client.get("/api/v1/shares?by=patient").status_code == 400


def test_a_story_is_told_by_its_uid(client: TestClient) -> None:
    assert client.get("/api/v1/explain?uid=1.2.3").json()["level"] == "study"
    unknown = client.get("/api/v1/explain?uid=9.9")
    assert (unknown.status_code, unknown.json()["title"]) == (404, "Nothing is known of it")


def test_a_replay_reaches_the_node_with_its_author(client: TestClient, node: StandIn) -> None:
    order = {"where": "Rows > 1", "since": 5.0, "to": "pacs", "user": "ann", "preview": True}
    done = client.post("/api/v1/replay", json=order).json()
    assert (done["made"], done["already"], done["to"], done["preview"]) == (3, 1, {"pacs": 3}, True)
    assert (node.replays[0].user, node.replays[0].priority) == ("ann", "low")
    wrong = client.post("/api/v1/replay", json=order | {"to": "nope"})
    assert (wrong.status_code, "nope" in wrong.json()["detail"]) == (400, True)
    for fault in ({"where": ""}, {"since": "x"}, {"user": ""}, {"priority": "urgent"}):
        assert client.post("/api/v1/replay", json=order | fault).status_code == 400


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_a_lane_is_paused_and_resumed_by_name(
    change: str, client: TestClient, node: StandIn
) -> None:
    path = f"/api/v1/destinations/pacs/{change}"
    assert client.post(path, json={"user": "ann"}).status_code == 200
    assert node.lane_changes == [(change, "pacs", "ann")]
    unknown = client.post(f"/api/v1/destinations/nope/{change}", json={"user": "ann"})
    assert unknown.status_code == 404


def test_a_rejected_configuration_answers_with_its_faults(
    client: TestClient, node: StandIn
) -> None:
    assert client.post("/api/v1/reload", json={}).json() == {"ok": True, "faults": []}
    node.faults = ["waystation.toml:3 dicom.port: expected 0 to 65535"]
    rejected = client.post("/api/v1/reload", json={})
    assert (rejected.status_code, rejected.json()["faults"]) == (422, node.faults)


def test_the_openapi_document_names_every_route(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert {
        "/api/v1/archive/corrections",
        "/api/v1/archive/doubts",
        "/api/v1/archive/why",
        "/api/v1/status",
        "/api/v1/destinations",
        "/api/v1/destinations/{name}/contexts",
        "/api/v1/deliveries",
        "/api/v1/deliveries/{delivery_id}",
        "/api/v1/deliveries/{action}",
        "/api/v1/deliveries/{delivery_id}/fix",
        "/api/v1/arrivals",
        "/api/v1/arrivals/{arrival_id}",
        "/api/v1/destinations/{name}/{change}",
        "/api/v1/reload",
        "/api/v1/explain",
        "/api/v1/shares",
        "/api/v1/replay",
        "/api/v1/retrieves",
        "/api/v1/retrieves/{number}",
    } == set(document["paths"])
    assert "waystation" in json.dumps(document["info"]).lower()


@pytest.mark.req("R-59")
def test_a_fix_reaches_the_node_as_edits_that_take_values_as_they_are(
    client: TestClient, node: StandIn
) -> None:
    order = {"set": {"PatientName": "A{B}", "OtherPatientNames": "A\\B"}, "user": "ann"}
    done = client.post("/api/v1/deliveries/1f/fix", json=order)
    assert done.json() == {"delivery": "1f", "action": "fix"}
    assert node.fixes == [
        (
            0x1F,
            [
                {"set": "PatientName", "to": ["A{{B}}"], "reason": "correct"},
                {"set": "OtherPatientNames", "to": ["A", "B"], "reason": "correct"},
            ],
            "ann",
        )
    ]
    node.fix_problem = "it is done"
    assert client.post("/api/v1/deliveries/1f/fix", json=order).status_code == 409
    wrong = order | {"set": {"Rows": "5"}}
    refused = client.post("/api/v1/deliveries/1f/fix", json=wrong)
    assert refused.status_code == 400
    assert "cannot be edited" in refused.text
    assert client.post("/api/v1/deliveries/x/fix", json=order).status_code == 400


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_page_loads_scripts_from_elsewhere(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404
