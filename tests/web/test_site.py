"""Health, metrics and the front page."""

import re

from starlette.testclient import TestClient

from tests.web.standin import StandIn
from waystation.web.view import TroubleView


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
    for text in ("pacs", "down", "2 min", "object-refused", "Everybody on this machine may"):
        assert text in page.text


def test_what_is_not_well_comes_with_what_to_do(client: TestClient, node: StandIn) -> None:
    assert "Something is held for a person; see below" in client.get("/").text
    node.not_well = [
        TroubleView(subject="destination pacs", kind="held", why="1 held for a person"),
        TroubleView(
            subject="destination far", kind="down", why="down: refused", look="waystation queue"
        ),
    ]
    node.config_problem = "waystation.toml:3 web.port: no"
    text = client.get("/").text
    assert "3 things need attention" in text
    assert text.index("destination far") < text.index("destination pacs")
    for told in ("Nothing is lost; sending goes on", "waystation queue", "waystation.toml:3"):
        assert told in text


def test_every_page_says_why_the_node_takes_no_work(client: TestClient, node: StandIn) -> None:
    node.reasons = ["volume full"]
    assert "Not ready: volume full" in client.get("/").text


def test_a_lane_is_paused_from_the_page_and_undone(client: TestClient, node: StandIn) -> None:
    def token() -> str:
        return client.get("/").text.partition('data-form-token="')[2].partition('"')[0]

    path, form = "/lanes/pacs/pause", {"form_token": token()}
    assert client.post("/lanes/nope/pause", data=form).status_code == 404
    answer = client.post(path, data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    text = client.get("/").text
    assert "pacs is paused" in text
    assert 'action="/lanes/pacs/resume"' in text
    assert "pacs is paused" not in client.get("/").text
    assert node.lane_changes[-1] == ("pause", "pacs", "console")


def test_static_files_are_kept_for_ever_and_only_ours_are_served(client: TestClient) -> None:
    text = client.get("/").text
    found = sorted(set(re.findall(r'"(/static/[^"]+)"', text)))
    assert [path.rpartition("/")[2] for path in found] == [
        "console.css",
        "console.js",
        "mark.svg",
        "theme.js",
    ]
    for path in found:
        answer = client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert "http" not in text.replace("http-equiv", "")
    for path in ("/static/x/../../problems.py", "/static/x/%2e%2e%2fsite.py", "/static/x/nope.css"):
        assert client.get(path).status_code == 404
