"""The import rule of docs/explanation/architecture.md, executed; and the size limits of a file.

Imports inside functions and under ``TYPE_CHECKING`` count like any other.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.source import PACKAGE, all_files, functions_of, package_files, parse, short_name

FLOORS = [
    {"__init__"},
    {"dicom"},
    {"model"},
    {"wire", "dicomweb", "rules", "transforms", "timing", "matching", "hl7"},
    {"blobs", "db", "net", "codecs"},
    {"journal", "index"},
    {"destinations"},
    {"flows"},
    {"web"},
    {"app"},
    {"cli"},
    {"__main__"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
PURE = set().union(*FLOORS[:4])
IMPURE = set().union(*FLOORS[4:])
WORLD = {
    *("asyncio", "os", "pathlib", "random", "socket", "sqlite3", "ssl", "threading", "time"),
    *("multiprocessing", "secrets", "select", "selectors", "shutil", "signal", "subprocess"),
}
READS_THE_WORLD = {"open", "print", "input"}

DATABASE = {"db", "journal", "index"}
HOMES = {
    "pydicom": {"dicom", "dicomweb", "transforms", "rules"},
    "numpy": {"transforms"},
    "PIL": {"transforms"},
    "imagecodecs": {"transforms"},
    "cryptography": {"codecs"},
    "re2": {"rules", "transforms"},
    "sqlalchemy": DATABASE,
    "alembic": DATABASE,
    "httpx2": {"net"},
    "obstore": {"blobs", "destinations"},
    "asyncssh": {"destinations"},
    "aiosmtplib": {"net"},
    "fastapi": {"web"},
    "starlette": {"web"},
    "jinja2": {"web"},
    "argon2": {"web"},
    "icalendar": {"timing"},
    "dateutil": {"timing"},
    "pydantic": {"app", "web"},
    "pydantic_core": {"app", "web"},
    "pydantic_settings": {"app"},
    "prometheus_client": {"app", "web"},
    "uvicorn": {"app"},
    "h11": {"app"},
    "uvloop": {"app"},
    "watchfiles": {"app", "flows"},
    "structlog": IMPURE,
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
}
# A migration is one list of statements, frozen once released: nothing to cut into functions.
MIGRATIONS = PACKAGE / "db" / "migrations" / "versions"
FILE_LINES = 400
FUNCTION_LINES = 60

Target = tuple[str, ...]
SAMPLE = PACKAGE / "wire" / "sample.py"


def part_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[Target]:
    """Yield the full path of each imported name; ``()`` for a relative import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(name.name.split(".")) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = tuple((node.module or "").split("."))
            yield from ((*home, name.name) if node.level == 0 else () for name in node.names)


def faults(file: Path, tree: ast.AST) -> Iterator[str]:
    """Yield every sentence about an import that breaks the rule."""
    here = part_of(file)
    if here not in FLOOR:
        yield f"{here} has no floor"
        return
    for target in imports_of(tree):
        yield from faults_of_import(here, target)
    if here in PURE:
        yield from faults_of_pure_calls(tree)


def faults_of_import(here: str, target: Target) -> Iterator[str]:
    name = ".".join(target)
    top = target[0] if target else ""
    if not target:
        yield "write imports in full"
    elif top == "waystation":
        part = target[1] if len(target) > 1 and target[1] != "__version__" else "__init__"
        if part not in FLOOR:
            yield f"{name} has no floor"
        elif part != here and FLOOR[part] >= FLOOR[here]:
            yield f"reaches up to {name}"
    elif top in sys.stdlib_module_names:
        if here in PURE and top in WORLD:
            yield f"is pure and must not touch {name}"
    elif here not in HOMES.get(top, set()):
        yield f"{name} is not at home in {here}"


def faults_of_pure_calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in READS_THE_WORLD:
            yield f"is pure and must not call {node.func.id}()"
        clock = isinstance(node.func, ast.Attribute) and node.func.attr in {"now", "utcnow"}
        if clock and not node.args and not node.keywords:
            yield "is pure: the clock is an argument"


@pytest.mark.parametrize("file", package_files(), ids=short_name)
def test_imports_only_point_down(file: Path) -> None:
    assert not list(faults(file, parse(file)))


def graph_of(sources: dict[str, ast.AST]) -> dict[str, set[str]]:
    """Return module → modules it imports; an import of a name counts for its module."""
    return {
        name: {module for target in imports_of(tree) if (module := module_of(target, sources))}
        - {name}
        for name, tree in sources.items()
    }


def module_of(target: Target, sources: dict[str, ast.AST]) -> str:
    for end in range(len(target), 0, -1):
        name = ".".join(target[:end])
        for candidate in (name, f"{name}.__init__"):
            if candidate in sources:
                return candidate
    return ""


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)


def test_no_cycle_inside_a_package() -> None:
    sources: dict[str, ast.AST] = {module_name(file): parse(file) for file in package_files()}
    TopologicalSorter(graph_of(sources)).prepare()


@pytest.mark.parametrize("file", all_files(), ids=short_name)
def test_files_and_functions_stay_small(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    long = [
        f"{function.name} has {lines} lines"
        for function in functions_of(ast.parse(text))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert not long or file.parent == MIGRATIONS


@pytest.mark.parametrize(
    "line",
    [
        "from . import buffer",
        "from waystation.net import listener",
        "from waystation import flows",
        "import waystation.cli.main",
        "from waystation.rules import plan",
        "from waystation.odds import ends",
        "def f() -> None:\n    import time",
        "if TYPE_CHECKING:\n    from pathlib import Path",
        "import os.path",
        "import pydicom",
        "import left_pad",
        "text = open('x').read()",
        "stamp = datetime.now()",
    ],
)
def test_a_wrong_line_is_found(line: str) -> None:
    assert len(list(faults(SAMPLE, ast.parse(line)))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import struct",
        "from waystation.dicom import tags",
        "from waystation.model.errors import PeerError",
        "from waystation.wire.pdus import Abort",
        "moment = datetime.now(zone)",
    ],
)
def test_a_right_line_passes(line: str) -> None:
    assert not list(faults(SAMPLE, ast.parse(line)))


def test_a_cycle_is_found() -> None:
    sources: dict[str, ast.AST] = {
        "waystation.wire.pdus": ast.parse("from waystation.wire.items import Item"),
        "waystation.wire.items": ast.parse("import waystation.wire.pdus"),
    }
    with pytest.raises(CycleError):
        TopologicalSorter(graph_of(sources)).prepare()
