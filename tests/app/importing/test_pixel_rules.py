"""Pixel rules of CTP and of deid as device rules that a person must confirm (D-33)."""

import tomllib
from pathlib import Path

import pytest

from waystation.app.faults import ConfigFaults
from waystation.app.importing import ctp_pixels, deid_recipe
from waystation.app.importing.findings import Imported
from waystation.transforms.deid.device_rules import read_devices

SCRIPT = """Ultrasound of two makers
{ Modality.equals("US") * (Manufacturer.containsIgnoreCase("acme") + [0008,0070].startsWith("Foo"))
  * Rows.equals("480") }
(0, 0, 640, 30) (10,440,20,20)
{ Modality.equals("CT") * !Rows.equals("512") } (0,0,9,9)
{ Modality.matches("C.*") } (0,0,9,9)
{ SeqOfUltrasoundRegions::RegionLocationMinY0.equals("1") } (0,0,9,9)
{ Rows.isGreaterThan("512") * Modality.equals("CT") } (0,0,9,9)
{ Nonsense.equals("x") } (0,0,9,9)
{ true. } (0,0,9,9)
{ Modality.equals("MR") }
{ Modality.equals("CR") } (0,0,9)
{ ImageType.contains("SAVE") * Manufacturer.contains("GE") * Manufacturer.contains("GE MED") }
  (1,2,3,4)
{ Modality.equals("NM" } (0,0,9,9)
"""
RECIPE = """FORMAT dicom
%filter whitelist
LABEL Sensation # (somebody)
  contains ManufacturerModelName Sensation 64
  + contains Modality CT
%filter graylist
LABEL Dose
  contains Modality CT
  + contains ImageType SCREEN SAVE || contains SeriesDescription Dose
  coordinates 10,20,512,121
LABEL Echo
  equals Rows 600|768
  + contains ManufacturerModelName E7|E9
  ctpcoordinates 0,0,800,59
LABEL Nobody
  missing Manufacturer || empty Manufacturer
  ctpcoordinates 0,0,8,5
LABEL Two ways
  equals Modality MG
  equals Modality CR
  ctpkeepcoordinates 0,0,8,5
LABEL Regions
  present SequenceOfUltrasoundRegions
  keepcoordinates from:SequenceOfUltrasoundRegions
LABEL Marks only
  contains Modality CT
LABEL Regular
  contains ManufacturerModelName AS+
  ctpcoordinates 0,0,8,5
LABEL Not
  notcontains Modality CT
  ctpcoordinates 0,0,8,5
LABEL All
  coordinates all
%header
REMOVE PatientID
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "rules.txt"
    path.write_text(text, encoding="utf-8")
    return path


def dropped(imported: Imported) -> list[str]:
    return [str(note) for note in imported.notes if note.verdict == "dropped"]


@pytest.mark.req("D-33")
def test_sections_of_a_ctp_script_become_rules(tmp_path: Path) -> None:
    imported = ctp_pixels.read(written(tmp_path, SCRIPT))
    table = tomllib.loads(imported.toml)
    assert not any(rule.confirmed for rule in read_devices(table))
    first, second, third = table["device"]
    assert first["modality"] == "US"
    assert (first["manufacturer"], second["manufacturer"]) == ("*acme*", "Foo*")
    assert first["rows"] == 480
    assert first["rectangles"] == [[0, 0, 640, 30], [10, 440, 20, 20]]
    assert third["manufacturer"] == "*GE MED*"
    assert third["other"] == {"ImageType": "*SAVE*"}
    lost = "\n".join(dropped(imported))
    for line, why in (
        *((5, "negation"), (6, "matches"), (7, "Regions"), (8, "isGreaterThan"), (9, "Nonsense")),
        *((10, "every object"), (11, "blacks nothing"), (12, "no region"), (15, "begins with")),
    ):
        assert any(f"rules.txt:{line} " in one and why in one for one in dropped(imported)), lost
    assert len(dropped(imported)) == 9
    assert not imported.equal


@pytest.mark.req("D-33")
def test_labels_of_a_recipe_become_rules(tmp_path: Path) -> None:
    imported = deid_recipe.read(written(tmp_path, RECIPE))
    table = tomllib.loads(imported.toml)
    assert not any(rule.confirmed for rule in read_devices(table))
    by_name: dict[str, list[dict[str, object]]] = {}
    for rule in table["device"]:
        by_name.setdefault(rule["name"], []).append(rule)
    (clean,) = by_name["Sensation"]
    assert (clean["clean"], clean["model"], clean["modality"]) == (True, "*Sensation 64*", "*CT*")
    one, other = by_name["Dose"]
    assert one["other"] == {"ImageType": "*SCREEN SAVE*"}
    assert other["other"] == {"SeriesDescription": "*Dose*"}
    assert one["rectangles"] == other["rectangles"] == [[10, 20, 502, 101]]
    (echo,) = by_name["Echo"]
    assert (echo["rows"], echo["model"]) == ([600, 768], ["*E7*", "*E9*"])
    assert [rule["manufacturer"] for rule in by_name["Nobody"]] == ["", ""]
    assert [rule["modality"] for rule in by_name["Two ways"]] == ["MG", "CR"]
    assert by_name["Two ways"][0]["keep"] == [[0, 0, 8, 5]]
    assert by_name["Regions"][0]["keep"] == "us-regions"
    lost = dropped(imported)
    assert len(lost) == 5
    for word in ("Marks only", "Regular", "Not", "All", "%header"):
        assert any(word in one for one in lost), word


@pytest.mark.req("D-33")
def test_what_is_neither_is_said_so(tmp_path: Path) -> None:
    for reader in (ctp_pixels.read, deid_recipe.read):
        with pytest.raises(ConfigFaults, match=r"holds no signature|is no recipe"):
            reader(written(tmp_path, "nothing of the kind"))
        with pytest.raises(ConfigFaults, match="cannot be read"):
            reader(tmp_path / "absent")


@pytest.mark.parametrize(
    "text",
    [
        "{" * 300,
        "{" + "(" * 300 + "}",
        "{ " + " * ".join(['(Modality.equals("A") + Rows.equals("1"))'] * 30) + " } (0,0,1,1)",
        "{ } (0,0,1,1)",
        "} ( { )",
        "%filter\nLABEL\n+\n||\ncoordinates",
        "%filter x\n+ contains\nLABEL a\n|| + ||\n+ \ncontains Modality",
    ],
)
def test_nonsense_is_dropped_or_refused(text: str, tmp_path: Path) -> None:
    for reader in (ctp_pixels.read, deid_recipe.read):
        try:
            imported = reader(written(tmp_path, text))
        except ConfigFaults:
            continue
        assert not read_devices(tomllib.loads(imported.toml))
