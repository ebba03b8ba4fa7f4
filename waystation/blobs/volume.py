"""How full the volume of the blobs is, against the marks of R-9 and S-19."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """When to stop taking in.  max_used: share of the volume; min_free_bytes: floor."""

    max_used: float = 0.90
    min_free_bytes: int = 5_000_000_000
    min_free_inodes: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One look at the volume."""

    total_bytes: int
    free_bytes: int
    total_inodes: int
    free_inodes: int

    @property
    def used(self) -> float:
        return 1.0 - self.free_bytes / self.total_bytes if self.total_bytes else 0.0


def look(folder: Path) -> Space:
    """Return the space of the volume that holds ``folder``, as an unprivileged user sees it."""
    found = os.statvfs(folder)
    return Space(
        total_bytes=found.f_blocks * found.f_frsize,
        free_bytes=found.f_bavail * found.f_frsize,
        total_inodes=found.f_files,
        free_inodes=found.f_favail,
    )


def why_stop(space: Space, marks: Marks, largest_bytes: int = 0, margin: float = 0.0) -> str:
    """Return which mark is passed in plain words, or "" while there is room.

    largest_bytes: the largest object of the last 24 h; 1.5 times of it must fit.
    margin: share of the volume (0.02 = 2 points) by which a stopped intake must be clear of its
    marks before it starts again, so that it does not flap.
    """
    if space.used > marks.max_used - margin:
        return f"volume {space.used:.0%} used, mark {marks.max_used:.0%}"
    floor = max(marks.min_free_bytes, int(1.5 * largest_bytes)) + int(margin * space.total_bytes)
    if space.free_bytes < floor:
        return f"{space.free_bytes} bytes free, mark {floor}"
    if space.total_inodes and space.free_inodes < marks.min_free_inodes * space.total_inodes:
        return "hardly any inodes free"
    return ""


def half_reserve_gone(space: Space, marks: Marks) -> bool:
    """Return True once running associations must hear A700 too (R-9)."""
    reserve = min((1.0 - marks.max_used) * space.total_bytes, marks.min_free_bytes or 1 << 62)
    return space.free_bytes < reserve / 2
