"""The archive in the API: why a query finds something, what is in doubt, what is corrected."""

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn


@pytest.mark.req("T-19")
def test_each_key_of_a_query_is_judged_for_one_record(client: TestClient, node: StandIn) -> None:
    body = {"keys": {"PatientID": "1"}, "record": "A17"}
    (record,) = client.post("/api/v1/archive/why", json=body).json()["records"]
    assert record["keys"] == [{"matched": False, "text": "PatientID asked 1, study has 2: no"}]
    assert (node.archive.asked[0].level, node.archive.asked[0].record) == ("STUDY", "A17")
    assert client.post("/api/v1/archive/why", json={"record": "A17"}).status_code in (400, 422)


@pytest.mark.req("T-33")
def test_doubts_are_shown(client: TestClient) -> None:
    (doubt,) = client.get("/api/v1/archive/doubts", params={"study": "1.5"}).json()["doubts"]
    assert doubt == {"study": "1.5", "kind": "series", "text": "twice", "other": "1.3"}
    page = client.get("/api/v1/archive/doubts", params={"after": "1.7", "limit": 3}).json()
    assert page["after"] == "1.7.3"
    assert client.get("/api/v1/archive/doubts", params={"limit": 10_000}).status_code == 400


@pytest.mark.req("T-32")
def test_a_correction_needs_a_person_and_a_reason(client: TestClient, node: StandIn) -> None:
    order = {"studies": ["1.2.3"], "values": {"PatientID": "7"}, "because": "mixed up"}
    where = "/api/v1/archive/corrections"
    assert client.post(where, json=order).status_code == 400
    assert client.post(where, json={**order, "because": "", "user": "ann"}).status_code in (
        400,
        422,
    )
    done = client.post(where, json={**order, "user": "ann"})
    assert done.json() == {"studies": {"1.2.3": ""}}
    assert [(asked.values, author) for asked, author in node.archive.corrected] == [
        ({"PatientID": "7"}, "ann")
    ]
    assert client.get(where).json() == {"corrections": []}
