"""From a file to settings, or to every fault of it at once."""

from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.faults import ConfigFaults
from waystation.app.read import find_file, load, load_text
from waystation.app.settings import Settings
from waystation.app.settings_destination import DicomDestination, FolderDestination

GOOD = """
[node]
data = "spool"

[dicom]
ae_title = "GATE"
host = "0.0.0.0"
port = 104
refuse = ["EncapsulatedPDFStorage", "1.2.840.10008.5.1.4.1.1.88.*"]

[peer.ct1]
ae_title = "CT1*"
address = ["10.1.2.0/24", "10.1.3.5"]

[destination.pacs]
kind = "dicom"
host = "pacs.local"
ae_title = "PACS"
calling_ae = "fixed:GATE2"
retry = { first = "30s", cap = "60m", lifetime = "7d", tries = 5 }

[destination.disk]
kind = "folder"
path = "out"

[[rule]]
name = "ct to reading"
when = { Modality = ["CT", "MR"], calling_ae = "CT*" }
send = ["pacs", { to = "disk" }]
priority = "stat"
"""


def test_a_good_file_gives_settings_in_plain_units(read: Load, tmp_path: Path) -> None:
    settings = read(GOOD).settings
    assert settings.node.data == tmp_path / "spool"
    assert (settings.dicom.ae_title, settings.dicom.port) == ("GATE", 104)
    assert settings.peer["ct1"].address == ("10.1.2.0/24", "10.1.3.5/32")
    pacs, disk = settings.destination["pacs"], settings.destination["disk"]
    assert isinstance(pacs, DicomDestination)
    assert (pacs.port, pacs.calling_ae, pacs.retry.cap) == (104, "fixed:GATE2", 3600.0)
    assert isinstance(disk, FolderDestination)
    assert disk.path == tmp_path / "out"
    assert [way.to for way in settings.rule[0].send] == ["pacs", "disk"]
    assert settings.rule[0].when == {"Modality": ["CT", "MR"], "calling_ae": "CT*"}


def test_a_rule_is_handed_on_in_the_words_of_the_rules_package(read: Load) -> None:
    assert read(GOOD).settings.rule[0].table() == {
        "name": "ct to reading",
        "enabled": True,
        "stop": False,
        "priority": "stat",
        "when": {"Modality": ["CT", "MR"], "calling_ae": "CT*"},
        "send": [{"to": "pacs", "required": True}, {"to": "disk", "required": True}],
        "trigger": "instance",
    }


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_no_file_or_an_empty_one_is_a_node_on_loopback_without_rules(
    text: str | None, read: Load
) -> None:
    loaded = load(None, {}) if text is None else read(text)
    assert (loaded.settings.dicom.host, loaded.settings.dicom.port) == ("127.0.0.1", 11112)
    assert loaded.settings.dicom.peers == "any"
    assert (loaded.settings.rule, loaded.warnings) == ((), [])


@pytest.mark.parametrize("name", ["port", "ae_title"])
def test_settings_cannot_be_changed(name: str, read: Load) -> None:
    settings: Settings = read("").settings
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.dicom, name, 1)


FAULTY = """\
[node]
nme = "x"
[dicom]
port = "104"
max_object = 4294967296
[peer.pacs]
ae_title = "PACS"
address = ["10.0.0.0/8", "10.0.0"]
[destination.reading]
kind = "dicom"
host = "h"
port = 104000
ae_title = "SEVENTEEN-LETTERS"
[destination.web]
kind = "ftp"
[[rule]]
name = "chest-out"
colour = 1
send = [
  "reading",
  "readng",
]
[[rule]]
name = "chest out"
when = { Modalty = "CT" }
send = "reading"
"""


@pytest.mark.req("R-1")
def test_all_faults_are_told_in_one_run_in_the_order_of_the_file(faults: Complain) -> None:
    assert faults(FAULTY) == [
        'waystation.toml:2 node.nme: unknown key "nme" (did you mean "name"?)',
        "waystation.toml:4 dicom.port: expected a whole number, got text",
        "waystation.toml:5 dicom.max_object: a size is a number with its unit, "
        'like "512KiB", "64MiB", "2GiB" or "5GB"',
        'waystation.toml:8 peer.pacs.address: "10.0.0" is no address or network; '
        'write "10.0.0.5" or "10.1.2.0/24" or "fd00::/64"',
        "waystation.toml:12 destination.reading.port: expected 1 to 65535, got 104000",
        "waystation.toml:13 destination.reading.ae_title: an AE title has 1 to 16 printable "
        "ASCII characters and no backslash",
        'waystation.toml:15 destination.web.kind: expected "dicom" or "folder" or "sftp" or "s3"'
        ' or "stow" or "webhook" or "command" or "archive" (did you mean "sftp"?)',
        'waystation.toml:18 rule.chest-out.colour: unknown key "colour"',
        'waystation.toml:21 rule.chest-out.send: no destination or group "readng" '
        '(did you mean "reading"?)',
        'waystation.toml:25 rule."chest out".when.Modalty: unknown keyword or fact "Modalty" '
        '(did you mean "Modality"?)',
        'waystation.toml:26 rule."chest out".send: expected a list, like ["reading"]',
    ]


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb =\n", 2), ("[dicom\n", 1), ("a = 1\na = 2\n", 2), ("\n\na = [1,\n", 3)],
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int, faults: Complain) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"waystation.toml:{line}: not TOML: ")


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = Path("waystation.toml")
    path.write_bytes(b'[node]\nname = "M\xfcnchen"\n')
    with pytest.raises(ConfigFaults, match=r"^waystation.toml:2: the file is not UTF-8 text$"):
        load(path, {})


def test_a_file_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(ConfigFaults, match=r"^nowhere.toml: cannot be read: No such file"):
        load(Path("nowhere.toml"), {})


def test_a_stated_file_is_taken_and_else_the_one_of_this_folder() -> None:
    assert find_file(Path("stated.toml")) == Path("stated.toml")
    Path("waystation.toml").touch()
    assert find_file(None) == Path("waystation.toml")


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    path = tmp_path / "site" / "gate.toml"
    path.write_text('[node]\ndata = "../spool"\n')
    assert load(path, {}).settings.node.data == tmp_path / "spool"


def test_a_text_that_was_kept_reads_like_its_file(read: Load) -> None:
    loaded = read(GOOD)
    assert load_text(loaded.text, loaded.path, {}).settings == loaded.settings


@pytest.mark.parametrize(
    "value", ["100%", "# no comment", "a;b", "a=b", "${HOME}", "{x}", '"', "\\"]
)
def test_odd_characters_in_values_are_only_characters(value: str, read: Load) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert read(f'[node]\nname = "{quoted}"\n').settings.node.name == value


@pytest.mark.parametrize("level", ["info", "INFO", "Warning"])
def test_the_case_of_a_log_level_does_not_matter(level: str, read: Load) -> None:
    assert read(f'[log]\nlevel = "{level}"\n').settings.log.level == level.lower()
