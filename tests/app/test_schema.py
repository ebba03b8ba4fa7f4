"""The schema of the file, and the configuration in force."""

import json
from pathlib import Path

from tests.app.conftest import Load
from tests.app.test_read import GOOD
from waystation.app.read import load_text
from waystation.app.schema import as_toml, effective, schema


def test_the_schema_refuses_unknown_keys_and_names_every_table() -> None:
    described = schema()
    assert described["additionalProperties"] is False
    assert {"node", "dicom", "peer", "destination", "rule"} <= set(described["properties"])
    json.dumps(described)


def test_durations_and_sizes_are_text_in_the_schema() -> None:
    properties = schema()["$defs"]["SpoolSettings"]["properties"]
    assert {properties[key]["type"] for key in ("keep", "min_free", "max_used")} == {"string"}


def test_the_configuration_in_force_reads_back_as_the_same(read: Load) -> None:
    settings = read(GOOD).settings
    again = load_text(as_toml(effective(settings)), Path("waystation.toml"), {})
    assert again.settings == settings


def test_the_worklist_in_force_is_shown_and_reads_back(read: Load) -> None:
    settings = read('[worklist.area.ct]\nae_title = "CTWL"\nwhen = { Modality = "CT" }\n').settings
    shown = effective(settings)
    assert list(shown["worklist"]["area"]) == ["ct"]
    again = load_text(as_toml(shown), Path("waystation.toml"), {})
    assert again.settings == settings
