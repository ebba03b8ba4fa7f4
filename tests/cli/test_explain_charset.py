"""``waystation explain FILE`` says when the text of an object is doubtful."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.dicom.building import EXPLICIT, el
from waystation.dicom.part10 import file_meta


@pytest.mark.req("T-24", "T-25")
def test_a_guessed_name_is_noted_without_being_told(tmp_path: Path, run: Run) -> None:
    config = tmp_path / "waystation.toml"
    config.write_text(f'[node]\ndata = "{tmp_path / "data"}"\n')
    sop_class = "1.2.840.10008.5.1.4.1.1.7"
    file = tmp_path / "one.dcm"
    file.write_bytes(
        file_meta(sop_class, "1.2.3", EXPLICIT)
        + el(0x00080016, "UI", sop_class.encode() + b"\0")
        + el(0x00080018, "UI", b"1.2.3\0")
        + el(0x00100010, "PN", b"M\xfcller^J\xf6rg")
    )
    said = run("explain", str(file), "--config", str(config))
    assert said.code == 0, said.err
    note = "note: character set: PatientName: no character set is named, so its text is a guess"
    assert said.out.count(note) == 1
    assert "ller" not in said.out
