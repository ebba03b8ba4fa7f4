"""A node that is killed while it stores over HTTP: what it has answered for is there afterwards."""

import threading
from pathlib import Path

import httpx2
import pytest

from tests.objects.files import Stored
from tests.objects.samples import as_file, sample
from tests.peers.node import Node
from waystation.dicomweb.stow import read_answer

KILLS = 2
KIND = 'multipart/related; type="application/dicom"; boundary=sep'


def body(*files: bytes) -> bytes:
    parts = [b"--sep\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in files]
    return b"".join(parts) + b"--sep--\r\n"


class _Sender(threading.Thread):
    """Stores until the node is gone.  acked: UIDs that were answered as stored."""

    def __init__(self, url: str, seed: str, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acked: set[str] = set()
        self._url = url
        self._seed = seed
        self._enough = enough

    def run(self) -> None:
        for number in range(1000):
            kind = ("tiny", "ct")[number % 2]
            some: list[Stored] = [sample(kind, seed=f"{self._seed} {number} {n}") for n in (1, 2)]
            try:
                answer = httpx2.post(
                    f"{self._url}/dicom-web/studies",
                    content=body(*map(as_file, some)),
                    headers={"content-type": KIND},
                    timeout=20,
                )
            except httpx2.HTTPError:
                return
            told = read_answer(answer.content)
            if told is not None:
                self.acked |= set(told.stored)
            if len(self.acked) >= 4:
                self._enough.set()


@pytest.mark.req("WT-18", "W-93", "S-1")
def test_nothing_that_was_answered_over_http_is_lost_when_the_node_is_killed(
    tmp_path: Path,
) -> None:
    acked: set[str] = set()
    with Node(tmp_path / "node", "") as node:
        for kill in range(KILLS):
            enough = threading.Event()
            senders = [_Sender(node.web, f"{kill} {n}", enough) for n in range(2)]
            for sender in senders:
                sender.start()
            assert enough.wait(30)
            node.kill()
            for sender in senders:
                sender.join(30)
                acked |= sender.acked
            node.start()
        answer = httpx2.get(f"{node.web}/dicom-web/instances?limit=5000", timeout=30)
        found = {row["00080018"]["Value"][0] for row in answer.json()}
        assert len(acked) >= 4 * KILLS
        assert acked <= found
        for row in answer.json():
            if row["00080018"]["Value"][0] in acked:
                url = row["00081190"]["Value"][0]
                whole = httpx2.get(url, headers={"accept": "application/dicom"}, timeout=30)
                assert whole.status_code == 200
