"""One study in ten states: its journal, and how the lanes stand (RT-14).

Contract: everything is made by the jobs that a node uses, or changed the way they change it; the
clock stands still.  Instants read in UTC.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.journal.making import CT, EXPLICIT, NOW, MemoryJournal
from tests.rules.asking import data_set
from waystation.app.explaining_now import LaneNow, Standing
from waystation.app.past_rules import routing_of, settings_of
from waystation.app.wiring_completeness import terms_of
from waystation.dicom.head import Head
from waystation.flows.announced import announced
from waystation.flows.route import Routing
from waystation.journal import configs
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.gather_endings import Ending, begin_ending, end_page
from waystation.journal.ids import IdSource
from waystation.journal.sent import Sent, write_sent
from waystation.model.arrival import Arrival, Source
from waystation.model.instance import Instance
from waystation.model.plan import Plan
from waystation.rules.plan import plan
from waystation.timing.eligibility import Terms
from waystation.timing.window import read_schedule
from waystation.transforms.stream import PLAIN

STUDY = "1.2.826.0.1.77.4"
COUNT = 4
CONFIG = """
[destination.pacs]
kind = "dicom"
host = "127.0.0.1"
port = 104
ae_title = "PACS"
[destination.reader-a]
kind = "dicom"
host = "127.0.0.1"
port = 104
ae_title = "A"
[destination.reader-b]
kind = "dicom"
host = "127.0.0.1"
port = 104
ae_title = "B"
[destination.cd-burner]
kind = "dicom"
host = "127.0.0.1"
port = 104
ae_title = "CD"
[group.reading]
strategy = "failover"
members = ["reader-a", "reader-b"]
[[rule]]
name = "all-to-pacs"
send = ["pacs"]
[[rule]]
name = "chest-out"
when = { Modality = ["CT", "DX"], BodyPartExamined = "*CHEST*", calling_ae = "CT1*" }
if = "Rows >= 512 and not 'TEST' in StudyDescription"
trigger = "study"
send = ["reading", { to = "cd-burner", required = false }]
[[rule]]
name = "mg-room"
when = { Modality = "MG" }
send = ["pacs"]
[[rule]]
name = "own-patients"
when = { PatientID = "SECRET-*" }
if = "PatientName == 'DOE^JANE' and PatientBirthDate < '20000101'"
send = ["pacs"]
[[rule]]
name = "first-image"
if = "InstanceNumber == 1"
send = ["cd-burner"]
"""
NARROW = """
[[rule]]
name = "mg-room"
when = { Modality = "MG", PatientID = "X*" }
send = ["pacs"]
[destination.pacs]
kind = "dicom"
host = "127.0.0.1"
port = 104
ae_title = "PACS"
"""


def head_bytes(number: int) -> bytes:
    """Return the data set of one object, which has no pixels."""
    return data_set(
        {
            "SOPClassUID": CT + "\0",
            "StudyDescription": "CT CHEST",
            "Modality": "CT",
            "PatientName": "DOE^JANE",
            "PatientID": "SECRET-1",
            "PatientBirthDate": "19700101",
            "BodyPartExamined": "CHEST ",
            "InstanceNumber": f"{number} ",
            "Rows": 512,
        }
    )


def arrival(number: int) -> Arrival:
    """Return one of the objects, three seconds after the one before."""
    return Arrival(
        id=number,
        received_at=NOW + 3 * number,
        source=Source(peer="ct1", calling_ae="CT1A", called_ae="WAYSTATION", address="10.1.2.14"),
        instance=Instance(
            sop_class_uid=CT,
            sop_instance_uid=f"{STUDY}.{number}",
            study_uid=STUDY,
            series_uid=f"{STUDY}.0",
            transfer_syntax_uid=EXPLICIT,
            patient_id="SECRET-1",
            modality="CT",
        ),
        blob="",
        size_bytes=1000,
        sha256=f"{number:064x}",
    )


@dataclass(slots=True)
class Stage:
    """A journal with the study in it, and the standing of the lanes."""

    journal: MemoryJournal
    folder: Path
    lanes: dict[str, LaneNow] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    running: bool = True
    at: float = NOW + 60
    ids: IdSource = field(default_factory=lambda: IdSource(1 << 40))
    _routing: Routing | None = None

    def routing(self, text: str = CONFIG) -> Routing:
        return routing_of(settings_of(text, self.folder, {}), NOW, {"TZ": "UTC"})

    def receive(self, text: str = CONFIG) -> None:
        """Take in the study under a configuration."""
        revision = self.journal.run(configs.take_up(text, NOW))
        self._routing = routing = self.routing(text)
        for number in range(1, COUNT + 1):
            one, data = arrival(number), head_bytes(number)
            head = Head.from_bytes(data, EXPLICIT)
            made = plan(head, routing.facts(one), routing.ruleset, sop_class_uid=CT)
            job = adopt(
                [
                    Adoption(
                        arrival=one,
                        plan=Plan(
                            targets=tuple(map(routing.placed, made.targets)),
                            verdicts=made.verdicts,
                            hold=made.hold,
                            discard=made.discard,
                            joins=made.joins,
                        ),
                        data=data,
                        announced=announced(head),
                    )
                ],
                self.ids,
                one.received_at,
                lambda _arrival, planned, _earlier: planned,
                config=revision,
            )
            self.journal.run(job)
        self.lanes = {name: LaneNow() for name in routing.destinations}

    def complete(self) -> None:
        """End the gather by release."""
        ((number,),) = self.journal.rows("SELECT id FROM gather")
        assert self._routing is not None
        assert isinstance(number, int)
        row = self.journal.run(begin_ending(number, "release", NOW + 42))
        assert row is not None
        ending = Ending(evidence="release", targets=tuple(map(self._routing.placed, row.targets)))
        self.journal.run(end_page(number, ending, self.ids, NOW + 42))

    def choose(self, member: str, why: str) -> None:
        """Give the study to a member of the group."""
        self.journal.execute(
            "INSERT INTO choice VALUES ('reading', ?, ?, ?, ?, 0, ?)",
            STUDY,
            member,
            NOW + 43,
            NOW + 42,
            why,
        )
        self.journal.execute("UPDATE delivery SET destination = ? WHERE grp = 'reading'", member)

    def ended(self, to: str, state: str, n: int, status: int | None = 0, **more: object) -> None:
        """Let the first ``n`` waiting deliveries to a destination end."""
        rows = self.journal.rows(
            "SELECT id FROM delivery WHERE destination = ? AND state = 'waiting' ORDER BY id"
            " LIMIT ?",
            to,
            n,
        )
        names = "".join(f", {name} = ?" for name in more)
        for place, (number,) in enumerate(rows):
            self.journal.execute(
                "UPDATE delivery SET state = ?, status = ?, attempts = attempts + 1,"
                f" ended_at = ?{names} WHERE id = ?",
                state,
                status,
                NOW + 44 + place if state != "held" else None,
                *more.values(),
                number,
            )

    def failed(self, to: str, times: int, status: int, why: str) -> None:
        """Note failed attempts of the first waiting delivery to a destination."""
        ((number,),) = self.journal.rows(
            "SELECT min(id) FROM delivery WHERE destination = ? AND state = 'waiting'", to
        )
        for attempt in range(1, times + 1):
            self.journal.execute(
                "INSERT INTO attempt (delivery, number, ended_at, status, why, destination)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                number,
                attempt,
                NOW + 10 * attempt,
                status,
                why,
                to,
            )
        self.journal.execute("UPDATE delivery SET attempts = ? WHERE id = ?", times, number)

    def standing(self) -> Standing:
        """Return how everything stands."""
        routing = self._routing or self.routing()
        settings = settings_of(CONFIG, self.folder, {})
        return Standing(
            at=self.at,
            running=self.running,
            lanes=self.lanes,
            groups=self.groups,
            terms_of=terms_of(
                settings.completeness, routing.ruleset, routing.zone, {}, lambda: self.at
            ),
        )


def gathering(stage: Stage) -> None:
    stage.receive()


def choosing(stage: Stage) -> None:
    stage.receive()
    stage.complete()
    stage.ended("pacs", "done", COUNT)
    stage.groups = {"reading": "reader-a opens Mon 08:00 (in 9 h 59 min); reader-b down for 300 s"}


def broken(stage: Stage) -> None:
    stage.receive()
    stage.complete()
    stage.choose("reader-b", "reader-a opens Mon 08:00 (in 9 h 59 min)")
    stage.ended("pacs", "done", COUNT)
    stage.ended("reader-b", "done", 3)
    stage.failed("reader-b", 1, 0, "")
    stage.journal.execute("UPDATE attempt SET status = NULL, why = 'connection refused'")
    stage.lanes["reader-b"] = LaneNow(
        health="down",
        why="connection refused, 9 probes, next in 50 s",
        since=NOW + 50,
        wakes_at=NOW + 110,
    )


def shut(stage: Stage) -> None:
    stage.receive()
    window = read_schedule("Mon-Fri 08:00-19:59", zone=stage.routing().zone)
    stage.at = NOW + 12 * 3600
    stage.lanes["pacs"] = LaneNow(terms=Terms(window=window))


def warned(stage: Stage) -> None:
    stage.receive()
    stage.complete()
    stage.choose("reader-a", "first choice")
    stage.ended("reader-a", "done", COUNT)
    stage.ended("pacs", "done", 3, 0xB000)
    stage.ended("pacs", "done", 1)
    stage.ended("cd-burner", "done", COUNT)
    ((number,),) = stage.journal.rows(
        "SELECT max(id) FROM delivery WHERE destination = 'reader-a' AND state = 'done'"
    )
    assert isinstance(number, int)
    implicit = sorted(PLAIN)[0]
    sent = Sent(syntax=implicit, sha256="ab" * 32, detail="rewritten as Implicit VR Little Endian")
    stage.journal.run(lambda tx: write_sent(tx, number, sent, 0, NOW + 47))


def refused(stage: Stage) -> None:
    stage.receive()
    stage.failed("pacs", 5, 0xC000, "cannot understand")
    stage.ended("pacs", "held", 1, 0xC000, hold_reason="object-refused", why="cannot understand")
    stage.ended("pacs", "done", 3)


def untaken(stage: Stage) -> None:
    stage.receive(NARROW)


def paused(stage: Stage) -> None:
    stage.receive()
    for number in range(1, 1201):
        stage.journal.execute(
            "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
            " created_at) VALUES (?, 1, 'pacs', 'other', 0, 'x', 'waiting', 0, 0)",
            number,
        )
    stage.journal.execute("UPDATE delivery SET arrival = 99 WHERE study = 'other'")
    stage.lanes["pacs"] = LaneNow(health="paused", why="by ann", limited="limited to 2.0 MiB/s")


def discarded(stage: Stage) -> None:
    stage.receive()
    stage.complete()
    stage.choose("reader-a", "first choice")
    stage.ended("cd-burner", "discarded", COUNT + 1, None, by_rule="optional expired")
    stage.ended("reader-a", "discarded", 2, None, by_user="ann", why="test patient")
    stage.ended("reader-a", "discarded", 2, None, by_rule="reader-a.refuse CTImageStorage")
    stage.ended("pacs", "done", COUNT)
    stage.journal.execute(
        "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
        " created_at, origin) SELECT id + 1000000, arrival, 'reader-b', study, 2, 'replay',"
        " 'waiting', due, created_at, 'replay' FROM delivery WHERE destination = 'pacs'"
    )


def forgotten(stage: Stage) -> None:
    stage.receive()
    stage.complete()
    stage.choose("reader-a", "first choice")
    for to in ("pacs", "reader-a", "cd-burner"):
        stage.ended(to, "done", 9)
    stage.journal.execute("DELETE FROM parcel")
    stage.journal.execute("UPDATE arrival SET blob_gone = 1")
    stage.running = False


STATES: dict[str, Callable[[Stage], None]] = {
    "gathering": gathering,
    "choosing": choosing,
    "broken": broken,
    "shut": shut,
    "warned": warned,
    "refused": refused,
    "untaken": untaken,
    "paused": paused,
    "discarded": discarded,
    "forgotten": forgotten,
}
