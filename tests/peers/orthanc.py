"""Orthanc with its SQLite index: as destination, as sender, as Lua auto-router."""

import base64
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.objects.files import Stored, read_stored
from tests.peers.dcmtk import TUNED
from tests.peers.program import HOST, Program, free_port, need

ORTHANC = "/usr/sbin/Orthanc"
AUTO_ROUTER = """
function OnStoredInstance(instanceId, tags, metadata, origin)
   SendToModality(instanceId, '{modality}')
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modality:
    """An application entity that Orthanc may send to or hear from."""

    name: str
    ae_title: str
    port: int


class Orthanc(Program):
    """A running Orthanc: DICOM on ``port``, REST on ``http_port``, loopback only.

    route_to: name of the modality to which a Lua script sends every stored instance.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "ORTHANC",
        modalities: Sequence[Modality] = (),
        route_to: str = "",
        settings: dict[str, Any] | None = None,
        tuned: bool = True,
        http_port: int = 0,
    ) -> None:
        need(ORTHANC)
        folder.mkdir(parents=True, exist_ok=True)
        self.ae_title = ae_title
        self.port = free_port()
        self.http_port = http_port or free_port()
        self.login: tuple[str, str] | None = None
        config: dict[str, Any] = {
            "Name": ae_title,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": ae_title,
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": True,
            "DicomModalities": {m.name: [m.ae_title, HOST, m.port] for m in modalities},
            "Plugins": [],
            "LuaScripts": [],
            **(settings or {}),
        }
        if route_to:
            script = folder / "route.lua"
            script.write_text(AUTO_ROUTER.format(modality=route_to))
            config["LuaScripts"] = [str(script)]
        file = folder / "orthanc.json"
        file.write_text(json.dumps(config, indent=1))
        super().__init__([ORTHANC, str(file)], folder, environment=TUNED if tuned else {})
        self.wait_for_port(self.http_port, within_s=60)
        self.wait_for_port(self.port, within_s=60)

    def ask(self, path: str, body: object = None) -> bytes:
        """Return the answer of one REST call: GET, or POST when there is a ``body``."""
        request = urllib.request.Request(f"http://{HOST}:{self.http_port}{path}")
        if self.login is not None:
            shown = base64.b64encode(":".join(self.login).encode()).decode()
            request.add_header("Authorization", f"Basic {shown}")
        if body is not None:
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=120) as answer:
            content: bytes = answer.read()
            return content

    def instances(self) -> list[str]:
        """Return Orthanc's own identifiers of all stored instances."""
        found: list[str] = json.loads(self.ask("/instances"))
        return found

    def count(self) -> int:
        return int(json.loads(self.ask("/statistics"))["CountInstances"])

    def stored(self) -> list[Stored]:
        return [read_stored(self.ask(f"/instances/{name}/file")) for name in self.instances()]

    def digests(self) -> dict[str, str]:
        """Return SOP Instance UID → SHA-256 of the data set, of the original files."""
        return {item.sop_instance: item.digest for item in self.stored()}

    def upload(self, *files: Path) -> list[str]:
        """Store files through REST; return the identifiers of the instances."""
        answers = [json.loads(self.ask("/instances", file.read_bytes())) for file in files]
        return [answer["ID"] for answer in answers]

    def send(self, modality: str, instances: Sequence[str]) -> dict[str, Any]:
        """Send stored instances to a modality and wait; raises HTTPError when that fails."""
        body = {"Resources": list(instances), "Synchronous": True}
        result: dict[str, Any] = json.loads(self.ask(f"/modalities/{modality}/store", body))
        return result
