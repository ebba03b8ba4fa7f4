"""The compose files beside the examples: their syntax, and what they promise to each other.

No container engine runs here and YAML is no dependency of ours: the files keep to a small part of
it (block tables and lists, plain or quoted text, lists of quoted text in one line), which is read
here strictly.
"""

import ipaddress
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.peers.program import WAYSTATION
from tests.source import PACKAGE
from waystation.app.read import load
from waystation.app.settings_destination import DicomDestination

EXAMPLES = PACKAGE.parent / "examples"
BROKER = EXAMPLES / "broker-for-old-pacs"
# Of those in which all programs are ours.
FILES = sorted(file for file in EXAMPLES.glob("*/compose.yaml") if file.parent != BROKER)
PAIR = re.compile(r"([a-z][a-z0-9_-]*):(?: (.+))?")
KNOWN = {
    *("image", "entrypoint", "command", "read_only", "cap_drop", "volumes", "ports", "networks"),
    *("restart", "profiles", "environment", "healthcheck"),
}
Line = tuple[int, str]


def parse(text: str) -> Any:
    """Return the value of a compose file.  Raises ValueError for what is not of the small part."""
    lines: list[Line] = []
    for number, line in enumerate(text.split("\n"), start=1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if "\t" in line or indent % 2 or line != line.rstrip():
            raise ValueError(f"line {number}: indent by two spaces")
        lines.append((indent, said))
    value, rest = _block(lines, 0)
    if rest:
        raise ValueError(f"indented too far: {rest[0][1]}")
    return value


def _block(lines: list[Line], indent: int) -> tuple[Any, list[Line]]:
    if lines and lines[0][1].startswith("- "):
        return _list(lines, indent)
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        pair = PAIR.fullmatch(lines[0][1])
        if pair is None or pair[1] in found:
            raise ValueError(f"no new pair: {lines[0][1]}")
        lines = lines[1:]
        if pair[2]:
            found[pair[1]] = _scalar(pair[2])
        elif lines and lines[0][0] > indent:
            found[pair[1]], lines = _block(lines, lines[0][0])
        else:
            found[pair[1]] = None
    return found, lines


def _list(lines: list[Line], indent: int) -> tuple[Any, list[Line]]:
    found: list[Any] = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        said = lines[0][1][2:]
        pair = PAIR.fullmatch(said)
        found.append({pair[1]: _scalar(pair[2])} if pair and pair[2] else _scalar(said))
        lines = lines[1:]
    return found, lines


def _scalar(said: str) -> Any:
    if said[0] in '"[':
        return json.loads(said)
    if said in ("true", "false"):
        return said == "true"
    if said[0] in "'{&*!|>%@`" or ": " in said or " #" in said:
        raise ValueError(f"quote this: {said}")
    return said


@pytest.mark.parametrize(
    "text",
    ["a:\n   b: c\n", "a: b: c\n", "a: {b: c}\n", "a: b\na: c\n", "a\n", "a: *b\n", "a: [b]\n"],
)
def test_what_is_not_of_the_small_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.req("R-90")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_compose_file_names_only_what_is_there(file: Path) -> None:
    found = parse(file.read_text())
    assert found["name"] == file.parent.name
    for name, service in found["services"].items():
        assert set(service) <= KNOWN, name
        assert set(service["networks"]) <= set(found["networks"])
        for volume in service.get("volumes", []):
            outside, inside, *mode = volume.split(":")
            assert inside.startswith("/")
            if outside.startswith("./"):
                assert (file.parent / outside).is_file()
                assert mode == ["ro"]
            else:
                assert outside in found["volumes"]
        words = service["command"]
        help_text = help_of(*words[: 2 if words[0] == "simulate-peer" else 1])
        for word in words:
            assert not word.startswith("--") or word in help_text, f"{name}: no option {word}"


@cache
def help_of(*words: str) -> str:
    """Return the help of a command; one that is not there fails."""
    done = subprocess.run(
        [str(WAYSTATION), *words, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.req("R-90")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_node_of_a_compose_file_finds_its_neighbours(file: Path) -> None:
    found = parse(file.read_text())
    settings = load(file.parent / "waystation.toml", {}).settings
    services = found["services"]
    for name, table in settings.destination.items():
        if table.kind == "archive":
            continue
        assert isinstance(table, DicomDestination)
        service = services[table.host]
        title = service["command"][service["command"].index("--ae-title") + 1]
        port = service["command"][service["command"].index("--port") + 1]
        assert (title, int(port)) == (table.ae_title, table.port), name
        assert set(service["networks"]) & set(services["router"]["networks"])
    target = services["sender"]["command"][2]
    assert target == f"{settings.dicom.ae_title}@router:{settings.dicom.port}"
    (peer,) = settings.peer.values()
    (network,) = services["sender"]["networks"]
    subnet = found["networks"][network]["ipam"]["config"][0]["subnet"]
    assert ipaddress.ip_network(subnet) == ipaddress.ip_network(str(peer.address[0]))


@pytest.mark.req("N-26", "R-90")
def test_both_published_set_ups_have_one_and_none_is_privileged() -> None:
    assert [file.parent.name for file in FILES] == ["forward-with-retry", "night-link"]
    for file in FILES:
        for service in parse(file.read_text())["services"].values():
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert "privileged" not in service


@pytest.mark.req("R-90")
def test_the_broker_of_a_compose_file_and_its_old_pacs_know_each_other() -> None:
    found = parse((BROKER / "compose.yaml").read_text())
    services, settings = found["services"], load(BROKER / "waystation.toml", {}).settings
    orthanc = json.loads((BROKER / "cellar.json").read_text())
    qrscp = (BROKER / "attic.cfg").read_text()
    us = settings.dicom
    assert orthanc["DicomModalities"] == {"broker": [us.ae_title, "broker", us.port]}
    assert f"({us.ae_title}, broker, {us.port})" in qrscp
    attic, cellar = settings.pacs["attic"], settings.pacs["cellar"]
    assert {attic.host, cellar.host, "broker"} <= set(services)
    assert (cellar.ae_title, cellar.port) == (orthanc["DicomAet"], orthanc["DicomPort"])
    assert f"NetworkTCPPort = {attic.port}\n" in qrscp
    assert f"\n{attic.ae_title} /var/lib/attic RW" in qrscp
    assert services["scanner"]["command"][2] == f"{attic.ae_title}@{attic.host}:{attic.port}"
    for service in services.values():
        assert set(service) <= KNOWN | {"build"}
        assert set(service["networks"]) == set(found["networks"])
        for volume in service.get("volumes", []):
            outside, inside, *_ = volume.split(":")
            assert inside.startswith("/")
            assert outside in found["volumes"] or (BROKER / outside).is_file()
        if "build" in service:
            assert (BROKER / service["build"]["dockerfile"]).is_file()
        else:
            assert service["cap_drop"] == ["ALL"]
