"""Steps in the file: names, tables, locks, and what a recipe keeps of them."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.app.conftest import Complain
from waystation.app.read import load_text
from waystation.app.settings import Settings
from waystation.app.wiring_steps import Box, own_key, recipe_of, recipes
from waystation.model.errors import StorageError
from waystation.model.recipe import Recipe
from waystation.transforms.held import HeldError

pytestmark = pytest.mark.req("R-65")

PACS = '[destination.pacs]\nkind = "dicom"\nhost = "h"\nae_title = "PACS"\n'
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
WARD = '[edit.ward]\nsteps = [ { set = "InstitutionName", to = "St Mary" } ]\n'


def settings_of(text: str, folder: Path) -> Settings:
    return load_text(text, folder / "waystation.toml", os.environ).settings


def test_a_named_list_and_edits_in_place_are_one_recipe(tmp_path: Path) -> None:
    more = 'edit = [ "ward", { remove = "(0019,*)" } ]\n'
    settings = settings_of(PACS + RULE + more + WARD, tmp_path)
    recipe = recipe_of(settings.rule[0], settings.edit)
    assert recipe.edits == (
        {"set": "InstitutionName", "to": "St Mary"},
        {"remove": "(0019,*)"},
    )
    assert recipes(settings) == [recipe.text]


@pytest.mark.req("R-21", "R-1")
def test_two_versions_for_one_destination_are_warned_of(warnings: Complain) -> None:
    other = RULE.replace("all", "other") + 'edit = [ { remove = "(0019,*)" } ]\n'
    said = warnings(PACS + RULE + other)
    assert any("two-versions" in one for one in said), said


@pytest.mark.req("R-69")
def test_a_rule_that_is_locked_out_is_warned_of(warnings: Complain) -> None:
    said = warnings(PACS + "only_deidentified = true\n" + RULE)
    assert any("takes only what is de-identified" in one for one in said), said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WARD, "edit.ward: no rule uses it"),
        ('[validate.ids]\nrequired = ["PatientID"]\n', "validate.ids: no rule uses it"),
        (
            '[lookup.wards]\nfile = "nowhere.csv"\n',
            "nowhere.csv: No such file or directory: what needs this table is held",
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(text: str, expected: str, warnings: Complain) -> None:
    said = warnings(PACS + RULE + text)
    assert any(expected in one for one in said), said


@pytest.mark.req("R-67")
def test_a_broken_table_is_told_with_its_line_and_a_missing_column_by_name(
    faults: Complain, warnings: Complain, tmp_path: Path
) -> None:
    table = tmp_path / "wards.csv"
    lookup = f'[lookup.wards]\nfile = "{table}"\n'
    table.write_text("id,ward\n1,a\n1,b\n")
    said = warnings(PACS + RULE + lookup)
    assert any(f"{table}:3 the key of line 2 stands here again" in one for one in said), said
    table.write_text("id,ward\n1,a\n")
    edit = 'edit = [ { lookup = "wards", key = "PatientID", to = { StudyID = "wrad" } } ]\n'
    said = faults(PACS + RULE + edit + lookup)
    assert any('no column "wrad" (did you mean "ward"?)' in one for one in said), said


def test_the_archive_takes_nothing_that_was_edited(faults: Complain) -> None:
    rule = RULE.replace("pacs", "archive") + 'edit = [ { remove = "(0019,*)" } ]\n'
    assert any("the archive keeps objects as they came" in one for one in faults(PACS + rule))


def box(settings: Settings, data: Path) -> Box:
    return Box(validate=settings.validate_, tables=lambda _name: None, data=data)


def test_what_a_recipe_names_is_found_when_it_runs(tmp_path: Path) -> None:
    ids = '[validate.ids]\nrequired = ["PatientID"]\n'
    settings = settings_of(PACS + RULE + 'validate = ["ids"]\n' + ids, tmp_path)
    recipe = recipe_of(settings.rule[0], settings.edit)
    first = box(settings, tmp_path).tools(recipe)
    assert [one.name for one in first.validations] == ["ids"]
    other = settings_of(
        PACS + RULE + 'validate = ["ids"]\n' + ids.replace("PatientID", "StudyID"), tmp_path
    )
    assert box(other, tmp_path).tools(recipe).digest != first.digest
    gone = settings_of(PACS + RULE, tmp_path)
    with pytest.raises(HeldError, match="any more"):
        box(gone, tmp_path).tools(recipe)
    with pytest.raises(HeldError, match='no profile "x"'):
        box(gone, tmp_path).tools(Recipe.of(deidentify="x"))


def test_the_nodes_own_key_is_made_once_and_stays(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    assert len(key) == 32
    assert own_key(tmp_path) == key
    assert (tmp_path / "uid.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "uid.key").write_bytes(b"short")
    with pytest.raises(StorageError, match="damaged"):
        own_key(tmp_path)


def test_a_key_of_a_file_counts_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "site.key").write_text("a secret\n")
    edit = 'edit = [ { new_uids = true, key = { file = "site.key" } } ]\n'
    settings = settings_of(PACS + RULE + edit, tmp_path)
    recipe = recipe_of(settings.rule[0], settings.edit)
    tools = box(settings, tmp_path / "data").tools(recipe)
    assert list(tools.keys.values()) == [hashlib.sha256(b"a secret").digest()]
    (tmp_path / "site.key").unlink()
    with pytest.raises(HeldError) as held:
        box(settings, tmp_path).tools(recipe)
    assert held.value.transient
