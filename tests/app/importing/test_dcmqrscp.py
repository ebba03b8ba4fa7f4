"""dcmqrscp's configuration in our words (T-36)."""

from pathlib import Path

import pytest

from tests.app.importing.conftest import Checked
from waystation.app.faults import ConfigFaults
from waystation.app.importing.dcmqrscp import folders, read
from waystation.app.importing.findings import Imported

WHOLE = """
NetworkTCPPort  = 11112   # comment
MaxPDUSize      = 16384
MaxAssociations = 8
SpecificCharacterSet = "ISO_IR 192", override, discard, transliterate
UserName = dcmtk
Odd = 1
HostTable BEGIN
acme1 = (ACME1, 10.0.0.5, 5678)
acme2 = (ACME2, acmehost2, 5678)
acme = acme1, acme2
HostTable END
VendorTable BEGIN
"Acme CT" = acme
VendorTable END
AETable BEGIN
COMMON store/common RW (200, 1024mb) ANY
READ   store/common R  (200, 1024mb) acme
OTHER  store/other  W  (9, 1mb) (XX, 10.0.0.9, 104)
AETable END
"""


def imported(folder: Path, text: str = WHOLE) -> Imported:
    path = folder / "dcmqrscp.cfg"
    path.write_text(text)
    return read(path)


def lines(found: Imported, verdict: str) -> str:
    return "\n".join(str(note) for note in found.notes if note.verdict == verdict)


@pytest.mark.req("T-36")
def test_titles_ports_and_peers_stay_what_they_were(tmp_path: Path, checked: Checked) -> None:
    settings = checked(imported(tmp_path)).settings
    dicom = settings.dicom
    assert (dicom.ae_title, dicom.port, dicom.max_associations) == ("COMMON", 11112, 8)
    assert dicom.peers == "any"
    assert {peer.ae_title for peer in settings.peer.values()} == {"ACME1", "ACME2", "XX"}
    acme1 = settings.peer["acme1"]
    assert acme1.address == ("10.0.0.5/32",)
    assert acme1.store_at is not None
    assert (acme1.store_at.host, acme1.store_at.port, acme1.group) == ("10.0.0.5", 5678, "Acme CT")
    areas = {area.ae_title: area for area in settings.archive.area.values()}
    assert areas["READ"].rights == ("find", "get", "move")
    assert areas["READ"].peers == ("acme1", "acme2")
    assert areas["OTHER"].rights == ("store",)
    assert settings.archive.answer_charset == "ISO_IR 192"
    assert settings.archive.transliterate


@pytest.mark.req("T-36", "T-30")
def test_what_cannot_be_expressed_is_listed_line_by_line(tmp_path: Path, checked: Checked) -> None:
    found = imported(tmp_path)
    assert not found.equal
    dropped, changed = lines(found, "dropped"), lines(found, "changed")
    assert "dcmqrscp.cfg:6  UserName" in dropped
    assert "dcmqrscp.cfg:7  Odd is not known" in dropped
    assert "quota (9, 1mb) of OTHER: nothing is erased" in changed
    assert "OTHER had a folder of its own" in changed
    assert "acme2 → peer.acme2: may call from any address" in changed
    assert "MaxPDUSize 16384" in changed
    assert "open to anybody" in lines(found, "warning")
    assert checked(found).settings.archive.retention == {}


@pytest.mark.req("T-36")
def test_debians_own_file_has_no_area_to_serve() -> None:
    path = Path("/etc/dcmtk/dcmqrscp.cfg")
    if not path.exists():
        pytest.skip("DCMTK is not installed")
    with pytest.raises(ConfigFaults, match="no row in its AETable"):
        read(path)


@pytest.mark.req("T-36")
@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("R  (200, 1024mb) acme", "R 200 acme", "expected AETITLE FOLDER"),
        ("acme = acme1, acme2", "acme = acme9", '"acme9" is not defined above'),
        ("(200, 1024mb) acme", "(200, 1024mb) nobody", '"nobody" is not in the HostTable'),
        ("= 11112", "= high", "expected a number"),
        ("READ ", "COMMON ", "stands there twice"),
        ("Odd = 1", "Odd", "expected KEY = VALUE"),
    ],
)
def test_a_fault_has_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ConfigFaults, match=problem):
        imported(tmp_path, WHOLE.replace(old, new))


def test_storage_areas_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    imported(tmp_path)
    assert folders(tmp_path / "dcmqrscp.cfg") == [
        tmp_path / "store/common",
        tmp_path / "store/other",
    ]


@pytest.mark.req("T-36")
def test_who_may_now_call_the_first_title_and_could_not_before_is_told(tmp_path: Path) -> None:
    closed = WHOLE.replace("(200, 1024mb) ANY", "(200, 1024mb) acme1", 1)
    said = [str(note) for note in imported(tmp_path, closed).notes]
    (told,) = [text for text in said if "COMMON was closed to" in text]
    assert "acme2" in told
    assert "acme1," not in told
