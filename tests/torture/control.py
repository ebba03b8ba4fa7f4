"""Negative controls (S-30): the same harness on nodes that break a promise must report losses."""

from collections.abc import Callable
from pathlib import Path

from tests.torture.books import Row
from tests.torture.row_disk import failed_sync_at_calls, no_space_at_calls
from tests.torture.row_kill import kill_at_calls, random_kills
from tests.torture.row_power import power_cuts

HARMFUL = "an oracle that cannot see this proves nothing"


def answers_before_commit(folder: Path, *, seed: int, kills: int = 4) -> Row:
    """F1 on a node that answers before step 6."""
    return _expecting_loss(
        "S-30 F1",
        lambda: random_kills(folder, seed=seed, kills=kills, sources=4, broken="early"),
    )


def answers_before_commit_at_calls(folder: Path, *, seed: int, most: int = 8) -> Row:
    """F2 on a node that answers before step 6."""
    return _expecting_loss(
        "S-30 F2", lambda: kill_at_calls(folder, seed=seed, most=most, broken="early")
    )


def leaves_syncs_out(folder: Path, *, seed: int, cuts: int = 10) -> Row:
    """F3 on a node that syncs neither blobs nor log (S-1 without steps 3 and 5)."""
    return _expecting_loss(
        "S-30 F3",
        lambda: power_cuts(folder, seed=seed, cuts=cuts, lives=1, broken="unsynced"),
    )


def ignores_no_space(folder: Path, *, seed: int, most: int = 4) -> Row:
    """F4 on a node that goes on as if a failed write of a blob had worked."""
    return _expecting_loss(
        "S-30 F4",
        lambda: no_space_at_calls(folder, seed=seed, most=most, broken="deaf", closed=True),
    )


def ignores_failed_sync(folder: Path, *, seed: int, most: int = 4) -> Row:
    """F5 on a node that goes on as if a failed sync of a blob had worked.

    Without a power cut the bytes are still in the page cache: what shows the broken promise is
    that nothing is refused.
    """
    found = failed_sync_at_calls(folder, seed=seed, most=most, broken="deaf")
    row = Row(row="S-30 F5", runs=found.runs, attempted=found.attempted, acked=found.acked)
    row.skipped = found.skipped
    if not found.faults and not found.skipped:
        row.faults.append(f"the broken promise was not noticed: {HARMFUL}")
    row.notes.append(f"reported: {'; '.join(found.faults)}")
    return row


def _expecting_loss(name: str, run: Callable[[], Row]) -> Row:
    found = run()
    row = Row(row=name, runs=found.runs, attempted=found.attempted, acked=found.acked)
    row.skipped = found.skipped
    row.delivered = found.delivered
    row.notes.append(f"reported {found.lost} losses, as it must")
    if not found.lost and not found.skipped:
        row.faults.append(f"the broken promise was not noticed: {HARMFUL}")
    return row
