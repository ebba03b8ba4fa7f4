"""What deploy/ holds: the image, its compose file and the service unit keep each other's word.

No container engine and no systemd runs here: the files are read strictly and compared with each
other and with the product; what they ask of a node is tried in test_packaging.py.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import waystation
from tests.peers.program import need
from tests.source import REPOSITORY
from tests.test_compose import EXAMPLES, FILES, help_of, parse
from waystation.app.lanes import GRACE_S
from waystation.app.quantities import read_duration
from waystation.app.read import load

DEPLOY = REPOSITORY / "deploy"
UNIT = DEPLOY / "waystation.service"
WORDS = {
    *("ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "LABEL", "USER", "VOLUME", "EXPOSE"),
    *("STOPSIGNAL", "HEALTHCHECK", "CMD"),
}
ANALYZE = "/usr/bin/systemd-analyze"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a Dockerfile: its instructions, in order."""

    base: str
    steps: list[tuple[str, str]]

    def all(self, word: str) -> list[str]:
        return [said for known, said in self.steps if known == word]

    def one(self, word: str) -> str:
        (said,) = self.all(word)
        return said


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile.  Raises ValueError for words that we do not use."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, _, said = line.partition(" ")
        if word not in WORDS or not said:
            raise ValueError(f"no instruction of ours: {line}")
        if word == "FROM":
            found.append(Stage(said, []))
        elif found:
            found[-1].steps.append((word, said.strip()))
        elif word != "ARG":
            raise ValueError(f"before the first stage: {line}")
    return found


BUILD, IMAGE = stages((DEPLOY / "Dockerfile").read_text())
COMPOSE: dict[str, Any] = parse((DEPLOY / "compose.yaml").read_text())
SERVICE: dict[str, Any] = COMPOSE["services"]["waystation"]
SETTINGS = load(DEPLOY / "etc" / "waystation.toml", {}).settings
COMMAND = json.loads(IMAGE.one("CMD"))


def copied(stage: Stage) -> list[str]:
    """Return what a stage copies from the checkout."""
    ours = [said.split() for said in stage.all("COPY") if not said.startswith("--from=")]
    return [source for *sources, _ in ours for source in sources]


@pytest.mark.parametrize("text", ["RUN\n", "ADD a b\n", "COPY a b\n", "FROM a\nENTRYPOINT b\n"])
def test_an_instruction_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        stages(text)


@pytest.mark.req("N-25")
def test_the_image_is_made_of_what_the_checkout_has() -> None:
    assert all((REPOSITORY / name).exists() for name in copied(BUILD))
    kept = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in kept if line.startswith("!")} == set(copied(BUILD))
    assert "*" in kept
    assert copied(IMAGE) == []
    assert IMAGE.all("COPY") == ["--from=build /opt/waystation /opt/waystation"]
    assert BUILD.base.split()[0] == IMAGE.base, "the environment points at its interpreter"


@pytest.mark.req("N-25")
def test_the_image_installs_the_lock_with_every_extra_and_no_compiler() -> None:
    (sync,) = (said for said in BUILD.all("RUN") if "uv sync" in said)
    assert {"--locked", "--all-extras", "--no-dev", "--no-build"} <= set(sync.split())
    (wheel,) = (said for said in BUILD.all("RUN") if "uv build" in said)
    assert "--no-deps" in wheel
    everything = " ".join(BUILD.all("RUN") + IMAGE.all("RUN"))
    assert not re.search(r"\b(apt|apt-get|gcc|build-essential)\b", everything)


