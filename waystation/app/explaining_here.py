"""`explain` without a node: from the journal of a stopped one, or of a file that never came.

Contract: reads only.  What the configuration cannot tell (its file is broken) is left out, with a
note; what the journal knows is told all the same.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waystation.app import dicom_files
from waystation.app.dicom_files import NoDicomFile
from waystation.app.explaining import Explainer, heads_of, place_in_journal
from waystation.app.past_rules import PastRules, routing_of
from waystation.app.read import find_file, load
from waystation.app.settings import Settings
from waystation.app.standing import of_settings
from waystation.app.supposing import Supposing, source_from
from waystation.blobs.reading import BlobReader
from waystation.db.engine import Job
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, identity
from waystation.dicom.walk import read_head
from waystation.flows.route import Routing
from waystation.journal import studies
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import ConfigError, StorageError
from waystation.model.instance import Instance
from waystation.web.shapes_explain import Explained

Read = Callable[[Job[Any]], Any]
NOBODY = Source(peer="", calling_ae="", called_ae="", address="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted.  who, at: ``--from`` and ``--at``; names: who the patient is, too."""

    what: str
    who: str = ""
    at: float | None = None
    names: bool = False

    @property
    def supposed(self) -> bool:
        """Whether it is about what would happen."""
        return bool(self.who) or self.at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The configuration on disk, as far as it can be read, and where it lies."""

    settings: Settings | None
    routing: Routing | None
    folder: Path
    problem: str = ""


def place_of(config: Path | None, now: float) -> Place:
    """Return the configuration that the file says."""
    path = find_file(config)
    folder = path.resolve().parent if path is not None else Path.cwd()
    try:
        settings = load(path, os.environ).settings
        return Place(settings=settings, routing=routing_of(settings, now), folder=folder)
    except ConfigError as error:
        return Place(settings=None, routing=None, folder=folder, problem=str(error))


def explain_stored(asked: Asked, config: Path | None, data: Path, read: Read) -> Explained | None:
    """Return the story of what is in the journal, None if nothing is known of it."""
    now = time.time()
    place = place_of(config, now)
    blobs = BlobReader(data / "blobs")
    if asked.supposed:
        return _suppose_stored(asked, place, blobs, read, now)
    rules = PastRules(read, place.folder, None)
    standing = of_settings(place.settings, place.routing, now, read, os.environ)
    explainer = Explainer(read, blobs, rules, standing, names=asked.names)
    found = explainer.about(asked.what)
    if found is None or not place.problem:
        return found
    note = f"the configuration file cannot be read: {place.problem.splitlines()[0]}"
    return found.model_copy(update={"notes": [*found.notes, note]})


def _suppose_stored(
    asked: Asked, place: Place, blobs: BlobReader, read: Read, now: float
) -> Explained | None:
    level, key = place_in_journal(read, asked.what)
    fates = read(studies.fates(level, key)) if level else []
    arrivals = [fate.arrival for fate in fates]
    objects = [(one, head) for one, head in heads_of(read, blobs, arrivals) if head is not None]
    if not objects:
        return None
    return _supposing(asked, place, now).told(objects, level, asked.what)


def explain_file(asked: Asked, path: Path, config: Path | None) -> Explained:
    """Return what would happen to a file that came in."""
    now = time.time()
    place = place_of(config, now)
    arrival, head = _file(path, asked.at or now)
    return _supposing(asked, place, now).told([(arrival, head)], "file", str(path))


def _supposing(asked: Asked, place: Place, now: float) -> Supposing:
    if place.settings is None or place.routing is None:
        raise ConfigError("configuration", place.problem)
    return Supposing(
        settings=place.settings,
        routing=place.routing,
        at=now if asked.at is None else asked.at,
        source=source_from(place.settings, asked.who) if asked.who else None,
        names=asked.names,
    )


def _file(path: Path, at: float) -> tuple[Arrival, Head]:
    found = dicom_files.look(path, named=True)
    if isinstance(found, NoDicomFile):
        raise StorageError(f"{path}: {found.why}")
    with path.open("rb") as file:
        file.seek(found.offset)
        try:
            head = read_head(iter(lambda: file.read(1 << 16), b""), found.transfer_syntax_uid)
        except DatasetError as error:
            raise StorageError(f"{path}: {error}") from error
    said = identity(head)
    instance = Instance(
        sop_class_uid=said.sop_class_uid or found.sop_class_uid,
        sop_instance_uid=said.sop_instance_uid or found.sop_instance_uid,
        study_uid=said.study_uid,
        series_uid=said.series_uid,
        transfer_syntax_uid=found.transfer_syntax_uid,
        patient_id=said.patient_id,
        modality=said.modality,
    )
    arrival = Arrival(
        id=0,
        received_at=at,
        source=NOBODY,
        instance=instance,
        blob="",
        size_bytes=found.size_bytes,
        sha256="",
    )
    return arrival, head
