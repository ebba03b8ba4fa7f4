"""A node without sockets or disk that keeps the contract of `NodeView`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.journal.making import CT, EXPLICIT, NOW
from waystation.journal.ages import Share
from waystation.journal.entries import (
    Chosen,
    FailedAttempt,
    LaneCounts,
    Listed,
    ListedArrival,
    Story,
    Told,
)
from waystation.model.errors import ConfigError, StorageError
from waystation.model.plan import Verdict
from waystation.web.api_archive import (
    CorrectionAsked,
    CorrectionSaid,
    DoubtSaid,
    DoubtsSaid,
    KeySaid,
    RecordSaid,
    WhyAsked,
)
from waystation.web.metrics import Figures, metrics_text
from waystation.web.shapes_explain import Explained
from waystation.web.view import (
    ActionAsked,
    ActionDone,
    ContextsView,
    LaneView,
    QueueView,
    ReplayAsked,
    ReplayDone,
    RetrieveView,
    StatusView,
    TroubleView,
)


def listed(number: int, **fields: object) -> Listed:
    values: dict[str, object] = {
        "id": number,
        "arrival": 0xA0,
        "destination": "pacs",
        "state": "held",
        "reason": "object-refused",
        "study": "1.2.3",
        "priority": 1,
        "rules": "all, urgent",
        "attempts": 1,
        "object_failures": 1,
        "status": 0xA700,
        "why": "out of resources",
        "due": NOW,
        "created_at": NOW,
        "first_failed_at": NOW,
        "ended_at": None,
        "by_rule": None,
        "by_user": None,
        "sop_class": CT,
        "sop_instance": "1.2.3.4",
        "transfer_syntax": EXPLICIT,
        "peer": "ct1",
        "calling_ae": "CT1",
        "received_at": NOW,
        "size_bytes": 100,
        "group": "",
        "origin": "rule",
        "required": 1,
        "sent_syntax": "",
        "sent_sha256": "",
    }
    return Listed(**values | fields)  # type: ignore[arg-type]


ARRIVAL = ListedArrival(
    id=0xA0,
    received_at=NOW,
    peer="ct1",
    calling_ae="CT1",
    called_ae="WAYSTATION",
    way_in="dimse",
    study="1.2.3",
    series="1.2.3.0",
    sop_class=CT,
    sop_instance="1.2.3.4",
    transfer_syntax=EXPLICIT,
    size_bytes=100,
    planned=True,
    reason="no-rule",
    ended_why="held",
    verdicts=(Verdict(rule="all", matched=False, clause='PatientID "SECRET-ID" is not "X"'),),
)
EXPLAINED = Explained(
    level="study",
    uid="1.2.3",
    study="1.2.3",
    at=NOW,
    running=True,
    hypothetical=False,
    modalities=["CT"],
    objects=1,
    arrivals=1,
    judged=1,
    first_at=NOW,
    last_at=NOW,
    senders=[],
    patient=None,
    gathers=[],
    rules=[],
    ways=[],
    fates=[],
    notes=[],
)


class StandInArchive:
    """Remembers what was corrected."""

    def __init__(self) -> None:
        self.corrected: list[tuple[CorrectionAsked, str]] = []
        self.asked: list[WhyAsked] = []

    async def why(self, asked: WhyAsked) -> list[RecordSaid]:
        self.asked.append(asked)
        line = KeySaid(matched=False, text="PatientID asked 1, study has 2: no")
        return [RecordSaid(study="1.2", matched=False, shown=True, keys=[line])]

    async def doubts(self, study: str, after: str, limit: int) -> DoubtsSaid:
        doubt = DoubtSaid(study=study or "1.2", kind="series", text="twice", other="1.3")
        return DoubtsSaid(doubts=[doubt], after="" if study else f"{after}.{limit}")

    async def correct(self, asked: CorrectionAsked, author: str) -> dict[str, str]:
        self.corrected.append((asked, author))
        return dict.fromkeys(asked.studies, "")

    async def corrections(self, study: str, limit: int) -> list[CorrectionSaid]:
        return []


class StandIn:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.archive = StandInArchive()
        self.reasons: list[str] = []
        self.faults: list[str] = []
        self.not_well: list[TroubleView] = []
        self.broken: Exception | None = None
        self.asked: list[ActionAsked] = []
        self.chosen: list[Chosen] = []
        self.wheres: list[str] = []
        self.replays: list[ReplayAsked] = []
        self.fixes: list[tuple[int, list[Mapping[str, Any]], str]] = []
        self.fix_problem = ""
        self.lane_changes: list[tuple[str, str, str]] = []
        self.lane_why = ""
        self.config_problem = ""
        self.stopped: list[tuple[int, str]] = []
        self.retrieve: RetrieveView | None = RetrieveView(
            id=7,
            kind="C-MOVE-RQ",
            peer="ws",
            calling_ae="WS1",
            address="192.0.2.1",
            what="study 1.2.3",
            to="WS1",
            total=10,
            remaining=6,
            completed=3,
            failed=1,
            warning=0,
            sent_bytes=3000,
            sent_s=2.0,
        )

    def now(self) -> float:
        return NOW

    async def ready(self) -> list[str]:
        return self.reasons

    async def metrics_text(self) -> bytes:
        return metrics_text(Figures(unaccounted=0))

    async def status(self) -> StatusView:
        return StatusView(
            name="waystation",
            version="1",
            pid=7,
            started_at=NOW,
            ae_title="WAYSTATION",
            dicom="127.0.0.1:11112",
            associations=0,
            draining=False,
            config_ok=not self.config_problem,
            config_problem=self.config_problem,
            intake_stopped="",
            unplanned=0,
            unaccounted=0,
            free_bytes=1,
            received=3,
        )

    async def lanes(self) -> QueueView:
        counts = LaneCounts(destination="pacs", waiting=2, held=1, oldest_at=NOW - 90)
        lane = LaneView(counts=counts, state="down", why=self.lane_why, kind="dicom")
        return QueueView(
            lanes=(lane,),
            held={"object-refused": 1},
            unplanned=0,
            now=NOW,
            ages={"pacs": (1, 1, 0, 0, 0, 0)},
            gathers=1,
            gathering=212,
            today={"done": 5},
        )

    async def troubles(self) -> Sequence[TroubleView]:
        return self.not_well

    async def shares(self, by: str, limit: int) -> Sequence[Share]:
        return [Share(name=f"a {by}", waiting=2, sending=0, held=1, oldest_at=NOW - 90)][:limit]

    async def explain(self, what: str) -> Explained | None:
        return EXPLAINED if what == "1.2.3" else None

    def retrieves(self) -> Sequence[RetrieveView]:
        return [self.retrieve] if self.retrieve else []

    def stop_retrieve(self, number: int, author: str) -> bool:
        self.stopped.append((number, author))
        return self.retrieve is not None and number == self.retrieve.id

    async def replay(self, asked: ReplayAsked) -> ReplayDone:
        if asked.to == "nope":
            raise ConfigError("--to", 'no destination or group "nope"')
        self.replays.append(asked)
        return ReplayDone(
            arrivals=4,
            studies=1,
            made=3,
            already=1,
            filtered=0,
            nowhere=0,
            held=0,
            gone=0,
            to={"pacs": 3},
        )

    async def contexts(self, name: str) -> ContextsView | None:
        if name != "pacs":
            return None
        return ContextsView(
            seen={(CT, EXPLICIT): False, (CT, "1.2.840.10008.1.2"): True},
            refused={(CT, "1.2.840.10008.1.2.4.50"): "not supported"},
        )

    async def deliveries(self, chosen: Chosen, where: str = "") -> Sequence[Listed]:
        if self.broken is not None:
            raise self.broken
        self.wheres.append(where)
        self.chosen.append(chosen)
        return [listed(n) for n in range(chosen.after + 1, 4)][: chosen.limit]

    async def delivery(self, delivery_id: int) -> Story | None:
        return await self.arrival(0xA0) if delivery_id == 1 else None

    async def arrivals(self, chosen: Chosen, where: str = "") -> Sequence[ListedArrival]:
        self.chosen.append(chosen)
        return [ARRIVAL]

    async def arrival(self, arrival_id: int) -> Story | None:
        if arrival_id != 0xA0:
            return None
        failed = FailedAttempt(number=1, ended_at=NOW, status=0xA700, why="out of resources")
        told = Told(steps="edit (1)", changes=(("AccessionNumber", "SECRET-ID", "X"),), sha256="ab")
        return Story(
            arrival=ARRIVAL, deliveries=(listed(1),), attempts={1: (failed,)}, steps={1: told}
        )

    async def act(self, asked: ActionAsked) -> ActionDone:
        self.asked.append(asked)
        return ActionDone(matching=2, changed=0 if asked.preview else 2, left={"done": 5})

    async def fix(self, delivery_id: int, edits: Sequence[Mapping[str, Any]], user: str) -> str:
        self.fixes.append((delivery_id, list(edits), user))
        return self.fix_problem

    async def reload(self) -> list[str]:
        return self.faults

    async def pause_lane(self, name: str, author: str) -> bool:
        self.lane_changes.append(("pause", name, author))
        return name == "pacs"

    async def resume_lane(self, name: str, author: str) -> bool:
        self.lane_changes.append(("resume", name, author))
        return name == "pacs"


DISK_FULL = StorageError("database: /secret/path/journal.db is full")
