"""A node with a worklist in this process, and a modality that asks it.

Contract: `ward` starts a node on loopback with the tables of a configuration; `find`, `create` and
`set_` are what a modality does, each on an association of its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.flows.asking import open_call
from tests.flows.rig import BASE
from waystation.app.annexes import MAKERS
from waystation.app.node import Node
from waystation.app.read import load_text
from waystation.app.worklisting import Worklisting
from waystation.dicom.head import Head
from waystation.dicom.part10 import read_meta
from waystation.dicom.uids import EXPLICIT_VR_LE, MODALITY_WORKLIST_FIND, MPPS
from waystation.flows.steps import Steps
from waystation.matching.entry_data import encoded, entry_data, laid_over
from waystation.model.peer import Remote
from waystation.model.step import Author, StepDraft, Values
from waystation.net.query_call import Answer
from waystation.wire.items import AcceptedContext

PERSON = Author(kind="person", name="ann")
FILE = Author(kind="file", name="test")
AREAS = ("OFFIS", "EXTRA", "PARTIAL")
TITLES = "\n".join(f'[worklist.area.{one.lower()}]\nae_title = "{one}"' for one in AREAS)
COMPLETE: dict[str, str] = {
    "PatientName": "Haydn^Joseph",
    "PatientID": "H1",
    "RequestedProcedureDescription": "CT of the head",
    "Modality": "CT",
    "ScheduledStationAETitle": "CT1",
    "ScheduledProcedureStepStartDate": "20260301",
    "ScheduledProcedureStepStartTime": "0900",
    "ScheduledProcedureStepDescription": "head",
}
ASKED: dict[str, str] = dict.fromkeys(
    ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", "RequestedProcedureID"), ""
)
ASKED_OF_STEP: dict[str, str] = dict.fromkeys(
    (
        *("ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "Modality"),
        *("ScheduledProcedureStepStartTime", "ScheduledProcedureStepID"),
        "ScheduledProcedureStepStatus",
    ),
    "",
)


class Ward:
    """The node, and what is asked of it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.list: Worklisting = node.annexes.of(Worklisting)

    @property
    def steps(self) -> Steps:
        return self.list.steps

    def remote(self, called: str = "WAYSTATION", calling: str = "CT1") -> Remote:
        return Remote(
            name="node",
            ae_title=called,
            host="127.0.0.1",
            port=self.node.dicom_port,
            calling_ae=calling,
        )

    async def add(self, *values: Values, area: str = "", **more: Any) -> list[int]:
        """Add complete steps, each with changes of its own; return their numbers."""
        drafts = [
            StepDraft(values={**COMPLETE, **one, **more}, area=area) for one in (values or ({},))
        ]
        return [step.id for step in await self.steps.add_all(drafts, PERSON)]

    async def load(self, folder: Path, area: str = "") -> list[int]:
        """Add the ``.wl`` files of a folder."""
        drafts = [StepDraft(data=entry_data(head), area=area) for head in heads_of(folder)]
        return [step.id for step in await self.steps.add_all(drafts, FILE)]

    async def find(
        self,
        asked: Mapping[str, Any] | None = None,
        /,
        *,
        called: str = "WAYSTATION",
        calling: str = "CT1",
        raw: bytes = b"",
        options: bytes = b"",
        **of_step: Any,
    ) -> list[Answer]:
        """Return all answers to one query, the final one last."""
        data = raw or identifier({**ASKED, **(asked or {})}, {**ASKED_OF_STEP, **of_step})
        call = await open_call(
            self.remote(called, calling), MODALITY_WORKLIST_FIND, options=options
        )
        answers = [one async for one in call.find(call.context_of(MODALITY_WORKLIST_FIND), data)]
        await call.release()
        return answers

    async def names(self, asked: Mapping[str, Any] | None = None, /, **more: Any) -> list[str]:
        """Return the patient names of all answers, in their order; the search must succeed."""
        answers = await self.find(asked, **more)
        assert answers[-1].status == 0, answers[-1].command
        return [text_of(one, "PatientName") for one in answers[:-1]]

    async def mpps(self, operation: str, uid: str, values: Values) -> Answer:
        """Send N-CREATE or N-SET; return the response."""
        call = await open_call(self.remote(), MPPS)
        context: AcceptedContext = call.context_of(MPPS)
        send = call.create if operation == "create" else call.set
        answer = await send(context, uid, encoded(values))
        await call.release()
        return answer


def identifier(asked: Values, of_step: Values) -> bytes:
    """Return a worklist query."""
    return encoded({**asked, "ScheduledProcedureStepSequence": [of_step]})


def text_of(answer: Answer, path: str) -> str:
    """Return the first value of an answer, "" if there is none."""
    values = Head.from_bytes(answer.data, EXPLICIT_VR_LE).values(path) or [""]
    return str(values[0])


def head_of(path: Path) -> Head:
    """Return the head of a file, with or without file header."""
    data = path.read_bytes()
    meta = read_meta(data)
    return Head.from_bytes(
        data[meta.data_set_offset :], meta.transfer_syntax_uid, tail_missing=True
    )


def heads_of(folder: Path) -> list[Head]:
    """Return the heads of the ``.wl`` files of a folder."""
    return [head_of(path) for path in sorted(folder.glob("*.wl"))]


def wl_data(values: Values) -> bytes:
    """Return the data set of a ``.wl`` file."""
    return laid_over(b"", values)


@asynccontextmanager
async def ward(
    folder: Path, config: str = "", dicom: str = "", port: int = 0
) -> AsyncIterator[Ward]:
    """Start a node; end it."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    base = BASE.replace("port = 0", f"port = {port}")
    text = base.format(data=folder / "data", dicom=dicom, keep="24h") + config
    node = Node(load_text(text, folder / "waystation.toml", os.environ).settings, text, MAKERS)
    await node.start()
    try:
        yield Ward(node)
    finally:
        await node.stop()
