"""An S3 server in a process of its own (moto): buckets in memory, requests unsigned or signed.

Contract: each `bucket` is new; `objects` gives key → content, `metadata` what a key says of itself.
"""

import itertools
import sys
from http.client import HTTPConnection
from pathlib import Path

from obstore.store import S3Store

from tests.peers.program import HOST, Program, free_port

_numbers = itertools.count(1)


class MotoS3(Program):
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
        super().__init__(command, folder, name="moto")
        self.wait_for_port(self.port)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def bucket(self, name: str = "") -> str:
        """Make a bucket and return its name."""
        name = name or f"images-{next(_numbers)}"
        assert self.ask("PUT", f"/{name}")[0] == 200
        return name

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Make one plain request; return status, body and headers in lower case."""
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            found = {key.lower(): value for key, value in reply.getheaders()}
            return reply.status, reply.read(), found
        finally:
            connection.close()

    def store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.url,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
            client_options={"allow_http": True},
        )

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return key → content of all objects."""
        store = self.store(bucket)
        keys = [str(one["path"]) for page in store.list() for one in page]
        return {key: bytes(store.get(key).bytes()) for key in keys}

    def metadata(self, bucket: str, key: str) -> dict[str, str]:
        """Return the headers of one object."""
        return self.ask("HEAD", f"/{bucket}/{key}")[2]
