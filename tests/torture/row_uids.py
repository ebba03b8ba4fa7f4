"""D-26: ten million UIDs have ten million successors."""

from pathlib import Path

import numpy as np

from tests.torture.books import Row
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.uids import new_uid

UIDS = 10_000_000
LONGEST = 44


def no_collision(_: Path, *, seed: int, uids: int = UIDS) -> Row:
    """Map ``uids`` UIDs of one root; 63 bits of each successor are enough to tell them apart."""
    key = derive(seed.to_bytes(32, "big"), "torture").uid
    found = np.empty(uids, dtype=np.uint64)
    longest = 0
    for number in range(uids):
        made = new_uid(key, b"1.2.276.0.7230010.3.1.4.%d" % number)
        longest = max(longest, len(made))
        found[number] = int(made[5:]) & (1 << 62) - 1
    found.sort()
    row = Row(row="D-26", runs=1, attempted=uids)
    row.delivered = uids - int(np.count_nonzero(found[1:] == found[:-1]))
    row.notes = [f"longest successor {longest} characters"]
    if row.delivered != uids:
        row.faults.append(f"{uids - row.delivered} UIDs share a successor")
    if longest > LONGEST:
        row.faults.append(f"a successor of {longest} characters")
    return row
