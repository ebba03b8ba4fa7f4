"""DCMTK's configuration of dcmqrscp, line by line: global values and three tables.

Contract: gives what each line says with its place ``FILE:LINE``; a line that is nothing of the kind
is a fault.  Names of the HostTable are resolved to their entities, lists of names too.
"""

import re
from dataclasses import dataclass, field

from waystation.app.importing.findings import Report

TABLES = ("HostTable", "VendorTable", "AETable")
_PAIR = re.compile(r'\s*("[^"]*"|[^\s=]+)\s*=\s*(.*)')
_TRIPLE = re.compile(r"\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*,\s*(\d{1,5})\s*\)")
_AREA = re.compile(r"\s*(\S+)\s+(\S+)\s+(R|W|RW|WR)\s*\(\s*(\d+)\s*,\s*(\w+)\s*\)\s*(.*)", re.I)


@dataclass(frozen=True, slots=True)
class Entity:
    """An application entity of the HostTable."""

    ae_title: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Host:
    """One symbolic name: its entities, own ones and those of the names it lists."""

    where: str
    entities: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """One row of the AETable.  peers: names of the HostTable, None for ANY.

    quota: number of studies and bytes of each, as they are written.
    """

    where: str
    ae_title: str
    folder: str
    access: str
    quota: tuple[str, str]
    peers: tuple[str, ...] | None


@dataclass(slots=True)
class QrScp:
    """The whole file.  values: key → (where, value); vendors: name → (where, host names)."""

    values: dict[str, tuple[str, str]] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    vendors: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    areas: list[Area] = field(default_factory=list)


def parse(text: str, shown: str, report: Report) -> QrScp:
    """Return what the file says; faults go to the report."""
    found = QrScp()
    table = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line, where = raw.split("#", 1)[0].strip(), f"{shown}:{number}"
        if not line:
            continue
        words = line.split()
        if len(words) == 2 and words[0] in TABLES and words[1].upper() in ("BEGIN", "END"):
            table = words[0] if words[1].upper() == "BEGIN" else ""
        elif table == "AETable":
            _area(found, line, where, report)
        elif pair := _PAIR.fullmatch(line):
            key, value = pair[1].strip('"'), pair[2].strip()
            if table == "HostTable":
                found.hosts[key] = _host(found, value, where, report)
            elif table == "VendorTable":
                found.vendors[key] = (where, tuple(_names(value)))
            else:
                found.values[key] = (where, value)
        else:
            report.fault(where, table or "dcmqrscp", "expected KEY = VALUE, or a table's row")
    return found


def _host(found: QrScp, value: str, where: str, report: Report) -> Host:
    entities = [Entity(title, host, int(port)) for title, host, port in _TRIPLE.findall(value)]
    for name in _names(_TRIPLE.sub("", value)):
        if name in found.hosts:
            entities += found.hosts[name].entities
        else:
            report.fault(where, "HostTable", f'"{name}" is not defined above')
    if not entities:
        report.fault(where, "HostTable", "expected (AETITLE, host, port)")
    return Host(where, tuple(dict.fromkeys(entities)))


def _area(found: QrScp, line: str, where: str, report: Report) -> None:
    row = _AREA.fullmatch(line)
    if row is None:
        problem = "expected AETITLE FOLDER R|W|RW (studies, bytes) PEERS"
        report.fault(where, "AETable", problem)
        return
    rest = row[6].strip()
    peers: tuple[str, ...] | None = None
    if rest.upper() != "ANY":
        given = _TRIPLE.findall(rest)
        peers = tuple(_names(_TRIPLE.sub("", rest)))
        if given:
            name = f"{row[1].lower()}-peers"
            entities = tuple(Entity(title, host, int(port)) for title, host, port in given)
            found.hosts[name] = Host(where, entities)
            peers = (*peers, name)
    access = "".join(sorted(row[3].upper()))
    found.areas.append(Area(where, row[1], row[2], access, (row[4], row[5]), peers))


def _names(text: str) -> list[str]:
    return [word for word in (part.strip() for part in text.split(",")) if word]
