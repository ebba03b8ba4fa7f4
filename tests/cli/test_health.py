"""``waystation health``: ready, not ready and why, nobody there (a node: test_packaging.py)."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.peers.program import free_port


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """Something on loopback that answers /health/ready with this."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def announce(config: Path, web: str) -> None:
    """Leave the file that a node on the data folder of ``config`` would write."""
    data = config.parent / "data"
    data.mkdir(exist_ok=True)
    (data / "node.json").write_text(json.dumps({"pid": 1, "web": web}))


def test_a_node_that_is_not_ready_says_why_and_ends_with_1(config: Path, run: Run) -> None:
    body = {"status": "not ready", "reasons": ["disk\x1b full", "draining"]}
    with answering(503, json.dumps(body).encode()) as port:
        announce(config, f"http://127.0.0.1:{port}")
        told = run("health", "--config", config)
        document = run("health", "--json", "--config", config)
    assert (told.code, told.out) == (1, "not ready; disk? full; draining\n")
    assert (document.code, json.loads(document.out)) == (1, body)


def test_a_ready_node_ends_with_0(config: Path, run: Run) -> None:
    with answering(200, b'{"status": "ready", "reasons": []}') as port:
        announce(config, f"http://127.0.0.1:{port}")
        told = run("health", "--config", config)
    assert (told.code, told.out) == (0, "ready\n")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"status": "ready", "reasons": 1}'])
def test_a_stranger_on_the_port_is_no_node(config: Path, run: Run, body: bytes) -> None:
    with answering(200, body) as port:
        announce(config, f"http://127.0.0.1:{port}")
        told = run("health", "--config", config)
    assert (told.code, told.out) == (3, "")


def test_nobody_there_ends_with_3(config: Path, run: Run) -> None:
    assert run("health", "--config", config).code == 3, "never started"
    announce(config, f"http://127.0.0.1:{free_port()}")
    assert run("health", "--config", config).code == 3, "crashed"
    announce(config, "off")
    assert "listener is off" in run("health", "--config", config).err
