"""dcmrs-broker's properties and environment in our words (W-6, W-8)."""

from pathlib import Path

import pytest

from tests.app.importing.conftest import Checked
from waystation.app.faults import ConfigFaults
from waystation.app.importing import dcmrs_broker
from waystation.app.importing.dcmrs_broker import PROPERTIES, VARIABLES, read
from waystation.app.importing.findings import Imported, Report
from waystation.app.importing.hocon import read_hocon
from waystation.app.read import load

WHOLE = """
# required
qido.remote_ae = CFIND-SCP      # a comment
qido {
    remote_host = "pacs.example.org", remote_port = 104
    local_ae : BROKER // another
    url_base = /q
}
wado.remote_ae=CMOVE-SCP
wado { remote_host = 10.0.0.9
       local_ae = MOVER }
wado.remote_port = 105
wado.url_base = /w/
wado.http_retry_after = 30
wado.retry_delay_in_secs = 300
wado.max_retry_attempts = 4
wado.retrieve_timeout_in_secs = 90
wado.ignore_missing_objects = true
scp.local_ae = STORE
scp.local_port = 11113
scp.cache_dir_path = cache
scp.cache_max_age_in_min = 15
"""
NEEDED = {
    "QIDO_REMOTE_AE": "P",
    "QIDO_REMOTE_HOST": "pacs.example.org",
    "QIDO_LOCAL_AE": "B",
    "WADO_REMOTE_AE": "P",
    "WADO_REMOTE_HOST": "pacs.example.org",
    "WADO_LOCAL_AE": "B",
    "SCP_LOCAL_AE": "S",
}


def imported(folder: Path, text: str = WHOLE) -> Imported:
    path = folder / "dcmrsbroker.properties"
    path.write_text(text)
    return read(path)


def lines(found: Imported, verdict: str) -> str:
    return "\n".join(str(note) for note in found.notes if note.verdict == verdict)


def test_there_are_nineteen_properties() -> None:
    assert len(PROPERTIES) == len(VARIABLES) == 19


@pytest.mark.req("W-6")
def test_every_property_has_its_place(tmp_path: Path, checked: Checked) -> None:
    found = imported(tmp_path)
    settings = checked(found).settings
    pacs = settings.pacs["main"]
    assert (pacs.find.ae_title, pacs.find.host) == ("CFIND-SCP", "pacs.example.org")
    assert (pacs.find.port, pacs.find.calling_ae) == (104, "BROKER")
    assert (pacs.move.ae_title, pacs.move.host) == ("CMOVE-SCP", "10.0.0.9")
    assert (pacs.move.port, pacs.move.calling_ae) == (105, "MOVER")
    assert (pacs.move_destination, pacs.senders) == ("STORE", "any")
    assert (pacs.retry.attempts, pacs.retry.ceiling, pacs.timeouts.quiet) == (4, 300.0, 90.0)
    web = settings.web
    assert (web.host, web.port, web.anonymous) == ("0.0.0.0", 4567, "read")
    assert web.aliases == ("/q", "/w")
    assert (web.retry_after_max, web.partial) == (30.0, "serve")
    dicom = settings.dicom
    assert (dicom.ae_title, dicom.host, dicom.port) == ("STORE", "0.0.0.0", 11113)
    assert settings.cache.path == tmp_path / "cache"
    assert settings.node.data == tmp_path / "cache" / "waystation"
    assert settings.cache.max_age == 900.0
    assert "open to everybody" in lines(found, "warning")
    assert found.after.startswith("next: waystation doctor main")
    assert not found.equal


@pytest.mark.req("W-6")
def test_defaults_there_stay_what_they_were_and_strangers_are_listed(
    tmp_path: Path, checked: Checked
) -> None:
    text = "\n".join(f"{VARIABLES[name]} = {value}" for name, value in NEEDED.items())
    text += "\nscp.cache_dir_path = c\nwado.max_retry_attempts = 0\nodd = 1\nqido.odd = 2\n"
    text += "dcmrsbroker.home = /opt\nlogback.configurationFile = x.xml\n"
    found = imported(tmp_path, text)
    settings = checked(found).settings
    pacs = settings.pacs["main"]
    assert (pacs.find.port, pacs.move.port) == (11112, 11112)
    assert (pacs.retry.attempts, pacs.retry.ceiling, pacs.timeouts.quiet) == (1, 600.0, 120.0)
    assert settings.web.aliases == ("/qido-rs", "/wado-rs")
    assert settings.web.partial == "refuse"
    assert "0 failed at once" in lines(found, "changed")
    dropped = lines(found, "dropped")
    assert all(word in dropped for word in ("odd is not", "qido.odd", "JVM"))
    assert dropped.count("JVM") == 2


