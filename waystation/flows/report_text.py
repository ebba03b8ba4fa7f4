"""A report as text and as a table (R-80).

Contract: pure; the same facts give the same words.  What a rule threw away, what failed and what
is held stand on lines of their own.  A table's cells cannot be taken for formulas (S-62).
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from waystation.flows.messages import moment_text
from waystation.flows.report_studies import Patients, patients_rows, patients_text
from waystation.journal import days
from waystation.journal.reporting import Outage, Period
from waystation.model.printable import cell
from waystation.timing.window import wait_text

ANYBODY = "(no peer of the configuration)"
COLUMNS = ("kind", "name", "measure", "detail", "studies", "objects", "bytes", "seconds")
WORDS = {
    "filter": "by filter",
    "person": "by a person",
    "optional": "optional, not taken in time",
    "switch": "repeats that nobody needs any more",
}
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a report tells.

    studies: destination → how many were delivered, wholly or in part.  waiting: destination →
    (bytes, creation of the oldest).  destinations, peers: those to tell of, in order.
    patients: None unless the report may tell who they are.
    """

    name: str
    node: str
    zone: tzinfo
    period: Period
    destinations: Sequence[str]
    peers: Sequence[str]
    studies: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    patients: Patients | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a report.  None: does not apply."""

    measure: str
    detail: str = ""
    objects: int = 0
    size_bytes: int | None = None
    studies: int | None = None
    seconds: int | None = None
    note: str = ""


def report_text(facts: Facts) -> str:
    """Return the report for people."""
    period = facts.period
    lines = [
        f"Report {facts.name} of {facts.node}",
        f"from {moment_text(period.since, facts.zone)}",
        f"to   {moment_text(period.until, facts.zone)} ({wait_text(period.until - period.since)})",
        "",
        "DESTINATIONS",
    ]
    for name in facts.destinations:
        lines += ["", name, *map(_shown, destination_lines(facts, name))]
    lines += ["", "PEERS"]
    for name in facts.peers:
        lines += ["", name or ANYBODY, *map(_shown, peer_lines(facts, name))]
    if facts.patients is not None:
        lines += patients_text(facts.patients)
    return "\n".join([*lines, ""])


def report_table(facts: Facts) -> str:
    """Return the report as CSV."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for kind, names, lines_of in (
        ("destination", facts.destinations, destination_lines),
        ("peer", facts.peers, peer_lines),
    ):
        for name in names:
            for line in lines_of(facts, name):
                numbers = (line.studies, line.objects, line.size_bytes, line.seconds)
                table.writerow(
                    [
                        *map(cell, (kind, name or ANYBODY, line.measure, line.detail)),
                        *("" if number is None else number for number in numbers),
                    ]
                )
    return text.getvalue()


def patients_table(patients: Patients) -> str:
    """Return the studies as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(patients_rows(patients))
    return text.getvalue()


def destination_lines(facts: Facts, name: str) -> Iterator[Line]:
    """Yield what happened at one destination."""
    done = _details(facts.period, days.DONE, name)
    yield _sum("delivered", done, studies=facts.studies.get(name, 0))
    for word, measure in (("warned", "with warning"), ("again", "repeated")):
        yield _sum(measure, {key: value for key, value in done.items() if word in key.split()})
    (failed, _), *_ = [*_details(facts.period, days.FAILED, name).values(), (0, 0)]
    yield Line(measure="failed attempts", objects=failed)
    yield from _each("held", _details(facts.period, days.HELD_DELIVERY, name))
    gone = _details(facts.period, days.DISCARDED, name)
    yield from _each("discarded", {"filter": (0, 0)} | gone)
    yield _waiting(facts, name)
    held = facts.period.standing.get((name, "held"), 0)
    yield Line(measure="held now", objects=held)
    for outage in facts.period.outages:
        if outage.destination == name:
            yield _outage(facts, outage)


def peer_lines(facts: Facts, name: str) -> Iterator[Line]:
    """Yield what came from one peer."""
    yield _sum("received", _details(facts.period, days.RECEIVED, name))
    yield from _each("refused", _details(facts.period, days.REFUSED, name))
    yield from _each("rejected by rule", _details(facts.period, days.DROPPED, name))
    yield from _each("held for a person", _details(facts.period, days.HELD, name))


def _details(period: Period, kind: str, name: str) -> dict[str, tuple[int, int]]:
    found: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for (of_kind, of_name, detail), counts in sorted(period.counts.items()):
        if (of_kind, of_name) == (kind, name):
            found[detail] = counts
    return dict(found)


def _sum(measure: str, found: Mapping[str, tuple[int, int]], studies: int | None = None) -> Line:
    return Line(
        measure=measure,
        objects=sum(n for n, _ in found.values()),
        size_bytes=sum(size for _, size in found.values()),
        studies=studies,
    )


def _each(measure: str, found: Mapping[str, tuple[int, int]]) -> Iterator[Line]:
    """Yield a line for each detail, or one that says that there was nothing."""
    if not found:
        yield Line(measure=measure)
    for detail, (n, _) in found.items():
        yield Line(measure=measure, detail=WORDS.get(detail, detail), objects=n)


def _waiting(facts: Facts, name: str) -> Line:
    n = facts.period.standing.get((name, "waiting"), 0)
    if not n:
        return Line(measure="waiting now", size_bytes=0)
    size_bytes, oldest_at = facts.waiting.get(name, (0, facts.period.until))
    seconds = round(facts.period.until - oldest_at)
    note = f"the oldest for {wait_text(seconds)}"
    return Line(measure="waiting now", objects=n, size_bytes=size_bytes, seconds=seconds, note=note)


def _outage(facts: Facts, outage: Outage) -> Line:
    period = facts.period
    began = max(outage.began_at, period.since)
    ended = min(outage.ended_at or period.until, period.until)
    until = "still away" if outage.ended_at is None else moment_text(ended, facts.zone)
    note = f"{moment_text(began, facts.zone)} to {until}, {wait_text(ended - began)}"
    return Line(
        measure="outage", detail=outage.why, objects=1, seconds=round(ended - began), note=note
    )


def _shown(line: Line) -> str:
    if line.measure == "outage":
        return f"  {line.measure:<24} {line.note}: {line.detail}"
    measure = f"{line.measure} ({line.detail})" if line.detail else line.measure
    words = f"{line.objects:,}"
    if line.studies is not None:
        words += f" objects of {line.studies:,} studies"
    if line.size_bytes is not None:
        words += f", {size_words(line.size_bytes)}"
    return f"  {measure:<24} {words}" + (f", {line.note}" if line.note else "")


def size_words(size_bytes: int) -> str:
    """Return a size in its largest fitting unit."""
    size, unit = float(size_bytes), UNITS[0]
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
