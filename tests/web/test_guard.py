"""Errors without secrets, and an open node that foreign pages cannot reach."""

import pytest
from starlette.testclient import TestClient

from tests.web.standin import DISK_FULL, StandIn
from waystation.web.problems import BODY_LIMIT, LONGEST_TARGET, MOST_FIELDS, PROBLEM

ORDER = {"to": "pacs", "user": "ann"}
RETRY = "/api/v1/deliveries/retry"


@pytest.mark.req("S-61")
@pytest.mark.parametrize(
    ("error", "status"), [(DISK_FULL, 503), (RuntimeError("PatientID SECRET /secret/path"), 500)]
)
def test_an_error_has_an_id_and_no_inside(
    error: Exception, status: int, client: TestClient, node: StandIn
) -> None:
    node.broken = error
    answer = client.get("/api/v1/deliveries")
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert len(answer.json()["id"]) == 12
    for inside in ("SECRET", "secret", "Traceback", "journal.db", "RuntimeError"):
        assert inside not in answer.text


def test_what_is_not_there_is_a_problem_too(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


def test_a_wrong_method_says_which_are_right(client: TestClient) -> None:
    answer = client.post("/health/live", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_bad_value_is_not_quoted(client: TestClient) -> None:
    answer = client.post(RETRY, json=ORDER | {"state": "SECRET"})
    assert answer.status_code == 400
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8080"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"host": "evil.example"}, 400),
        ({"host": "localhost:8080"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": ""}, 400),
    ],
)
def test_a_page_of_another_site_cannot_act(
    headers: dict[str, str], status: int, client: TestClient, node: StandIn
) -> None:
    assert client.post(RETRY, json=ORDER, headers=headers).status_code == status
    assert len(node.asked) == (status == 200)


def test_a_name_that_only_dns_gives_us_may_not_read_either(client: TestClient) -> None:
    answer = client.get("/api/v1/deliveries", headers={"host": "rebound.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/v1/status", "/metrics"])
def test_every_answer_forbids_foreign_content(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_long_addresses_and_many_fields_are_refused(client: TestClient) -> None:
    assert client.get("/?" + "x" * LONGEST_TARGET).status_code == 414
    many = {f"x-{number}": "1" for number in range(MOST_FIELDS)}
    assert client.get("/health/live", headers=many).status_code == 431


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_body_is_refused_announced_or_not(
    announced: bool, client: TestClient, node: StandIn
) -> None:
    body = b'{"to": "' + b"x" * BODY_LIMIT + b'"}'
    content = body if announced else iter([body[:1000], body[1000:]])
    answer = client.post(RETRY, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert node.asked == []
