"""Health, metrics and the front page."""

import pytest
from starlette.testclient import TestClient

from tests.web.standin import StandIn


def test_ready_answers_503_with_its_reasons(client: TestClient, node: StandIn) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})
    node.reasons = ["volume full"]
    unready = client.get("/health/ready")
    assert unready.status_code == 503
    assert unready.json() == {"status": "not ready", "reasons": ["volume full"]}
    assert client.get("/health/live").status_code == 200


def test_metrics_are_served_as_prometheus_reads_them(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "waystation_unaccounted 0.0\n" in answer.text


def test_the_page_shows_the_lanes_and_says_that_it_is_open(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in ("pacs", "down", "2 min", "object-refused 1", "open to everyone"):
        assert text in page.text


@pytest.mark.parametrize(
    "payload", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}"]
)
def test_nothing_on_the_page_is_read_as_markup(
    payload: str, client: TestClient, node: StandIn
) -> None:
    node.lane_why = node.config_problem = payload
    text = client.get("/").text
    assert "<script" not in text
    assert "<img" not in text
    assert "49" not in text


def test_the_page_needs_nothing_but_its_own_style(client: TestClient) -> None:
    text = client.get("/").text
    assert text.count("<link") == 1
    assert "http" not in text
    assert "color-scheme: light dark" in client.get("/site.css").text
