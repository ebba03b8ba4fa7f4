"""Where a run may lie: on a disk, since in memory a sync costs nothing (R-88)."""

from pathlib import Path

IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "hugetlbfs")


def file_system_of(folder: Path, mounts: str) -> str:
    """Return the type of the file system that ``folder`` lies on.

    folder: absolute, without links.  mounts: as ``/proc/mounts`` writes them.
    """
    best, kind = Path("/"), ""
    for line in mounts.splitlines():
        _, place, found, *_ = line.split(" ")
        # Blanks in a path are written as octal numbers there.
        mount = Path(place.replace("\\040", " "))
        if folder.is_relative_to(mount) and mount.is_relative_to(best):
            best, kind = mount, found
    return kind


def is_on_disk(folder: Path) -> bool:
    """Return whether ``folder`` lies on a file system that a sync makes durable."""
    return file_system_of(folder.resolve(), Path("/proc/mounts").read_text()) not in IN_MEMORY
