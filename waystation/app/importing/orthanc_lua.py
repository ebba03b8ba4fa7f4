"""Lua scripts of the one-line auto-routing kind: proposed rules, as comments.

Contract: a script is read, never run.  It is understood if ``OnStoredInstance`` does nothing but
send each instance to named modalities or peers, and perhaps delete it; every other one is listed.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from waystation.app.faults import ConfigFaults
from waystation.app.importing.foreign import Source
from waystation.app.importing.json_text import Node
from waystation.app.importing.orthanc_ways import Ways
from waystation.app.importing.page import Page, plain, value
from waystation.app.importing.sources import read_file

COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
FUNCTION = re.compile(
    r"\s*function\s+OnStoredInstance\s*\(\s*(?P<first>\w+)[^)]*\)(?P<body>.*)\bend\s*;?\s*",
    re.DOTALL,
)
STEP = re.compile(
    r"\s*(?:(?P<delete>Delete)\s*\(\s*)?"
    r"(?:SendTo(?P<kind>Modality|Peer)\s*\(\s*(?P<what>\w+)\s*,\s*"
    r"(?P<quote>[\"'])(?P<to>[^\"'\n]*)(?P=quote)\s*\)|(?P<alone>\w+))"
    r"\s*(?(delete)\))\s*;?"
)


@dataclass(frozen=True, slots=True)
class Routing:
    """What a script does with each instance.  ways: ("Modality" or "Peer", name)."""

    ways: tuple[tuple[str, str], ...]
    deletes: bool


def understood(script: str) -> Routing | None:
    """Return what a script of the one-line kind does, None for every other."""
    whole = FUNCTION.fullmatch(COMMENT.sub("", script))
    if whole is None:
        return None
    body, at, deletes = whole["body"].rstrip(), 0, False
    ways: list[tuple[str, str]] = []
    while at < len(body):
        step = STEP.match(body, at)
        if step is None or (step["what"] or step["alone"]) != whole["first"]:
            return None
        if step["alone"] and not step["delete"]:
            return None
        if step["to"] is not None:
            ways.append((step["kind"], step["to"]))
        deletes = deletes or bool(step["delete"])
        at = step.end()
    return Routing(tuple(ways), deletes) if ways else None


def scripts(source: Source, page: Page, folder: Path, found: Ways) -> None:
    """Write a proposed rule for each script that is understood, and list the others."""
    listed = source.node.get("LuaScripts")
    for node in listed.entries() if listed else ():
        _script(source, page, folder, found, node)


def _script(source: Source, page: Page, folder: Path, found: Ways, node: Node) -> None:
    if not isinstance(node.value, str):
        source.report.dropped(node.where, "LuaScripts: an entry that is no text")
        return
    label = plain(node.value)
    try:
        routing = understood(read_file(folder / node.value))
    except ConfigFaults as error:
        source.report.dropped(node.where, f"Lua script {label}: {error.problem}")
        return
    names = [found.name_of(*way) for way in routing.ways] if routing else []
    if routing is None or not all(names):
        source.report.dropped(
            node.where, f"Lua script {label}: does more than send; write its rules by hand"
        )
        return
    send = names if routing.deletes else [*names, "archive"]
    page.proposal(
        [
            f"Proposed from the Lua script {label}: sends every instance"
            + ("" if routing.deletes else " and keeps it"),
            "[[rule]]",
            f"name = {value(f'from {label}')}",
            f"send = {value(send)}",
        ]
    )
    source.report.changed(node.where, f"Lua script {label} → a proposed rule, as a comment")
