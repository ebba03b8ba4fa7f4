"""``[deidentify.NAME]``: what is refused with its line, and what it becomes (D-11, D-38)."""

import os
from pathlib import Path

import pytest

from tests.app.conftest import Complain, Load
from tests.dicom.building import EXPLICIT
from tests.transforms.deid.treating import SECRET, encoded, head_of, object_of
from waystation.app.faults import ConfigFaults
from waystation.app.read import load_text
from waystation.app.wiring_deidentify import deidentifier_of, deidentifiers
from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.model.errors import ConfigError
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.result import Deidentified
from waystation.transforms.deid.uids import new_uid
from waystation.transforms.held import HeldError
from waystation.transforms.steps import StepFacts

NODE = '[node]\nname = "n"\n'
CSV = 'pseudonym = { source = "csv", file = "table.csv" }\n'
PROFILE = '[deidentify.research]\nproject = { id = "lung", key = { file = "lung.key" } }\n'
EXAMPLE = """
[deidentify.research]
edition  = "2026c"
project  = { id = "lung-2027", key = { file = "lung.key" } }
options  = ["retain_modified_dates", "retain_patient_characteristics", "clean_descriptors",
            "retain_safe_private", "clean_pixel_data"]
pseudonym = { source = "hmac", prefix = "LUNG-" }
dates     = { range = "1d..3650d", keep_weekday = true }
text      = { mode = "allow-list", words = ["words-ct.txt"] }
private   = { safe = ["standard", "site-private.csv"] }
pixels    = { rules = ["devices.toml"], unknown = "hold" }
documents = "hold"
unlisted  = "keep"
verify    = "hold"
sample    = 0.02
public    = false
rule = [ { tag = "(0018,1030)", do = "keep", loosen = "protocol names reviewed 2027-01" },
         { tag = "SeriesDescription", do = "remove" } ]
"""


@pytest.fixture(autouse=True)
def files(in_folder: Path) -> Path:
    (in_folder / "lung.key").write_bytes(SECRET)
    (in_folder / "lung.key").chmod(0o600)
    (in_folder / "words-ct.txt").write_text("Leber\n")
    (in_folder / "site-private.csv").write_text("creator,group,element\nACME,0029,10\n")
    (in_folder / "devices.toml").write_text(
        '[[device]]\nname = "a"\nmodality = "CT"\nclean = true\n'
    )
    (in_folder / "table.csv").write_text("issuer,patient_id,pseudonym_id,pseudonym_name\n")
    return in_folder


@pytest.mark.req("D-38")
def test_the_example_of_the_specification_becomes_a_de_identifier(read: Load) -> None:
    loaded = read(EXAMPLE)
    assert [str(one) for one in loaded.warnings if "deidentify" in str(one)] == []
    who = deidentifier_of(loaded.settings, "research")
    assert who.profile.name == "research"
    assert ("ACME", 0x29, 0x10) in who.profile.safe_private
    assert "leber" in who.profile.text.words
    assert who.profile.pixels.rules[0].clean
    done = who.treat(head_of())
    assert isinstance(done, Deidentified)
    uid = derive(SECRET, "lung-2027").uid
    assert done.identity.study_uid.encode() == new_uid(uid, b"1.2.3.4.5.2")


@pytest.mark.req("D-38", "D-11", "D-24")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[deidentify.x]\n", "deidentify.x.project: is missing"),
        (PROFILE + 'colour = "red"\n', 'deidentify.research.colour: unknown key "colour"'),
        (PROFILE.replace("lung.key", "gone.key"), "project.key.file: there is no such file"),
        (PROFILE.replace("lung.key", "words-ct.txt"), "expected 32 random bytes"),
        (PROFILE.replace('file = "lung.key"', 'env = "NO_KEY"'), "no such environment variable"),
        (PROFILE + 'options = ["retain_all"]\n', "research.options: expected one of clean_pixel"),
        (
            PROFILE + 'options = ["retain_full_dates", "retain_modified_dates"]\n',
            "waystation.toml:3 deidentify.research.options: retain_full_dates and",
        ),
        (
            PROFILE + 'text = { mode = "allow-list", words = ["gone.txt"] }\n',
            "research.text.words: there is no such file",
        ),
        (
            PROFILE + 'rule = [{ tag = "StudyDate", do = "keep" }]\n',
            "deidentify.research.rule: less strict than the table",
        ),
        (
            PROFILE + PROFILE.replace("research", "other").replace('"lung"', '"bone"'),
            "other.project.key: the same key as that of [deidentify.research]",
        ),
        (PROFILE + 'pseudonym = { source = "csv" }\n', 'pseudonym: source = "csv" needs file'),
        (PROFILE + 'pseudonym = { file = "table.csv" }\n', "pseudonym: file has no effect"),
        (
            PROFILE + 'pseudonym = { source = "csv", file = "words-ct.txt" }\n',
            "pseudonym.file: line 1: expected the columns",
        ),
        (
            PROFILE + 'reidentify = { recipients = ["words-ct.txt"] }\n',
            "reidentify.recipients: expected a certificate in PEM",
        ),
        (
            PROFILE + 'public = true\nreidentify = { recipients = ["gone.pem"] }\n',
            "a public profile keeps no originals",
        ),
        (PROFILE + 'edition = "2024e"\n', 'edition: expected "2026c"'),
    ],
)
def test_what_cannot_work_is_a_fault_with_its_key(faults: Complain, text: str, fault: str) -> None:
    found = faults(text)
    assert any(fault in one for one in found), found


