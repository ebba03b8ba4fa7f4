"""A node that holds studies for a person: one as a sample, one for its pixels, one for a number.

Contract: `DeidHouse.visit` asks the whole site as somebody, without a socket.  What left lies in
the folder ``out``.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import httpx2
import numpy as np

from tests.flows.rig import Rig
from tests.objects.files import Stored
from tests.objects.pictures import picture
from tests.objects.study import uid_of
from tests.web.standin import StandIn
from tests.web.test_payloads import PAYLOADS
from tests.web.test_roles import Doorman
from waystation.app.annexes import MAKERS
from waystation.app.wiring_console import console_parts
from waystation.journal import audit
from waystation.journal.audit import Record
from waystation.web.access import Who, abilities_of
from waystation.web.site import site

KEY = "6" * 64
TOKEN = re.compile(r'name="form_token" value="(\w*)"')
CONFIG = """
[destination.out]
kind = "folder"
path = "{out}"
[deidentify.sampled]
project = {{ id = "lung", key = {{ env = "LUNG_KEY" }} }}
sample = 1.0
[deidentify.looked]
project = {{ id = "lung", key = {{ env = "LUNG_KEY" }} }}
options = ["clean_pixel_data"]
pixels = {{ rules = ["devices.toml"], unknown = "approve" }}
[deidentify.numbers]
project = {{ id = "lung", key = {{ env = "LUNG_KEY" }} }}
pseudonym = {{ source = "allocated", prefix = "N-" }}
[deidentify.listed]
project = {{ id = "lung", key = {{ env = "LUNG_KEY" }} }}
pseudonym = {{ source = "csv", file = "table.csv" }}
[[rule]]
name = "sampled"
when = {{ Modality = "CT" }}
send = ["out"]
edit = [{{ set = "BodyPartExamined", to = "HEAD" }}]
deidentify = "sampled"
[[rule]]
name = "looked"
when = {{ Modality = "US" }}
send = ["out"]
deidentify = "looked"
[[rule]]
name = "numbers"
when = {{ Modality = "MR" }}
send = ["out"]
deidentify = "numbers"
"""
DEVICES = """
[[device]]
name = "Echo with a bar"
modality = "US"
model = "Echo 9"
rectangles = [[0, 0, 48, 8]]
"""
TABLE = (
    "issuer,patient_id,pseudonym_id,pseudonym_name\n,P1,LUNG-1,Subject^One\n,=SUM(1),LUNG-2,Two\n"
)
US, MR = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.4"
EVIL = [text for text in PAYLOADS if not set(text) & set("\r\n\x1b\0\u2028\\")]
PATIENT = {"PatientName": "Hidden^Person", "PatientID": "SECRET-17"}


def study_of(name: str) -> str:
    return uid_of("picture study", name)


def pixels() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a frame with a bright bar in its first rows, as burned-in text has."""
    made = np.full((32, 48), 40, np.uint8)
    made[:8] = 255
    return made


def scanned(modality: str, seed: str, **said: object) -> Stored:
    """Return an object of a study that is called like its modality."""
    sop_class = {"US": US, "MR": MR}.get(modality, "1.2.840.10008.5.1.4.1.1.2")
    return picture(
        pixels(),
        seed,
        **{
            "study": modality,
            "SOPClassUID": sop_class,
            "Modality": modality,
            "Manufacturer": "ACME",
            "ManufacturerModelName": "Echo 7",
            **PATIENT,
            **said,
        },
    )


def every_kind() -> list[Stored]:
    """Return two studies that wait for a person, one of a known device, one with numbers, one of
    a patient who is new, and one whose texts are hostile.
    """
    return [
        scanned("CT", "a", BodyPartExamined="SKULL"),
        scanned("CT", "b"),
        scanned("US", "c"),
        scanned("US", "echo 9", study="known", ManufacturerModelName="Echo 9"),
        scanned("MR", "d"),
        scanned("CT", "e", study="new", PatientName="New^One", PatientID="NEW-1"),
        *(
            scanned(
                "CT",
                f"evil {place}",
                study="evil",
                PatientName=text[:60],
                PatientID=f"E{place}",
                StudyDescription=text[:60],
                ManufacturerModelName=text[:60],
            )
            for place, text in enumerate(EVIL)
        ),
    ]


class DeidHouse:
    """who: asks from now on."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.out.mkdir()
        (folder / "devices.toml").write_text(DEVICES)
        (folder / "table.csv").write_text(TABLE)
        self.rig = Rig(folder)
        self.rig.makers = MAKERS
        self.doorman = Doorman()
        self.http: httpx2.AsyncClient

    async def open(self, objects: Iterable[Stored] = ()) -> None:
        """Start the node, and have it take objects."""
        await self.rig.start(CONFIG.format(out=self.out))
        app = site(StandIn(), None, self.doorman, console_parts(self.rig.node))
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(
                app, client=("192.0.2.1", 5000), raise_app_exceptions=False
            ),
            base_url="http://127.0.0.1",
        )
        await self.rig.accepted(*objects)

    async def close(self) -> None:
        await self.http.aclose()
        await self.rig.close()

    def come(self, name: str, role: str, *grants: str, kind: str = "session") -> None:
        """Be somebody from now on."""
        self.doorman.who_is = Who(
            name=name,
            kind=kind,
            role=role,
            abilities=abilities_of(role, grants),
            form="f0" if kind == "session" else "",
            address="192.0.2.1",
        )

    async def get(self, path: str) -> httpx2.Response:
        return await self.http.get(path, headers={"accept": "text/html"})

    async def send(self, path: str, token: str = "f0", **fields: str) -> httpx2.Response:
        """Send a form."""
        return await self.http.post(
            path, data={"form_token": token, **fields}, headers={"accept": "text/html"}
        )

    async def api(self, method: str, path: str, **body: object) -> httpx2.Response:
        """Ask the API."""
        headers = {"x-waystation-form": "f0"}
        if method == "GET":
            return await self.http.get(f"/api/v1/deid{path}", headers=headers)
        return await self.http.request(method, f"/api/v1/deid{path}", json=body, headers=headers)

    async def object_of(self, modality: str) -> str:
        """Return the id of the first object of a modality."""
        rows = await self.rig.rows(
            "SELECT id FROM arrival WHERE modality = :modality ORDER BY id", {"modality": modality}
        )
        return f"{int(rows[0][0]):x}"

    async def trace(self, event: str = "") -> list[Record]:
        """Return the audit trail, the newest first."""
        return await self.rig.node.database.read(audit.records(event=event, limit=100))

    def left(self) -> list[Path]:
        """Return the files that left."""
        return [file for file in self.out.rglob("*") if file.is_file()]
