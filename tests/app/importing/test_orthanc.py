"""Orthanc's configuration in our words (R-83, RT-16)."""

from pathlib import Path

import pytest

from tests.app.importing.conftest import Checked
from waystation.app.faults import ConfigFaults
from waystation.app.importing.findings import Imported
from waystation.app.importing.orthanc import read
from waystation.app.importing.orthanc_lua import Routing, understood
from waystation.app.settings_destination import DicomDestination
from waystation.app.settings_ways import StowDestination

DEBIAN = Path("/etc/orthanc/orthanc.json")
PARTS = """{
  // who we are
  "Name" : "Night archive", "DicomAet" : "${TITLE:-NIGHT}", "DicomPort" : 4242,
  "DicomCheckCalledAet" : true, "DicomAlwaysAllowStore" : false, "StableAge" : 90,
  "StrictAetComparison" : true, "MaximumPduLength" : 32768, "DicomScuTimeout" : 7,
  "DicomCheckModalityHost" : true,
  "DicomModalities" : {
    "ct" : [ "CT1", "10.0.0.5", 104 ],
    "pacs" : [ "PACS", "pacs.local", 11112, "GE" ],
    "reader" : { "AET" : "READER", "Host" : "10.0.0.9", "Port" : 4242, "AllowStore" : false,
      "LocalAet" : "HELLO", "Timeout" : 60, "AllowFind" : false, "AllowTranscoding" : false },
    "safe one" : { "AET" : "SAFE", "Host" : "10.0.0.7", "Port" : 2762, "UseDicomTls" : true },
  },
  "DicomWeb" : { "Servers" : {
    "cloud" : [ "https://cloud.example/dicom-web/", "alice", "secret-word" ],
    "pacs" : { "Url" : "http://pacs.local/dw", "HttpHeaders" : { "Token" : "secret-word" },
      "CertificateFile" : "client.crt", "CertificateKeyFile" : "client.key" },
  } },
  "OrthancPeers" : { "other" : [ "http://10.0.0.8:8042/" ] },
  "DicomTlsCertificate" : "orthanc.crt", "DicomTlsPrivateKey" : "orthanc.key",
  "DicomTlsTrustedCertificates" : "trusted.crt",
  "RegisteredUsers" : { "alice" : "secret-word" },
  "LuaScripts" : [ "route.lua", "clever.lua", "missing.lua" ]
}
"""
ROUTE = """function OnStoredInstance(instanceId, tags, metadata)
  -- everything
  Delete(SendToModality(instanceId, 'ct'))
end
"""


def lines(imported: Imported, verdict: str) -> str:
    return "\n".join(str(note) for note in imported.notes if note.verdict == verdict)


