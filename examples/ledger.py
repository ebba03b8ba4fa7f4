"""What the scanner was promised, against what came to each receiver: the end of every story.

Contract: reads the ledgers that ``waystation simulate-peer`` wrote and the queue that the node
printed, prints one line for each site, and ends with 0 only if each site has every acknowledged
image of its studies, once, with the same bytes, and nothing else, and nothing waits or is held.
What a rule changes counts as the same if it came with the digest that the journal has of it.

    ledger.py FOLDER SITE=STUDY[,STUDY...] ...     a study with "?" behind it: any part of it
    ledger.py --count STATE < QUEUE                how many deliveries are in a state
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADS = ("promised", "there", "same", "lost", "twice", "extra")


@dataclass(frozen=True, slots=True)
class Line:
    """One site: numbers of images."""

    site: str
    promised: int
    there: int
    same: int
    lost: int
    twice: int
    extra: int

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.extra) and self.there == self.same

    def __str__(self) -> str:
        numbers = (self.promised, self.there, self.same, self.lost, self.twice, self.extra)
        return f"{self.site:<16}" + "".join(f"{number:>10}" for number in numbers)


def entries(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a ledger; a receiver that was killed may leave half a line."""
    if not file.exists():
        return
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def acknowledged(file: Path) -> dict[str, str]:
    """Return SOP Instance UID → SHA-256 of what the node answered Success for."""
    found = [entry for entry in entries(file) if entry["event"] == "acked"]
    return {entry["sop_instance"]: entry["sha256"] for entry in found}


def changed_for(site: str, queue: dict[str, Any]) -> dict[str, str]:
    """Return digest of what a rule made for a site → SOP Instance UID of what was received."""
    rows = [row for row in queue["deliveries"] if site in (row["destination"], row["group"])]
    return {row["sent_sha256"]: row["sop_instance"] for row in rows if row["sent_sha256"]}


def compare(folder: Path, site: str, studies: list[str], queue: dict[str, Any]) -> Line:
    """Return the line of a site that was to get these studies."""
    owed: dict[str, str] = {}
    welcome: dict[str, str] = {}
    for study in studies:
        images = acknowledged(folder / "sent" / study.removesuffix("?"))
        welcome |= images
        if not study.endswith("?"):
            owed |= images
    made = changed_for(site, queue)
    came = []
    for entry in entries(folder / f"{site}.ledger"):
        name = made.get(entry["sha256"])
        came.append((name, welcome.get(name, "")) if name else took(entry))
    there = dict(came)
    return Line(
        site=site,
        promised=len(owed),
        there=len(there),
        same=sum(welcome.get(name) == digest for name, digest in there.items()),
        lost=len(owed.keys() - there.keys()),
        twice=len(came) - len(there),
        extra=len(there.keys() - welcome.keys()),
    )


def took(entry: dict[str, Any]) -> tuple[str, str]:
    """Return what a site says it has: SOP Instance UID and digest."""
    return entry["sop_instance"], entry["sha256"]


def states_of(queue: dict[str, Any]) -> Counter[str]:
    """Return how much of ``waystation queue list --deliveries --json`` is in which state."""
    states = Counter(row["state"] for row in queue["deliveries"])
    states["held"] += len(queue["arrivals"])
    states["unplanned"] += queue["unplanned"]
    return +states


def count(state: str, queue: dict[str, Any]) -> int:
    """Return how many deliveries are in a state; "open": of what may still move by itself."""
    states = states_of(queue)
    wanted = ("waiting", "sending", "unplanned") if state == "open" else (state,)
    return sum(states[one] for one in wanted)


def main(folder: Path, promises: list[str]) -> int:
    """Print the ledger; return the exit code."""
    sent = [*(folder / "sent").iterdir()]
    asked = {e["sop_instance"] for file in sent for e in entries(file) if e["event"] == "attempted"}
    kept = {name for file in sent for name in acknowledged(file)}
    print(f"the scanner sent {len(asked)} images, acknowledged {len(kept)}")
    print(" " * 16 + "".join(f"{head:>10}" for head in HEADS))
    queue = json.loads((folder / "queue.json").read_text())
    lines = []
    for promise in promises:
        site, _, studies = promise.partition("=")
        lines.append(compare(folder, site, [one for one in studies.split(",") if one], queue))
        print(lines[-1])
    states = states_of(queue)
    print("in the journal  " + ", ".join(f"{state} {n}" for state, n in sorted(states.items())))
    open_ends = set(states) - {"done", "discarded"}
    good = bool(kept) and asked == kept and all(line.good for line in lines) and not open_ends
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1] == "--count":
        print(count(sys.argv[2], json.load(sys.stdin)))
        raise SystemExit(0)
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
