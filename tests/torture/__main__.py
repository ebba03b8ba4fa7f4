"""``make torture``: every fault row to its goal, a ledger on stdout and in torture-ledger.json.

Environment or ``NAME=value`` arguments: ROW (a row's beginning, like F4), SEED, TIER
(``smoke``, default, ``night``), ALLOW_SKIP=1.  Exit 1 if anything acknowledged is lost, a row
fails, or a row had to be skipped.
"""

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.peers.program import PeerFailed
from tests.torture import (
    control,
    row_archive,
    row_clock,
    row_codes,
    row_crowd,
    row_deid,
    row_disk,
    row_hl7,
    row_journal,
    row_kill,
    row_life,
    row_outage,
    row_peer,
    row_power,
    row_query,
    row_reload,
    row_slow,
    row_uids,
    row_web,
)
from tests.torture.books import HEAD, Row, line

LEDGER = Path("torture-ledger.json")
TIERS = ("smoke", "", "night")


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what runs it, and its size in each tier (in the order of `TIERS`)."""

    run: Callable[..., Row]
    sizes: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


FAULTS: dict[str, Fault] = {
    "F1": Fault(row_kill.random_kills, {"kills": (3, 40, 1000), "sources": (3, 8, 8)}),
    "F2 relay": Fault(row_kill.kill_at_calls, {"most": (6, 40, 0)}),
    "F2 start": Fault(row_kill.kill_at_start, {"most": (6, 30, 2000)}),
    "F3": Fault(
        row_power.power_cuts,
        {"cuts": (6, 40, 500), "again": (1, 4, 50), "lives": (1, 3, 5)},
    ),
    "F4": Fault(row_disk.no_space_at_calls, {"most": (6, 0, 0)}),
    "F4 kept": Fault(partial(row_disk.no_space_at_calls, closed=True), {"most": (4, 0, 0)}),
    "F4 volume": Fault(row_disk.full_volume),
    "F5": Fault(row_disk.failed_sync_at_calls, {"most": (6, 0, 0)}),
    "F5 kept": Fault(partial(row_disk.failed_sync_at_calls, closed=True), {"most": (4, 0, 0)}),
    "F6": Fault(row_disk.damaged_files),
    "F6 journal": Fault(row_disk.damaged_journal, {"runs": (1, 10, 50)}),
    "F7": Fault(row_crowd.many_senders, {"senders": (4, 20, 20), "images": (10, 50, 50)}),
    "F8": Fault(row_codes.every_code),
    "F9": Fault(row_peer.hanging_sink),
    "F10": Fault(row_peer.unfriendly_sinks, {"images": (20, 100, 500)}),
    "F11": Fault(row_slow.slow_lines),
    "F11 memory": Fault(row_slow.flat_memory),
    "F12 sink": Fault(row_peer.resets_towards_sink, {"cuts": (10, 24, 300)}),
    "F12 source": Fault(row_peer.resets_from_source, {"cuts": (20, 100, 2000)}),
    "F13": Fault(row_peer.choosy_sinks),
    "F14": Fault(row_outage.long_outage, {"days": (1, 7, 7), "queued": (1000, 20_000, 100_000)}),
    "F15": Fault(row_crowd.two_hundred, {"storm_s": (3, 30, 60)}),
    "F16": Fault(row_crowd.idle_sockets),
    "F17": Fault(row_clock.clock_jumps),
    "F18": Fault(row_life.terminated_under_load, {"times": (2, 10, 100)}),
    "F19": Fault(row_life.second_process),
    "F20": Fault(row_reload.broken_reloads),
    "F21 locked": Fault(row_journal.locked),
    "F21 read-only": Fault(row_journal.read_only),
    "F21 deleted": Fault(row_journal.deleted),
    "F22": Fault(row_life.little_memory, {"senders": (6, 12, 20)}),
    "F24": Fault(row_crowd.vanishing_sender, {"times": (10, 100, 2000)}),
    "D-26": Fault(row_uids.no_collision, {"uids": (100_000, 10_000_000, 10_000_000)}),
    "D-45": Fault(row_deid.ten_actions, {"subjects": (40, 500, 500)}),
    "T-29": Fault(row_archive.killed_while_archiving, {"kills": (3, 20, 200)}),
    "TT-3": Fault(
        row_query.beyond_ceilings,
        {
            "studies": (60, 600, 600),
            "instances": (600, 12_000, 12_000),
            "big_mib": (64, 1229, 1229),
        },
    ),
    "TT-12": Fault(row_query.any_identifier, {"identifiers": (2000, 100_000, 100_000)}),
    "TT-29": Fault(
        row_hl7.killed_between_frames,
        {"kills": (30, 200, 1000), "orders": (300, 2000, 4600)},
    ),
    "WT-17": Fault(
        row_web.frames_and_metadata,
        {"frames": (200, 2000, 2000), "instances": (300, 2000, 5000)},
    ),
    "WT-18": Fault(row_web.large_upload, {"parts": (4, 4, 4), "part_mib": (64, 1024, 1024)}),
    "N-14": Fault(row_kill.killed_while_sending, {"images": (1000, 1000, 10_000)}),
    "S-30 F1": Fault(control.answers_before_commit, {"kills": (3, 8, 8)}),
    "S-30 F2": Fault(control.answers_before_commit_at_calls, {"most": (6, 8, 12)}),
    "S-30 F3": Fault(control.leaves_syncs_out, {"cuts": (6, 10, 10)}),
    "S-30 F4": Fault(control.ignores_no_space),
    "S-30 F5": Fault(control.ignores_failed_sync),
}
# Rows whose subject is not there yet → the part of the product that they wait for.
NOT_BUILT = {
    "F20": "CRL, CSV tables, the listener's own certificate (TLS and de-identification)",
    "F21": "PostgreSQL restarted in a COMMIT (the scaled set-up)",
    "F23": "query and retrieve",
    "F25": "blobs in an object store",
    "F26": "the audit trail",
    "F27": "codecs in child processes",
    "F28": "a second release to come from",
}


def settings(arguments: list[str]) -> dict[str, str]:
    """Return ROW, SEED, TIER and ALLOW_SKIP from the environment and from NAME=value words."""
    names = ("ROW", "SEED", "TIER", "ALLOW_SKIP")
    found = {name: os.environ.get(name, "") for name in names}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name not in names or not equals:
            sys.exit(f"expected {', '.join(f'{name}=...' for name in names)}, got {argument}")
        found[name] = value
    if found["TIER"] not in TIERS:
        sys.exit("TIER is smoke, night or nothing")
    return found


def run(name: str, fault: Fault, folder: Path, seed: int, tier: str) -> Row:
    """Run one row; what it raises is its failure."""
    sizes = {key: values[TIERS.index(tier)] for key, values in fault.sizes.items()}
    began = time.monotonic()
    try:
        row = fault.run(folder, seed=seed, **sizes)
    except pytest.skip.Exception as skipped:
        row = Row(row=name, skipped=str(skipped))
    except (PeerFailed, OSError, AssertionError) as error:
        row = Row(row=name, faults=[f"{type(error).__name__}: {str(error)[:300]}"])
    row.row = name
    row.seconds = time.monotonic() - began
    return row


def main() -> None:
    chosen = settings(sys.argv[1:])
    seed = int(chosen["SEED"] or random.SystemRandom().randrange(1 << 31))
    faults = {name: fault for name, fault in FAULTS.items() if name.startswith(chosen["ROW"])}
    if not faults:
        sys.exit(f"no row {chosen['ROW']}; there are {', '.join(FAULTS)}")
    print(f"seed {seed}   (the same run again: SEED={seed})\n{HEAD}", flush=True)
    home = Path(tempfile.mkdtemp(prefix="torture-"))
    rows = []
    for name, fault in faults.items():
        row = run(name, fault, home / name.replace(" ", "-"), seed, chosen["TIER"])
        rows.append(row)
        print(line(row), flush=True)
        if row.verdict != "FAILED":
            shutil.rmtree(home / name.replace(" ", "-"), ignore_errors=True)
    sys.exit(report(rows, seed, chosen, home))


def report(rows: list[Row], seed: int, chosen: Mapping[str, str], home: Path) -> int:
    """Write the ledger, print the end of the story, return the exit code."""
    plain = {"seed": seed, "tier": chosen["TIER"], "rows": [row.plain() for row in rows]}
    LEDGER.write_text(json.dumps(plain, indent=1) + "\n")
    lost = sum(row.lost for row in rows)
    failed = [row.row for row in rows if row.verdict == "FAILED"]
    skipped = [row.row for row in rows if row.skipped]
    attempted, acked = sum(row.attempted for row in rows), sum(row.acked for row in rows)
    delivered, twice = sum(row.delivered for row in rows), sum(row.repeats for row in rows)
    print(
        f"\nattempted {attempted}, acknowledged {acked}, delivered {delivered}, lost {lost},"
        f" duplicated {twice}; {sum(row.seconds for row in rows):.0f} s; seed {seed}; {LEDGER}"
    )
    if not chosen["ROW"]:
        for name, part in NOT_BUILT.items():
            print(f"not built yet: {name} belongs to: {part}")
    if failed:
        print(f"failed: {', '.join(failed)}; their folders are under {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)
    if skipped and not chosen["ALLOW_SKIP"]:
        print(f"skipped: {', '.join(skipped)} (ALLOW_SKIP=1 lets them pass)")
    return int(bool(lost or failed or (skipped and not chosen["ALLOW_SKIP"])))


if __name__ == "__main__":
    main()
