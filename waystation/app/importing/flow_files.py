"""The files in DicomFlowRouter's queue: what each was waiting for, oldest first.

Contract: looks at names and times only, follows no link below an endpoint's folder, and uses no
name it finds for anything but opening that file.  The router kept an object as
``<endpoint>/<calling title>/<UID>.dcm``; whatever lies elsewhere is an orphan.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from waystation.app.importing.dicomflowrouter import Layout
from waystation.app.importing.page import names_for, plain
from waystation.model.delivery import HoldReason
from waystation.wire.names import is_ae_title

SUFFIX = ".dcm"
DONE = ".imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One file.  received_at: when the router wrote it, Unix seconds.

    hold, why: the reason why it must not go out by itself, or None.
    """

    path: Path
    received_at: float
    size_bytes: int
    destination: str
    calling_ae: str
    hold: HoldReason | None = None
    why: str = ""

    @property
    def orphan(self) -> bool:
        return self.hold is HoldReason.DESTINATION_GONE


def queued(found: Layout, ours: Path) -> list[Queued]:
    """Return every file of the queue, oldest first.  ours: a data folder that is not part of it."""
    paths = list(_files(found, ours.resolve()))
    names = found.names | _names_of_orphans(found, paths)
    files = [_queued(found, names, path) for path in paths]
    return sorted((file for file in files if file), key=lambda file: (file.received_at, file.path))


def _files(found: Layout, ours: Path) -> Iterator[Path]:
    """Yield every file that the router would have sent, wherever it lies."""
    # The router wrote into linked endpoint folders; a walk follows no link.
    linked = [found.folder / name for name in found.names if (found.folder / name).is_symlink()]
    for top in (found.folder, *linked):
        for root, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if (Path(root) / name).resolve() != ours)
            for name in files:
                if name.lower().endswith(SUFFIX):
                    yield Path(root) / name


def _names_of_orphans(found: Layout, paths: list[Path]) -> dict[str, str]:
    """Return destinations for what lies deeper, or beside: names that nothing else has."""
    places = {_place(found.folder, path) for path in paths} - set(found.names)
    taken = names_for((*found.names, *sorted(places)))
    return {place: taken[place] for place in places}


def _place(folder: Path, path: Path) -> str:
    """Return what named the endpoint of a file: its folder, or the way to it."""
    parts = path.relative_to(folder).parts
    if len(parts) == 3:
        return parts[0]
    return "/".join(parts[:-2]) or (parts[0] if len(parts) > 1 else "queue")


def _queued(found: Layout, names: dict[str, str], path: Path) -> Queued | None:
    try:
        state = path.lstat()
    except OSError:
        return None
    parts = path.relative_to(found.folder).parts
    place = _place(found.folder, path)
    hold, why, title = None, "", parts[-2] if len(parts) == 3 else ""
    if place not in found.endpoints:
        hold = HoldReason.DESTINATION_GONE
        why = f"orphan: {plain(place)} had no config.ini; add [destination.{names[place]}]"
    elif len(parts) != 3:
        hold, why = HoldReason.OPERATOR, "lay outside of the folder of a calling title"
    elif not is_ae_title(title):
        hold = HoldReason.OPERATOR
        why = f"its folder {plain(title)} is no AE title; release sends it with our own"
    if not stat.S_ISREG(state.st_mode):
        return None
    return Queued(
        path=path,
        received_at=state.st_mtime,
        size_bytes=state.st_size,
        destination=names[place],
        calling_ae=title.strip(" ") if is_ae_title(title) else "",
        hold=hold,
        why=why,
    )