@pytest.mark.req("N-26")
def test_the_image_runs_without_root_and_installs_nothing_at_start() -> None:
    user = IMAGE.one("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    after = IMAGE.steps[IMAGE.steps.index(("USER", user)) :]
    assert not {"RUN", "COPY"} & {word for word, _ in after}
    # The command is the node itself: no shell and no script that could do anything before it.
    assert COMMAND == ["waystation", "serve", "--config", "/etc/waystation/waystation.toml"]
    in_the_image = " ".join(said for _, said in IMAGE.steps)
    assert not re.search(r"\b(pip|uv|curl|wget|apt|apt-get)\b", in_the_image)


def test_the_image_tells_the_truth_about_the_node() -> None:
    assert f'version="{waystation.__version__}"' in IMAGE.one("LABEL")
    assert IMAGE.one("EXPOSE").split() == [str(SETTINGS.dicom.port), str(SETTINGS.web.port)]
    assert IMAGE.one("VOLUME") == IMAGE.one("WORKDIR") == str(SETTINGS.node.data)
    assert IMAGE.one("STOPSIGNAL") == "SIGTERM"


def test_the_health_check_is_a_command_that_exists() -> None:
    *_, asked = IMAGE.one("HEALTHCHECK").partition(" CMD ")
    words = asked.removesuffix(" || exit 1").split()
    assert words[0] == "waystation"
    assert "--config" in words
    assert "ready" in help_of(words[1])


@pytest.mark.req("N-26")
def test_the_compose_file_takes_every_right_away() -> None:
    assert SERVICE["user"] == IMAGE.one("USER")
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "entrypoint", "command"} & set(SERVICE)
    assert [word.split(":")[0] for word in SERVICE["tmpfs"]] == ["/tmp"]


def test_the_compose_file_fits_the_image_and_the_configuration() -> None:
    settings, data = SERVICE["volumes"]
    outside, inside, mode = settings.split(":")
    assert (DEPLOY / outside / "waystation.toml").is_file()
    assert (inside, mode) == (str(Path(COMMAND[-1]).parent), "ro")
    assert data == f"data:{SETTINGS.node.data}"
    assert set(COMPOSE["volumes"]) == {"data"}
    (port,) = SERVICE["ports"]
    assert port.rpartition(":")[2] == str(SETTINGS.dicom.port)
    assert read_duration(SERVICE["stop_grace_period"]) > GRACE_S
    context = DEPLOY / SERVICE["build"]["context"]
    assert (context / SERVICE["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


@pytest.mark.req("R-90")
def test_the_examples_use_the_same_image_and_its_volume() -> None:
    assert EXAMPLES == REPOSITORY / "examples"
    for file in FILES:
        services = parse(file.read_text())["services"]
        assert {service["image"] for service in services.values()} == {SERVICE["image"]}
        volumes = services["router"]["volumes"]
        assert f"router-data:{IMAGE.one('VOLUME')}" in volumes


def unit(text: str) -> dict[str, list[str]]:
    """Return the keys of a unit file with their values.  Raises ValueError for any other line."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#") or re.fullmatch(r"\[(Unit|Service|Install)\]", line):
            continue
        pair = re.fullmatch(r"([A-Z]\w+)=(.*)", line)
        if pair is None:
            raise ValueError(line)
        found.setdefault(pair[1], []).append(pair[2])
    return found


@pytest.mark.req("N-26")
def test_the_unit_runs_the_node_without_root_and_without_rights() -> None:
    found = unit(UNIT.read_text())
    (start,) = found["ExecStart"]
    program, *words = start.split()
    assert [Path(program).name, *words] == COMMAND
    assert found["User"] == ["waystation"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    assert found["NoNewPrivileges"] == found["ProtectHome"] == found["PrivateTmp"] == ["yes"]
    assert (found["UMask"], found["StateDirectoryMode"]) == (["0077"], ["0700"])
    assert found["LimitCORE"] == ["0"]
    assert found["RestartPreventExitStatus"] == ["2"]
    assert int(found["TimeoutStopSec"][0]) > GRACE_S
    assert not {"ExecStartPre", "PermissionsStartOnly"} & set(found)


def test_systemd_itself_understands_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.M))
    done = subprocess.run(
        [need(ANALYZE), "verify", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