@pytest.mark.req("W-6")
def test_all_faults_come_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """qido.remote_ae = A title that is too long
qido.remote_port = 0
wado.retry_delay_in_secs = soon
scp.local_port = 99999
qido.url_base = /
"""
    with pytest.raises(ConfigFaults) as caught:
        imported(tmp_path, text)
    said = str(caught.value)
    for line, key in ((1, "qido.remote_ae"), (2, "qido.remote_port"), (4, "scp.local_port")):
        assert f"dcmrsbroker.properties:{line} {key}: " in said
    assert "wado.retry_delay_in_secs: expected a number" in said
    assert "qido.url_base" in said
    assert "wado.remote_host: is missing (or WADO_REMOTE_HOST in the environment)" in said


@pytest.mark.req("W-6")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b = c", {"a.b": "c"}),
        ("a { b { c = d } }", {"a.b.c": "d"}),
        ("a {\n b : c\n }\n", {"a.b": "c"}),
        ("{ a = 1, b = 2 }", {"a": "1", "b": "2"}),
        ('a = "x # y"  # z', {"a": "x # y"}),
        ("a = x y  z // c", {"a": "x y  z"}),
        ("a = 1\na = ${?NONE}", {"a": "1"}),
        ("a = ${?SET}\na.b = ${SET}", {"a": "s", "a.b": "s"}),
        ("a = 1\nb = ${a}2", {"a": "1", "b": "12"}),
        ("a=\nb=2", {"b": "2"}),
        ('"a.b" = 1', {"a.b": "1"}),
    ],
)
def test_forms_of_hocon(text: str, values: dict[str, str]) -> None:
    report = Report()
    found = read_hocon(text, "f", {"SET": "s"}, report)
    assert {name: value.text for name, value in found.items()} == values
    assert not report.faults


@pytest.mark.parametrize(
    "text", ["a { b = 1", "}", "a = ${NONE}", "a = [1]", "= 2", 'include "x"', "a", "a = {" * 40]
)
def test_what_is_not_understood_is_a_fault_of_its_line(text: str) -> None:
    report = Report()
    read_hocon("\n" + text, "f", {}, report)
    assert report.faults
    assert all(fault.where.startswith("f:") for fault in report.faults)


@pytest.mark.req("W-8")
def test_the_environment_of_its_container_is_enough() -> None:
    loaded = load(None, NEEDED)
    settings = loaded.settings
    assert (settings.web.host, settings.web.port, settings.web.anonymous) == (
        *("0.0.0.0", 4567, "read"),
    )
    assert (settings.dicom.host, settings.dicom.port) == ("0.0.0.0", 11112)
    assert settings.dicom.ae_title == "S"
    assert settings.cache.path is None, "our own default"
    assert settings.pacs["main"].find.host == "pacs.example.org"
    assert any("without a login" in warning.problem for warning in loaded.warnings)
    everything = {dcmrs_broker.variable(name): "7" for name in PROPERTIES} | NEEDED
    assert load(None, everything).settings.pacs["main"].find.port == 7
    # The README's own example spells one of them with a zero.
    misspelt = {("WAD0_REMOTE_AE" if k == "WADO_REMOTE_AE" else k): v for k, v in NEEDED.items()}
    assert load(None, misspelt).settings.pacs["main"].move.ae_title == "P"


@pytest.mark.req("W-8")
def test_what_lacks_in_the_environment_is_named_and_nothing_of_it_means_no_broker() -> None:
    with pytest.raises(ConfigFaults, match="WADO_REMOTE_HOST"):
        load(None, {name: text for name, text in NEEDED.items() if name != "WADO_REMOTE_HOST"})
    assert not load(None, {"QIDO_URL_BASE": "/x"}).settings.pacs
    assert not load(None, {}).settings.pacs


@pytest.mark.req("W-8")
def test_with_a_file_the_environment_is_ignored_and_check_says_so(tmp_path: Path) -> None:
    path = tmp_path / "waystation.toml"
    path.write_text("[node]\n")
    loaded = load(path, NEEDED)
    assert not loaded.settings.pacs
    (told,) = [warning for warning in loaded.warnings if warning.where == "environment"]
    assert "QIDO_REMOTE_AE" in told.problem
    assert "ignored" in told.problem