def written(folder: Path, text: str, name: str = "orthanc.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.req("R-83", "RT-16")
@pytest.mark.skipif(not DEBIAN.exists(), reason="no Orthanc on this machine")
def test_debians_own_file_passes(checked: Checked) -> None:
    imported = read(DEBIAN)
    settings = checked(imported).settings
    assert (settings.dicom.ae_title, settings.dicom.port) == ("ORTHANC", 4242)
    assert settings.dicom.called_ae == "any"
    assert "anyone" in settings.peer
    assert settings.completeness.quiet.study == 60
    assert set(settings.destination) == {"archive"}
    assert "DicomAlwaysAllowStore" in lines(imported, "warning")
    assert f"{DEBIAN}:37  MaximumStorageSize" in lines(imported, "dropped")


@pytest.mark.req("R-83", "RT-16")
def test_an_empty_file_is_orthanc_with_its_defaults(tmp_path: Path, checked: Checked) -> None:
    settings = checked(read(written(tmp_path, "{ }"))).settings
    assert (settings.dicom.ae_title, settings.dicom.port) == ("ORTHANC", 4242)
    assert settings.peer["anyone"].ae_title == "*"


@pytest.mark.req("R-83", "RT-16")
def test_lists_tables_tls_and_time_outs_are_translated(tmp_path: Path, checked: Checked) -> None:
    imported = read(written(tmp_path, PARTS))
    settings = checked(imported).settings
    assert (settings.node.name, settings.dicom.ae_title) == ("Night archive", "NIGHT")
    assert settings.dicom.called_ae == "own"
    assert settings.dicom.max_pdu == 32768
    ct, reader = settings.destination["ct"], settings.destination["reader"]
    assert isinstance(ct, DicomDestination)
    assert isinstance(reader, DicomDestination)
    assert (ct.ae_title, ct.host, ct.port, ct.calling_ae) == ("CT1", "10.0.0.5", 104, "own")
    assert (ct.timeouts.response, reader.timeouts.response) == (7.0, 60.0)
    assert (reader.calling_ae, reader.transcode) == ("fixed:HELLO", "never")
    assert settings.completeness.quiet.series == 90.0
    assert "Manufacturer: no counterpart" in lines(imported, "dropped")


@pytest.mark.req("RT-16")
def test_nobody_may_send_who_could_not_before(tmp_path: Path, checked: Checked) -> None:
    imported = read(written(tmp_path, PARTS))
    peers = checked(imported).settings.peer
    assert {name: peer.address for name, peer in peers.items()} == {
        "ct": ("10.0.0.5/32",),
        "safe-one": ("10.0.0.7/32",),
    }
    assert "pacs may not send yet: only an address can be checked" in lines(imported, "changed")


@pytest.mark.req("RT-16")
def test_a_way_with_tls_stays_shut_until_its_files_are_here(
    tmp_path: Path, checked: Checked
) -> None:
    path = written(tmp_path, PARTS)
    ways = checked(read(path)).settings.destination
    assert (ways["safe-one"].window, ways["pacs-2"].window) == ("never", "never")
    for name in ("orthanc.crt", "orthanc.key", "trusted.crt"):
        (tmp_path / name).write_text("")
    text = read(path).toml
    assert f'key = "{tmp_path / "orthanc.key"}"' in text
    safe = text[text.index("[destination.safe-one]") : text.index("[destination.cloud]")]
    assert "\ntls = {" in safe
    assert "never" not in safe


@pytest.mark.req("RT-16")
def test_servers_and_peers_become_stow_and_no_secret_is_copied(
    tmp_path: Path, checked: Checked
) -> None:
    imported = read(written(tmp_path, PARTS))
    ways = checked(imported).settings.destination
    cloud, other = ways["cloud"], ways["other"]
    assert isinstance(cloud, StowDestination)
    assert isinstance(other, StowDestination)
    assert cloud.url == "https://cloud.example/dicom-web"
    assert other.url == "http://10.0.0.8:8042/dicom-web"
    assert "Does the peer have the DICOMweb" in imported.toml
    said = imported.toml + "".join(map(str, imported.notes))
    assert "secret-word" not in said
    assert '# auth = { user = "alice", password = { env = "CLOUD_PASSWORD" } }' in imported.toml


@pytest.mark.req("RT-16")
def test_a_one_line_script_becomes_a_proposed_rule(tmp_path: Path, checked: Checked) -> None:
    (tmp_path / "route.lua").write_text(ROUTE)
    (tmp_path / "clever.lua").write_text(ROUTE.replace("Delete", "os.execute('x') Delete"))
    imported = read(written(tmp_path, PARTS))
    assert checked(imported).settings.rule == ()
    assert '# send = ["ct"]' in imported.toml
    assert "route.lua → a proposed rule" in lines(imported, "changed")
    dropped = lines(imported, "dropped")
    assert "clever.lua: does more than send" in dropped
    assert "missing.lua: cannot" in dropped
    proposed = imported.toml[imported.toml.index("# [[rule]]") :].replace("# ", "", 3)
    rule = Imported(
        imported.toml.replace(imported.toml[imported.toml.index("# [[rule]]") :], proposed), ()
    )
    assert [way.to for way in checked(rule).settings.rule[0].send] == ["ct"]


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        (ROUTE, Routing((("Modality", "ct"),), deletes=True)),
        (ROUTE.replace("Modality", "Peer"), Routing((("Peer", "ct"),), deletes=True)),
        (
            "function OnStoredInstance(id)\nSendToModality(id, \"a\"); SendToPeer(id, 'b')\nend",
            Routing((("Modality", "a"), ("Peer", "b")), deletes=False),
        ),
        (
            "function OnStoredInstance(i, t)\n SendToModality(i, 'a')\n Delete(i)\nend --[[ x ]]",
            Routing((("Modality", "a"),), deletes=True),
        ),
        ("function OnStoredInstance(i) Delete(i) end", None),
        ("function OnStoredInstance(i) if x then Delete(SendToModality(i,'a')) end end", None),
        ("function OnStoredInstance(i) SendToModality(other, 'a') end", None),
        ("function OnStoredInstance(i) SendToModality(i, 'a' .. b) end", None),
        ("function OnStoredInstance(i) Delete(SendToModality(Modify(i), 'a')) end", None),
        ("x = 1 function OnStoredInstance(i) SendToModality(i, 'a') end", None),
        ("", None),
    ],
)
def test_a_script_is_understood_only_if_it_does_nothing_else(
    script: str, found: Routing | None
) -> None:
    assert understood(script) == found


@pytest.mark.req("RT-16")
def test_a_folder_is_read_whole_and_no_option_may_stand_in_two_files(tmp_path: Path) -> None:
    written(tmp_path, '{ "DicomAet" : "A" }', "a.json")
    written(tmp_path, '{ "DicomPort" : 105, "Name" : "n" }', "b.json")
    assert "port = 105" in read(tmp_path).toml
    written(tmp_path, '{\n"DicomAet" : "B" }', "c.json")
    with pytest.raises(ConfigFaults, match=r'c\.json:2: "DicomAet" stands in .*a\.json:1 already'):
        read(tmp_path)


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{ "DicomPort" : "many" }', ":1 DicomPort: expected a number"),
        ('{ "DicomPort" : 0 }', ":1 DicomPort: expected a port from 1 to 65535"),
        ('{\n "DicomAet" : "" }', ":2 DicomAet: an AE title has 1 to 16"),
        (
            '{ "DicomModalities" : {\n "x" : [ "X", "h" ] } }',
            ":2 DicomModalities.x.Port: expected a port from 1 to 65535",
        ),
        (
            '{ "DicomModalities" : {\n "x" : { "AET" : "X", "Port" : 104 } } }',
            ":2 DicomModalities.x.Host: is missing",
        ),
        ('{ "DicomModalities" : [] }', ":1 DicomModalities: expected a table in braces"),
        ('{ "DicomCheckCalledAet" : "maybe" }', ":1 DicomCheckCalledAet: expected true or false"),
        ('{ "StableAge" : 0 }', ":1 StableAge: expected a number of seconds above 0"),
        ('{ "OrthancPeers" : { "p" : [] } }', ":1 OrthancPeers.p.Url: is missing"),
    ],
)
def test_a_wrong_value_is_a_fault_with_its_line(text: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults) as caught:
        read(written(tmp_path, text))
    assert fault in str(caught.value)


def test_a_listener_that_had_tls_stays_on_loopback_without_its_files(
    tmp_path: Path, checked: Checked
) -> None:
    text = '{ "DicomTlsEnabled" : true, "DicomTlsCertificate" : "a", "DicomTlsPrivateKey" : "b" }'
    settings = checked(read(written(tmp_path, text))).settings
    assert (settings.dicom.host, settings.dicom.tls) == ("127.0.0.1", None)
