"""The import rule of docs/architecture.md, executed; and the size limits of the style guide."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "waystation"
FLOORS = [
    {"dicom"},
    {"model"},
    {"wire", "dicomweb", "rules", "transforms", "timing", "matching"},
    {"blobs", "db", "net"},
    {"journal", "index"},
    {"destinations"},
    {"flows"},
    {"web"},
    {"app"},
    {"cli", "__main__", "__init__"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
PURE = FLOORS[0] | FLOORS[1] | FLOORS[2]
WORLD = {"asyncio", "os", "pathlib", "random", "socket", "sqlite3", "ssl", "threading", "time"}


def part_of(file):
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: write imports in full"
            yield node.module.split(".")


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=str)
def test_imports_only_point_down(file):
    here = part_of(file)
    for target in imports_of(file):
        if target[0] == "waystation" and len(target) > 1 and target[1] != here:
            assert FLOOR[target[1]] < FLOOR[here], f"{file} reaches up to {'.'.join(target)}"
        if here in PURE:
            assert target[0] not in WORLD, f"{file} is pure and must not touch {target[0]}"


def test_no_cycle_inside_a_package():
    names = {".".join(("waystation", *file.relative_to(ROOT).with_suffix("").parts)): file
             for file in ROOT.rglob("*.py")}
    graph = {name: {".".join(target) for target in imports_of(file)} & names.keys()
             for name, file in names.items()}
    TopologicalSorter(graph).prepare()