def test_a_table_that_is_not_there_yet_is_doubtful(warnings: Complain) -> None:
    text = PROFILE + 'pseudonym = { source = "csv", file = "later.csv" }\n'
    assert any("objects are held until there is" in one for one in warnings(text))


@pytest.mark.req("D-38", "D-39")
def test_a_profile_that_cannot_be_made_is_left_out_and_never_half_made(
    read: Load, files: Path
) -> None:
    settings = read(PROFILE).settings
    assert set(deidentifiers(settings)) == {"research"}
    os.remove(files / "lung.key")
    assert deidentifiers(settings) == {}
    for name in ("research", "nowhere"):
        with pytest.raises(ConfigError, match=f"deidentify.{name}"):
            deidentifier_of(settings, name)


@pytest.mark.req("D-39")
def test_a_step_gives_bytes_or_holds(read: Load) -> None:
    step = deidentifiers(read(PROFILE).settings)["research"]
    facts = StepFacts(now=0.0, system="n")
    done = step(head_of(), facts)
    assert done.mark == f"research {step.deidentifier.profile.digest[:16]}"
    assert Head.from_bytes(done.head, EXPLICIT).text(0x00120062) == "YES"
    assert '"profile":"research"' in done.report
    nobody = Head.from_bytes(encoded(object_of((0x00100020, "LO", ""))), EXPLICIT)
    with pytest.raises(HeldError, match="Patient ID") as held:
        step(nobody, facts)
    assert held.value.reason is HoldReason.DEID_FAILED


@pytest.mark.req("D-24")
def test_another_key_or_profile_is_another_tool(read: Load, files: Path) -> None:
    def digest(text: str) -> str:
        return deidentifiers(read(text).settings)["research"].digest

    first = digest(PROFILE)
    assert digest(PROFILE) == first
    assert digest(PROFILE + 'unlisted = "clean"\n') != first
    (files / "lung.key").write_text("00" * 32)
    assert digest(PROFILE) != first


@pytest.mark.req("D-29")
def test_a_table_of_pseudonyms_is_read_again_and_the_last_good_one_stays(
    read: Load, files: Path
) -> None:
    table = files / "table.csv"
    text = PROFILE + 'pseudonym = { source = "csv", file = "table.csv" }\n'
    step = deidentifiers(read(text).settings)["research"]
    facts = StepFacts(now=0.0, system="n")
    with pytest.raises(HeldError, match="no pseudonym"):
        step(head_of(), facts)

    def pseudonym() -> str:
        return Head.from_bytes(step(head_of(), facts).head, EXPLICIT).text(0x00100020)

    header = "issuer,patient_id,pseudonym_id,pseudonym_name\n"
    table.write_text(header + ",PID-4711,S-1,Subject One\n")
    assert pseudonym() == "S-1"
    table.write_text(header + ",PID-4711,S-1,Subject One\n,PID-4711,S-2,Twice\n")
    assert pseudonym() == "S-1"
    table.unlink()
    assert pseudonym() == "S-1"
    again = deidentifiers(read(text).settings)["research"]
    with pytest.raises(HeldError, match="cannot be read") as held:
        again(head_of(), facts)
    assert held.value.transient
    table.write_text(header + ",PID-4711,S-30,Subject Thirty\n")
    assert pseudonym() == "S-30"


@pytest.mark.req("D-29")
def test_a_corrected_table_of_pseudonyms_makes_other_treatments(read: Load, files: Path) -> None:
    table = files / "table.csv"
    step = deidentifiers(read(PROFILE + CSV).settings)["research"]
    first = step.digest
    assert step.digest == first
    table.write_text("issuer,patient_id,pseudonym_id,pseudonym_name\n,PID-4711,S-1,One\n")
    second = step.digest
    assert second != first
    table.write_text("broken")
    assert step.digest == second


@pytest.mark.req("D-39")
def test_a_key_that_went_stops_its_profile_and_not_the_node(files: Path) -> None:
    text = NODE + PROFILE
    (files / "lung.key").unlink()
    with pytest.raises(ConfigFaults):
        load_text(text, None, os.environ)
    loaded = load_text(text, None, os.environ, was_good=True)
    assert ["there is no such file" in str(one) for one in loaded.warnings] == [True]
    assert deidentifiers(loaded.settings) == {}
