"""The DICOMweb resources of a whole node in this process, asked without a socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from tests.flows.rig import Rig
from tests.objects.files import Stored
from tests.web.standin import StandIn
from waystation.app.wiring_dicomweb import dicomweb
from waystation.dicom.head import Head, identity
from waystation.web.brokered import Broker
from waystation.web.site import site

BASE = "http://127.0.0.1:8080"
DICOM_PARTS = 'multipart/related; type="application/dicom"'
OCTET_PARTS = 'multipart/related; type="application/octet-stream"'


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an answer.  headers: names as they were written."""

    headers: dict[str, str]
    body: bytes


def parts_of(answer: httpx2.Response) -> list[Part]:
    """Split a multipart answer, strictly: the first byte is that of the first delimiter."""
    kind, _, rest = answer.headers["content-type"].partition("; boundary=")
    assert kind.startswith('multipart/related; type="')
    delimiter = f"--{rest}".encode()
    body = answer.content
    assert body.endswith(delimiter + b"--\r\n")
    found = []
    while not body.startswith(delimiter + b"--\r\n"):
        assert body.startswith(delimiter + b"\r\n")
        head, _, rest_of = body[len(delimiter) + 2 :].partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode("ascii").split("\r\n")]
        assert lines[0][0] == "Content-Type"
        content, _, _ = rest_of.partition(b"\r\n" + delimiter)
        found.append(Part({name: value for name, _, value in lines}, content))
        body = rest_of[len(content) + 2 :]
    return found


def path_of(one: Stored, level: str = "instance") -> str:
    """Return the path of an object below a root."""
    who = identity(Head.from_bytes(one.data_set, one.transfer_syntax))
    path = f"/studies/{who.study_uid}"
    if level != "study":
        path += f"/series/{who.series_uid}"
    return path if level != "instance" else f"{path}/instances/{who.sop_instance_uid}"


class Living:
    """A node with its web.  broker: in place of the node's own."""

    def __init__(self, rig: Rig, broker: Broker | None = None) -> None:
        self.rig = rig
        self.frame = dicomweb(rig.node, broker) if broker else dicomweb(rig.node)
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(site(StandIn(), self.frame), client=("127.0.0.1", 5000)),
            base_url=BASE,
        )

    async def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        root: str = "/dicom-web",
        **headers: str,
    ) -> httpx2.Response:
        """Send one request; underscores in header names are hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields.setdefault("accept-encoding", "identity")
        fields.setdefault("accept", "*/*")
        return await self._client.request(method, root + path, content=content, headers=fields)

    async def parts(self, path: str, accept: str = "*/*") -> list[Part]:
        """Return the parts of an answer that must be a whole one."""
        answer = await self.ask(path, accept=accept)
        assert answer.status_code == 200, answer.text
        return parts_of(answer)
