"""``[worklist.hl7]`` and worklist folders: what they mean, and what is refused with its line."""

from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.step_folders import folder_terms
from waystation.app.wiring_hl7 import admission, feed_terms, hl7_of, port_settings
from waystation.hl7.mapping import mapped
from waystation.hl7.message import parse

AREA = '[worklist.area.ct]\nae_title = ["WL_CT"]\n'


def test_without_a_table_there_is_no_port(read: Load) -> None:
    assert hl7_of(read("").settings) is None
    assert hl7_of(read("[worklist.hl7]\nenabled = false\n").settings) is None
    table = hl7_of(read("[worklist.hl7]\n").settings)
    assert table is not None
    assert (table.host, table.port, table.peers) == ("127.0.0.1", 2575, "any")


@pytest.mark.req("T-61")
def test_limits_are_those_of_the_specification(read: Load) -> None:
    table = hl7_of(read("[worklist.hl7]\n").settings)
    assert table is not None
    limits = port_settings(table)
    assert (limits.largest, limits.connections, limits.frame_s) == (1 << 20, 64, 30.0)
    assert table.max_segments == 1000


@pytest.mark.req("T-61")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('map = { PatientNme = ["PID-5"] }', "did you mean PatientName"),
        ('map = { PatientName = ["PID5"] }', "is no field"),
        ('map = { Modality = ["rooms(OBR-24)"] }', 'there is no table "rooms"'),
        ('sender.ris = { address = ["10.0.0.1"], map = { X = ["PID-1"] } }', "sender.ris.map"),
        ('charset = "BIG-5"', "is no term"),
        ('area = "nowhere"', 'no area is called "nowhere"'),
        ('host = "10.0.0.1"', "nobody could send"),
        ('peers = "known"', "nobody could send"),
        ('table = { rooms = "missing.csv" }', "cannot be read"),
        ("port = 11112", "is the port of the DICOM listener already"),
        ('visit_ended = "delete"', "expected"),
        ("mapp = {}", "mapp"),
    ],
)
def test_what_means_nothing_is_refused(faults: Complain, text: str, expected: str) -> None:
    assert expected in "\n".join(faults(f"[worklist.hl7]\n{text}\n"))


@pytest.mark.req("T-61")
def test_senders_have_names_charsets_and_authorities_of_their_own(read: Load) -> None:
    settings = read(
        '[worklist.hl7]\nhost = "10.0.0.9"\ncharset = "8859/2"\nauthority = "HOSP"\n'
        '[worklist.hl7.sender.ris]\naddress = ["10.1.0.0/16"]\ncharset = "UNICODE UTF-8"\n'
        '[worklist.hl7.sender.lab]\naddress = ["10.1.2.3"]\nauthority = ""\n'
        '[peer.ct1]\nae_title = "CT1"\naddress = ["10.2.0.1"]\n'
    ).settings
    admit = admission(settings)
    assert admit("10.1.2.3") == "lab"
    assert admit("10.1.2.4") == "ris"
    assert admit("::ffff:10.1.2.4") == "ris"
    assert admit("10.2.0.1") == ""
    assert admit("10.9.9.9") is None
    terms = feed_terms(settings)
    assert terms.sender("ris").charset == "ISO_IR 192"
    assert terms.sender("lab").charset == "ISO_IR 101"
    assert terms.sender("lab").field_map.authority == ""
    assert terms.sender("ris").field_map.authority == "HOSP"


@pytest.mark.req("T-61")
def test_tables_are_csv_files_beside_the_configuration(read: Load, tmp_path: Path) -> None:
    rooms = tmp_path / "rooms.csv"
    rooms.write_text("from,to\nR1,CT_ONE\n*,OTHER\n")
    settings = read(
        f'[worklist.hl7]\ntable = {{ rooms = "{rooms}" }}\n'
        'map = { ScheduledStationAETitle = "rooms(PV1-3.1)" }\n'
    ).settings
    field_map = feed_terms(settings).default.field_map
    raw = b"MSH|^~\\&|A|B|C|D|20260101||ORM^O01|1|P|2.3\rPV1|1|I|%b\r"
    for room, station in ((b"R1", "CT_ONE"), (b"R2", "OTHER")):
        found = mapped(parse(raw % room), field_map)
        assert found["ScheduledStationAETitle"].value == station


@pytest.mark.req("T-56")
def test_a_folder_in_the_folder_is_the_area_of_its_name_or_called_title(
    read: Load, tmp_path: Path
) -> None:
    settings = read(
        f'[worklist]\nsplit_steps = true\nfolder = {{ path = "{tmp_path}", mode = "two-way" }}\n'
        f'{AREA}split_steps = false\nfolder = {{ path = "{tmp_path}/ct" }}\n'
    ).settings
    whole, own = folder_terms(settings)
    assert (whole.name, whole.mode, whole.split_steps) == ("worklist", "two-way", True)
    assert [whole.areas(name) for name in ("ct", "WL_CT", "OTHER")] == ["ct", "ct", None]
    assert (own.name, own.area, own.split_steps) == ("worklist.area.ct", "ct", False)
    assert own.areas("ct") is None
