"""The worklist across tables: what its areas are called, and who hears of procedures.

Contract: yields problems and warnings; changes nothing.
"""

from collections.abc import Iterator, Sequence

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.settings_destination import DestinationSettings, DicomDestination
from waystation.app.settings_ways import WebhookDestination
from waystation.app.settings_worklist import WorklistSettings

WORKLIST = "worklist"


def worklist(parts: Parts) -> Iterator[Problem]:
    """Yield what is wrong or doubtful about the worklist."""
    table = parts.single.get(WORKLIST)
    if not isinstance(table, WorklistSettings):
        return
    yield from _areas(parts, table)
    yield from _targets(parts, "forward", table.forward, DicomDestination, "dicom")
    yield from _targets(parts, "webhooks", table.webhooks, WebhookDestination, "webhook")


def _targets(
    parts: Parts, key: str, names: Sequence[str], model: type[DestinationSettings], kind: str
) -> Iterator[Problem]:
    for place, name in enumerate(names):
        if not isinstance(parts.destinations.get(name), model):
            near = closest(name, parts.destinations)
            text = f'no destination of kind {kind} is called "{name}"{near}'
            yield Problem(path=(WORKLIST, key, place), text=text)


def _areas(parts: Parts, table: WorklistSettings) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for name, area in table.area.items():
        at: Path = (WORKLIST, "area", name)
        if not area.ae_title:
            yield Problem(path=(*at, "ae_title"), text="expected an AE title, or a list of them")
        for title in area.ae_title:
            if title in taken:
                text = f'{title} opens the "{taken[title]}" area already'
                yield Problem(path=(*at, "ae_title"), text=text)
            taken.setdefault(title, name)
        for place, peer in enumerate(area.peers):
            if peer not in parts.peers:
                text = f'no peer "{peer}"{closest(peer, parts.peers)}'
                yield Problem(path=(*at, "peers", place), text=text)
