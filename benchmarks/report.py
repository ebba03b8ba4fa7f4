"""The table on the screen, ``benchmarks/latest.json``, and the same table as text beside it."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure

LATEST = Path(__file__).parent / "latest.json"
MARKS = {True: "reached", False: "MISSED", None: ""}


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Return all figures as text, ratios beside their bars."""
    rows = [("figure", "unit", "ours", "peer", "ratio", "bar", "")]
    for figure in figures:
        sign = "" if figure.bar is None else (">= " if figure.higher else "<= ")
        rows.append(
            (
                figure.name,
                figure.unit,
                number(figure.ours),
                number(figure.peer),
                "-" if figure.ratio is None else f"{figure.ratio:.2f}x",
                sign + number(figure.bar) if figure.bar is not None else "",
                MARKS[figure.reached],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        name, unit, *numbers = row
        cells = [name.ljust(widths[0]), unit.ljust(widths[1])]
        cells += [text.rjust(width) for text, width in zip(numbers, widths[2:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def machine() -> str:
    """Return one line about the machine, without naming it."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} x {model}, {memory_gb:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def missed(figures: Sequence[Figure]) -> list[str]:
    """Return the names of the figures that do not reach their bar."""
    return [figure.name for figure in figures if figure.reached is False]


def published(figures: Sequence[Figure], rounds: int) -> str:
    """Return the table with the machine's description, as it goes with a release (RT-18)."""
    return f"{machine()}\nmedian of {rounds}\n\n{table(figures)}\n"


def write(figures: Sequence[Figure], file: Path) -> None:
    """Write figure name → {ours, peer, ratio, unit, ...}."""
    content = {figure.name: figure.as_json() for figure in figures}
    file.write_text(json.dumps(content, indent=1) + "\n")
