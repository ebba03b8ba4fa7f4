"""`waystation demo --once`: what `make run` shows, up to the delivery."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.peers.program import WAYSTATION


def test_the_demonstration_delivers_every_image_even_with_its_ports_taken(tmp_path: Path) -> None:
    with taken(11_112), taken(8_080):
        done = demonstration(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 of 7 images arrived unchanged" in done.stdout
    assert done.stdout.count("0000, same SHA-256 at the PACS") == 7
    assert demonstration(tmp_path).returncode == 0, "a second run delivers again"


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Make sure that somebody listens on ``port``; perhaps somebody else does already."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", port))
            holder.listen()
        yield


def demonstration(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(WAYSTATION), "demo", "--once", "--folder", str(folder / "demo")],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
