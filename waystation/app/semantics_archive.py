"""The archive across tables: who sends there, and what its areas are called.

Contract: yields problems and warnings; changes nothing.
"""

from collections.abc import Iterator
from typing import Final

from waystation.app.faults import Problem, closest
from waystation.app.lines import Path
from waystation.app.parts import Parts
from waystation.app.settings_archive import ArchiveDestination, ArchiveSettings
from waystation.app.settings_dicom import DicomSettings
from waystation.app.settings_rule import RoutingSettings, sends_of

ARCHIVE: Final = "archive"
SWITCHED_OFF: Final = (
    "the archive is switched off (archive.enabled): what goes there is held (no-archive)"
)
AS_RECEIVED: Final = (
    'the archive keeps objects as they are received: send there by a rule without "{}"'
)


def archive(parts: Parts) -> Iterator[Problem]:
    """Yield what is wrong or doubtful about the archive."""
    table = parts.single.get(ARCHIVE)
    if not isinstance(table, ArchiveSettings):
        return
    ways = {
        name for name, each in parts.destinations.items() if isinstance(each, ArchiveDestination)
    }
    if not table.enabled:
        yield from _switched_off(parts)
        for name in sorted(ways):
            text = "the archive is switched off (archive.enabled)"
            yield Problem(path=("destination", name, "kind"), text=text)
    yield from _changed(parts, ways if ARCHIVE in parts.destinations else ways | {ARCHIVE})
    yield from _areas(parts, table)


def _switched_off(parts: Parts) -> Iterator[Problem]:
    """Warn of what is meant for an archive that is not there."""
    if ARCHIVE in parts.destinations:
        return
    for position, raw in enumerate(parts.raw_rules()):
        for inside, name in sends_of(raw):
            if name == ARCHIVE:
                yield _warning(("rule", position, *inside), SWITCHED_OFF)
        if raw.get("then") == ARCHIVE:
            yield _warning(("rule", position, "then"), SWITCHED_OFF)
    routing = parts.single.get("routing")
    if isinstance(routing, RoutingSettings) and routing.otherwise == ARCHIVE:
        yield _warning(("routing", "otherwise"), SWITCHED_OFF)


def _changed(parts: Parts, ways: set[str]) -> Iterator[Problem]:
    for position, raw in enumerate(parts.raw_rules()):
        steps = [step for step in ("edit", "deidentify") if raw.get(step)]
        for inside, name in sends_of(raw):
            if steps and name in ways:
                text = AS_RECEIVED.format(steps[0])
                yield Problem(path=("rule", position, *inside), text=text)


def _areas(parts: Parts, table: ArchiveSettings) -> Iterator[Problem]:
    dicom = parts.single.get("dicom")
    own = (dicom.ae_title, *dicom.aliases) if isinstance(dicom, DicomSettings) else ()
    taken = dict.fromkeys(own, "the node's own")
    for name, area in table.area.items():
        at: Path = (ARCHIVE, "area", name)
        if area.ae_title in taken:
            text = f"is {taken[area.ae_title]} AE title already"
            yield Problem(path=(*at, "ae_title"), text=text)
        taken[area.ae_title] = f'the "{name}" area\'s'
        for place, peer in enumerate(area.peers):
            if peer not in parts.peers:
                text = f'no peer "{peer}"{closest(peer, parts.peers)}'
                yield Problem(path=(*at, "peers", place), text=text)


def _warning(path: Path, text: str) -> Problem:
    return Problem(path=path, text=text, warning=True)
