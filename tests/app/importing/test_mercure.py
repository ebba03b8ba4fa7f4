"""mercure.json in our words (R-83, RT-16)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.app.importing.conftest import Checked
from tests.rules.asking import FACTS, head_of
from waystation.app.faults import ConfigFaults
from waystation.app.importing.findings import Imported
from waystation.app.importing.mercure import read
from waystation.app.settings import Settings
from waystation.app.settings_destination import DicomDestination
from waystation.app.settings_ways import StowDestination
from waystation.app.wiring_rules import rules as compiled_rules
from waystation.model.plan import Plan
from waystation.rules.plan import plan

DEFAULT = """{
    "appliance_name": "master", "port": 11112, "accept_compressed_images": false,
    "incoming_folder": "/opt/mercure/data/incoming", "studies_folder": "/data/studies",
    "outgoing_folder": "/data/outgoing", "success_folder": "/data/success",
    "error_folder": "/data/error", "discard_folder": "/data/discard",
    "processing_folder": "/data/processing", "bookkeeper": "0.0.0.0:8080",
    "bookkeeper_api_key": "secret-word", "graphite_ip": "", "graphite_port": 2003,
    "influxdb_host": "", "influxdb_org": "", "influxdb_token": "", "influxdb_bucket": "",
    "router_scan_interval": 1, "series_complete_trigger": 60, "study_complete_trigger": 900,
    "study_forcecomplete_trigger": 5400, "dispatcher_scan_interval": 1, "retry_delay": 900,
    "retry_max": 5, "cleaner_scan_interval": 60, "retention": 259200,
    "offpeak_start": "22:00", "offpeak_end": "06:00", "emergency_clean_percentage": 90,
    "targets": { }, "rules": { }, "modules": { }
}
"""
TARGETS = {
    "pacs": {"ip": "10.0.0.1", "port": "104", "aet_target": "PACS", "aet_source": "MERC"},
    "reader": {
        "target_type": "dicom",
        "ip": "10.0.0.2",
        "port": 104,
        "aet_target": "READ",
        "pass_sender_aet": True,
        "pass_receiver_aet": True,
        "comment": "night reader",
    },
    "safe": {
        "target_type": "dicomtls",
        "ip": "h",
        "port": "2762",
        "aet_target": "SAFE",
        "tls_key": "key.pem",
        "tls_cert": "cert.pem",
        "ca_cert": "ca.pem",
    },
    "web": {
        "target_type": "dicomweb",
        "url": "https://w.example/",
        "stow_url_prefix": "stow",
        "http_user": "alice",
        "http_password": "secret-word",
    },
    "share": {"target_type": "folder", "folder": "/tmp", "exclusion_filter": "*.png"},
    "up": {
        "target_type": "sftp",
        "host": "s.example",
        "user": "u",
        "folder": "/in",
        "password": "secret-word",
    },
    "bucket": {
        "target_type": "s3",
        "bucket": "b-1",
        "prefix": "p",
        "region": "eu-west-1",
        "access_key_id": "secret-word",
        "secret_access_key": "secret-word",
    },
    "sync": {"target_type": "rsync", "host": "h", "user": "u", "folder": "f"},
    "ask": {
        "target_type": "dicom",
        "ip": "h",
        "port": "1",
        "aet_target": "Q",
        "direction": "pull",
    },
}
CT = {"rule": "tags.Modality == 'CT'", "target": "pacs"}


def config(tmp_path: Path, **more: Any) -> Path:
    base = json.loads(DEFAULT) | {"targets": TARGETS} | more
    path = tmp_path / "mercure.json"
    path.write_text(json.dumps(base, indent=2))
    return path


def lines(imported: Imported, verdict: str) -> str:
    return "\n".join(str(note) for note in imported.notes if note.verdict == verdict)


def planned(settings: Settings, **head: str) -> Plan:
    ruleset = compiled_rules(settings).ruleset
    return plan(head_of(head), FACTS, ruleset, sop_class_uid="1.2.840.10008.5.1.4.1.1.2")


def ways(made: Plan) -> dict[str, str]:
    """Return destination → rule of everything that a gather will send."""
    return {target.destination: one.rule for one in made.joins for target in one.targets}


@pytest.mark.req("R-83", "RT-16")
def test_the_default_file_passes(tmp_path: Path, checked: Checked) -> None:
    path = tmp_path / "mercure.json"
    path.write_text(DEFAULT)
    imported = read(path)
    settings = checked(imported).settings
    assert (settings.node.name, settings.dicom.port) == ("master", 11112)
    assert settings.completeness.quiet.model_dump() == {"series": 60.0, "study": 900.0}
    assert settings.completeness.force_after == 5400.0
    assert settings.spool.keep == 259_200.0
    assert settings.routing.otherwise == "discard"
    assert "thrown away" in lines(imported, "warning")
    assert "secret-word" not in imported.toml + lines(imported, "dropped")


@pytest.mark.req("R-83", "RT-16")
def test_targets_become_destinations_or_are_listed(tmp_path: Path, checked: Checked) -> None:
    imported = read(config(tmp_path))
    found = checked(imported).settings.destination
    assert set(found) == {"archive", "pacs", "reader", "safe", "web", "share"}
    pacs, reader, web = found["pacs"], found["reader"], found["web"]
    assert isinstance(pacs, DicomDestination)
    assert isinstance(reader, DicomDestination)
    assert isinstance(web, StowDestination)
    assert (pacs.host, pacs.port, pacs.calling_ae) == ("10.0.0.1", 104, "fixed:MERC")
    assert reader.calling_ae == "passthrough"
    assert web.url == "https://w.example/stow"
    assert found["safe"].window == "never"
    said = imported.toml + "".join(map(str, imported.notes))
    assert "secret-word" not in said
    for proposed in ("# [destination.up]", '# bucket = "b-1"'):
        assert proposed in imported.toml
    for listed in ("target sync: rsync", "ask: for queries only", "share.exclusion_filter"):
        assert listed in lines(imported, "dropped")
    assert "reader: always called by aet_target" in lines(imported, "changed")


@pytest.mark.req("R-83", "RT-16")
def test_rules_take_whole_series_or_studies_with_their_priority(
    tmp_path: Path, checked: Checked
) -> None:
    rules = {
        "ct": CT | {"priority": "urgent", "action_trigger": "study"},
        "chest": {"rule": "'Chest' in @StudyDescription@", "target": ["pacs", "reader"]},
        "off": {"rule": "True", "target": "pacs", "disabled": "True"},
    }
    imported = read(config(tmp_path, rules=rules))
    settings = checked(imported).settings
    ct, chest = settings.rule
    assert (ct.trigger, ct.take, ct.priority) == ("study", "whole", "stat")
    assert (chest.trigger, chest.take) == ("series", "whole")
    made = planned(settings, Modality="CT", StudyDescription="Chest")
    assert [(one.rule, one.level, one.whole) for one in made.joins] == [
        *(("ct", "study", True), ("chest", "series", True)),
    ]
    assert planned(settings, Modality="MR").discard
    assert "rule off: was disabled" in lines(imported, "dropped")


@pytest.mark.req("RT-16")
def test_the_fallback_takes_only_what_the_others_leave(tmp_path: Path, checked: Checked) -> None:
    rules = {
        "rest": {"rule": "False", "target": "reader", "fallback": True},
        "ct": CT,
        "mr": {"rule": "tags.Modality == 'MR'", "target": "pacs"},
    }
    settings = checked(read(config(tmp_path, rules=rules))).settings
    assert [rule.name for rule in settings.rule] == ["ct", "mr", "rest"]
    assert ways(planned(settings, Modality="CT")) == {"pacs": "ct"}
    assert ways(planned(settings, Modality="US")) == {"reader": "rest"}


@pytest.mark.req("RT-16")
def test_discarding_beats_every_other_rule(tmp_path: Path, checked: Checked) -> None:
    rules = {"ct": CT, "away": {"rule": "'scout' in tags.SeriesDescription", "action": "discard"}}
    settings = checked(read(config(tmp_path, rules=rules))).settings
    assert [rule.name for rule in settings.rule] == ["away", "ct"]
    made = planned(settings, Modality="CT", SeriesDescription="scout 1")
    assert (made.discard, made.joins) == ("away", ())
    assert ways(planned(settings, Modality="CT", SeriesDescription="x")) == {"pacs": "ct"}


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    "rule",
    [
        CT | {"rule": "tags.Modality[0] == 'C'"},
        CT | {"action": "both", "processing_module": "leg-length"},
        CT | {"action_trigger": "study", "study_trigger_condition": "received_series"},
    ],
)
def test_what_cannot_be_said_is_disabled_and_nothing_is_thrown_away_for_it(
    rule: dict[str, Any], tmp_path: Path, checked: Checked
) -> None:
    rest = {"rule": "False", "target": "reader", "fallback": True}
    imported = read(config(tmp_path, rules={"x": rule, "rest": rest}))
    settings = checked(imported).settings
    assert not settings.rule[0].enabled
    made = planned(settings, Modality="CT")
    assert not made.discard
    assert settings.routing.otherwise == "hold"
    assert "rule x is disabled" in lines(imported, "changed")
    if "[0]" in str(rule["rule"]):
        assert not settings.rule[1].enabled, "the fallback would take what x took"
        assert made.hold is not None


@pytest.mark.req("RT-16")
def test_a_fallback_that_is_too_long_to_say_is_disabled(tmp_path: Path, checked: Checked) -> None:
    rules: dict[str, Any] = {
        f"r{number}": CT | {"rule": f"'{'x' * 60}{number}' in tags.StudyDescription"}
        for number in range(50)
    }
    rules["rest"] = {"rule": "False", "target": "reader", "fallback": True}
    settings = checked(read(config(tmp_path, rules=rules))).settings
    assert [rule.name for rule in settings.rule if not rule.enabled] == ["rest"]
    assert settings.routing.otherwise == "hold"


@pytest.mark.req("RT-16")
def test_a_rule_whose_target_is_not_to_be_had_holds(tmp_path: Path, checked: Checked) -> None:
    rules = {"up": CT | {"target": "up"}, "both": CT | {"target": ["sync", "pacs"]}}
    imported = read(config(tmp_path, rules=rules))
    settings = checked(imported).settings
    assert (settings.rule[0].then, settings.routing.otherwise) == ("hold", "hold")
    made = planned(settings, Modality="CT")
    assert made.hold is not None
    assert ways(made) == {"pacs": "both"}
    assert "rule both, without sync" in lines(imported, "changed")


@pytest.mark.req("RT-16")
def test_off_peak_rules_get_a_way_of_their_own_with_a_window(
    tmp_path: Path, checked: Checked
) -> None:
    night = {"rule": "True", "priority": "offpeak", "target": ["pacs", "reader"]}
    zoned = config(tmp_path, rules={"ct": CT, "night": night}, local_time="Europe/Lisbon")
    settings = checked(read(zoned)).settings
    windows = {name: table.window for name, table in settings.destination.items()}
    assert {name: windows[name] for name in ("pacs", "pacs-off-peak", "reader")} == {
        "pacs": "always",
        "pacs-off-peak": "off-peak",
        "reader": "off-peak",
    }
    assert [way.to for way in settings.rule[1].send] == ["pacs-off-peak", "reader"]
    assert settings.rule[1].priority == "low"
    assert settings.schedule["off-peak"].open == "22:00-06:00"
    assert settings.schedule["off-peak"].zone == "Europe/Lisbon"


@pytest.mark.req("RT-16")
def test_hours_that_cannot_be_read_are_never(tmp_path: Path, checked: Checked) -> None:
    rule = {"rule": "True", "priority": "offpeak", "target": "pacs"}
    path = config(tmp_path, rules={"night": rule}, offpeak_end="6 am")
    assert checked(read(path)).settings.schedule["off-peak"].open == "never"


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"port": "many"}, "port: expected a number"),
        ({"targets": []}, "targets: expected a table in braces"),
        ({"rules": {"x": 1}}, "rules.x: expected a table in braces"),
        ({"rules": {"x": {"rule": ["a"]}}}, "rules.x.rule: expected a text"),
        ({"rules": {"x": CT | {"target": [1]}}}, "rules.x.target: expected the name"),
        ({"rules": {"x": CT | {"action": "shout"}}}, "rules.x.action: expected route"),
        ({"targets": {"p": {"ip": "h", "port": 1, "aet_target": ""}}}, "targets.p.aet_target: an"),
        ({"study_complete_trigger": -10}, "study_complete_trigger: expected a number of seconds"),
    ],
)
def test_a_wrong_value_is_a_fault_with_its_line(
    more: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    path = config(tmp_path, **more)
    with pytest.raises(ConfigFaults) as caught:
        read(path)
    found = str(caught.value)
    assert fault in found
    assert found.startswith(f"{path}:")
