"""``waystation anonymize`` over files and folders."""

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.cli.conftest import Run
from tests.dicom.building import EXPLICIT, el
from tests.transforms.deid.treating import Row, encoded, object_of
from waystation.app.object_files import opened
from waystation.dicom.part10 import file_meta
from waystation.dicom.tree import parse
from waystation.transforms.deid.study_report import FIRST, first_broken

US = "1.2.840.10008.5.1.4.1.1.6.1"
PIXELS: list[Row] = [
    (0x00280002, "US", b"\1\0"),
    (0x00280004, "CS", "MONOCHROME2"),
    (0x00280010, "US", b"\x08\0"),
    (0x00280011, "US", b"\x08\0"),
    (0x00280100, "US", b"\x08\0"),
    (0x00280101, "US", b"\x08\0"),
    (0x00280102, "US", b"\7\0"),
    (0x00280103, "US", b"\0\0"),
]
PROFILE = """
project = { id = "lung", key = { file = "lung.key" } }
options = ["clean_pixel_data"]
pseudonym = { prefix = "LUNG-" }
pixels = { rules = ["devices.toml"], unknown = "approve" }
"""
DEVICES = """
[[device]]
name = "corner"
modality = "US"
model = "M1"
rectangles = [[0, 0, 4, 2]]
"""


def written(path: Path, number: int, *more: Row, modality: str = "CT", **kind: str) -> Path:
    """Write one object of a patient; number: its instance."""
    uid = f"1.2.3.4.5.1.{number}"
    rows = object_of((0x00080018, "UI", uid), *PIXELS, *more, modality=modality, **kind)
    data = encoded(rows) + el(0x7FE00010, "OW", bytes([200]) * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = file_meta(kind.get("sop_class", "1.2.840.10008.5.1.4.1.1.2"), uid, EXPLICIT)
    path.write_bytes(b"Muster^Erika".ljust(128) + meta[128:] + data)
    return path


@pytest.fixture
def profile(tmp_path: Path, run: Run) -> Path:
    assert run("anonymize", "--new-key", tmp_path / "lung.key").code == 0
    (tmp_path / "devices.toml").write_text(DEVICES)
    path = tmp_path / "research.toml"
    path.write_text(PROFILE)
    return path


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.req("D-3", "D-18", "D-19")
def test_folders_are_written_anew_under_new_names_and_originals_stay(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    source = tmp_path / "Muster Erika"
    for number in range(3):
        written(source / f"muster-{number}.dcm", number)
    (source / "notes.txt").write_text("Muster")
    before = everything(source)
    done = run("anonymize", source, "--profile", profile, "--output", tmp_path / "out", "--json")
    assert done.code == 0
    assert everything(source) == before
    *files, last = lines(done.out)
    summary = last["summary"]
    assert (summary["written"], summary["left_out"], summary["directories"]) == (3, 1, 0)
    places = [one["place"] for one in files if one["state"] == "written"]
    assert sorted(everything(tmp_path / "out")) == sorted(places)
    for place in places:
        assert all(part.startswith("2.25.") for part in place.split("/"))
        content = (tmp_path / "out" / place).read_bytes()
        assert content[128:132] == b"DICM"
        assert b"uster" not in content
        assert b"4711" not in content


@pytest.mark.req("D-19")
def test_a_dicomdir_is_never_passed_on_but_made_anew_from_the_outputs(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    source, out = tmp_path / "cd", tmp_path / "out"
    for number in range(3):
        written(source / f"muster-{number}.dcm", number)
    (source / "DICOMDIR").write_bytes(b"Muster^Erika")
    done = run("anonymize", source, "--profile", profile, "--output", out)
    assert done.code == 0, done.err
    assert "DICOMDIR made of 3 objects" in done.err
    content = (out / "DICOMDIR").read_bytes()
    assert b"uster" not in content
    records = dcmread(out / "DICOMDIR").DirectoryRecordSequence
    (patient,) = [one for one in records if one.DirectoryRecordType == "PATIENT"]
    images = [one for one in records if one.DirectoryRecordType == "IMAGE"]
    assert len(images) == 3
    for one in images:
        stored = dcmread(out / Path(*one.ReferencedFileID))
        assert stored.SOPInstanceUID == one.ReferencedSOPInstanceUIDInFile
        assert stored.PatientID == patient.PatientID
    names = [part for place in everything(out) for part in Path(place).parts]
    assert all(re.fullmatch("[A-Z0-9_]{1,8}", name) for name in names)
    run("anonymize", source, "--profile", profile, "--output", out)
    assert (out / "DICOMDIR").read_bytes() == content


@pytest.mark.req("D-2", "D-26")
def test_the_same_key_gives_the_same_files_and_nothing_is_overwritten(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    one = written(tmp_path / "in" / "a.dcm", 1)
    words = ("anonymize", one, "--profile", profile, "--output", tmp_path / "out")
    assert run(*words).code == 0
    before = everything(tmp_path / "out")
    assert run(*words).code == 0
    assert everything(tmp_path / "out") == before
    written(one, 1, (0x00180060, "DS", "120"))
    done = run(*words)
    assert done.code == 1
    assert "same new UID" in done.err
    assert everything(tmp_path / "out") == before


@pytest.mark.req("D-39")
def test_what_is_held_is_listed_and_leaves_nothing_behind(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    written(tmp_path / "in" / "good.dcm", 1)
    written(tmp_path / "in" / "nobody.dcm", 2, (0x00100020, "LO", ""))
    written(tmp_path / "in" / "us.dcm", 3, modality="US", sop_class=US)
    cut = written(tmp_path / "in" / "cut.dcm", 4)
    cut.write_bytes(cut.read_bytes()[:-20])
    done = run("anonymize", tmp_path / "in", "--profile", profile, "--output", tmp_path / "out")
    assert done.code == 1
    assert "1 written, 2 held, 1 failed" in done.out
    assert "no Patient ID" in done.err
    assert "burned-in state unknown" in done.err
    assert len(everything(tmp_path / "out")) == 1
    assert "uster" not in done.err.replace(str(tmp_path), "")


@pytest.mark.req("D-39", "D-42")
def test_a_verification_hit_writes_nothing(tmp_path: Path, run: Run, profile: Path) -> None:
    profile.write_text(
        PROFILE + 'rule = [{ tag = "SeriesDescription", do = "keep", loosen = "reviewed" }]\n'
    )
    one = written(tmp_path / "a.dcm", 1, (0x0008103E, "LO", "for Muster"))
    words = ("anonymize", one, "--profile", profile, "--output", tmp_path / "out")
    done = run(*words, "--report", tmp_path / "report.json")
    assert done.code == 1
    assert "verification: a person's name of the original stands in (0008,103E)" in done.err
    assert everything(tmp_path / "out") == {}
    (study,) = json.loads((tmp_path / "report.json").read_text())["studies"]
    assert study["verification"] == {"passed": 0, "failed": 1, "off": 0}


@pytest.mark.req("D-34", "D-40", "D-41")
def test_pixels_go_by_device_rules_and_can_be_previewed(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    one = written(tmp_path / "us.dcm", 1, (0x00081090, "LO", "M1"), modality="US", sop_class=US)
    words = ("anonymize", one, "--profile", profile, "--preview", tmp_path / "pictures")
    done = run(*words, "--output", tmp_path / "out", "--report", tmp_path / "report.json")
    assert done.code == 0, done.err
    (place,) = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    with opened(place) as made:
        pixels = bytes(made.data[-64:])
        assert parse(made.head).text(0x00280301) == "NO"
    assert pixels == (bytes(4) + bytes([200]) * 4) * 2 + bytes([200]) * 48
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.read_bytes()[:4] == b"\x89PNG"
    (study,) = json.loads((tmp_path / "report.json").read_text())["studies"]
    assert study["pixels"] == {"rules": {"corner": 1}, "frames": 1}


@pytest.mark.req("D-32")
def test_a_person_who_looked_may_approve(tmp_path: Path, run: Run, profile: Path) -> None:
    one = written(tmp_path / "us.dcm", 1, modality="US", sop_class=US)
    words = ("anonymize", one, "--profile", profile, "--output", tmp_path / "out")
    assert run(*words).code == 1
    assert run(*words, "--approve", "pixels").code == 0
    assert run(*words, "--approve", "everything").code == 2


@pytest.mark.req("D-40")
def test_the_report_counts_and_shows_no_original_value(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    for number in range(3):
        study = (0x0020000D, "UI", f"1.2.3.4.5.2.{number // 2}")
        written(tmp_path / "in" / f"{number}", number, study, (0x00101040, "LO", "Waldweg 3"))
    report = tmp_path / "report.json"
    words = ("anonymize", tmp_path / "in", "--profile", profile, "--output", tmp_path / "out")
    assert run(*words, "--report", report).code == 0
    text = report.read_text()
    document = json.loads(text)
    assert [one["objects"]["out"] for one in document["studies"]] == [2, 1]
    assert first_broken(document["studies"], FIRST) is None
    first = document["studies"][0]
    assert {"action": "X", "by": "basic", "tag": "(0010,1040)", "elements": 2} in first["changed"]
    assert (first["profile"], first["key"], first["edition"]) == ("research", "lung", "2026c")
    with opened(tmp_path / "in" / "0") as source:
        assert source.digest in {row["in"] for row in first["digests"]}
    for secret in ("uster", "4711", "Waldweg", "1.2.3.4.5"):
        assert secret not in text
    assert run(*words, "--report", report).code == 2


@pytest.mark.req("D-41")
def test_a_dry_run_shows_both_values_and_writes_nothing(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    one = written(tmp_path / "in" / "a.dcm", 1, (0x00101040, "LO", "Waldweg 3"))
    before = everything(tmp_path)
    words = ("anonymize", "--profile", profile, "--dry-run")
    done = run(*words, one)
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if "PatientAddress" in line)
    assert row.split()[:5] == ["(0010,1040)", "PatientAddress", "X", "basic", "Waldweg"]
    assert "LUNG-" in next(line for line in done.out.splitlines() if "PatientID" in line)
    written(tmp_path / "in" / "b.dcm", 2)
    assert "elements" in run(*words, tmp_path / "in").out
    (tmp_path / "in" / "b.dcm").unlink()
    (line, _) = lines(run(*words, one, "--json").out)
    assert {"PatientID", "PatientAddress"} <= {change["name"] for change in line["changes"]}
    assert everything(tmp_path) == before


def test_several_processes_give_the_same_files(tmp_path: Path, run: Run, profile: Path) -> None:
    for number in range(6):
        written(tmp_path / "in" / f"{number}", number)
    words = ("anonymize", tmp_path / "in", "--profile", profile)
    assert run(*words, "--output", tmp_path / "one").code == 0
    assert run(*words, "--output", tmp_path / "two", "--jobs", "2").code == 0
    assert everything(tmp_path / "one") == everything(tmp_path / "two")
    assert len(everything(tmp_path / "one")) == 6


@pytest.mark.req("D-31")
def test_sealed_originals_are_restored_by_who_has_the_key(
    tmp_path: Path, run: Run, profile: Path
) -> None:
    key, certificate = recipient(tmp_path)
    profile.write_text(PROFILE + f'reidentify = {{ recipients = ["{certificate.name}"] }}\n')
    one = written(tmp_path / "a.dcm", 1, (0x00101040, "LO", "Waldweg 3"))
    assert run("anonymize", one, "--profile", profile, "--output", tmp_path / "out").code == 0
    words = ("anonymize", tmp_path / "out", "--output", tmp_path / "back")
    asked = ("--reidentify", key, "--certificate", certificate)
    assert run(*words, *asked).code == 0
    (place,) = [path for path in (tmp_path / "back").rglob("*") if path.is_file()]
    with opened(place) as made, opened(one) as original:
        tree, before = parse(made.head), parse(original.head)
        for tag in (0x00100010, 0x00100020, 0x00101040, 0x00080018, 0x0020000D):
            assert tree.text(tag) == before.text(tag)
        assert bytes(made.data[-64:]) == bytes(original.data[-64:])
    other, wrong = recipient(tmp_path / "other")
    done = run(*words, "--reidentify", other, "--certificate", wrong)
    assert (done.code, "not for this key" in done.err) == (1, True)


def recipient(folder: Path) -> tuple[Path, Path]:
    """Write a private key and its certificate."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    folder.mkdir(exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "trusted")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(1))
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *form))
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return folder / "key.pem", folder / "cert.pem"


@pytest.mark.req("D-24", "D-38")
def test_keys_and_profiles_that_cannot_be_used_end_with_2(
    tmp_path: Path, run: Run, profile: Path, config: Path
) -> None:
    key = tmp_path / "lung.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert run("anonymize", "--new-key", key).code == 2
    one = written(tmp_path / "in" / "a.dcm", 1)
    out = ("--output", tmp_path / "out")
    named = tmp_path / "named.toml"
    named.write_text(
        config.read_text() + '[deidentify.a]\nproject = { id = "a", key = { file = "lung.key" } }\n'
    )
    assert run("anonymize", one, "--profile", "a", "--config", named, *out).code == 0
    assert run("anonymize", one, "--profile", "b", "--config", named, *out).code == 2
    assert run("anonymize", one, *out).code == 2
    assert run("anonymize", one, "--profile", profile).code == 2
    assert run("anonymize", tmp_path / "in", "--profile", profile, "--output", one.parent).code == 2
    profile.write_text(PROFILE + "optoins = []\n")
    done = run("anonymize", one, "--profile", profile, *out)
    assert (done.code, f"{profile}:6 optoins" in done.err) == (2, True)
    profile.write_text(PROFILE.replace('prefix = "LUNG-"', 'source = "allocated"'))
    assert "running node" in run("anonymize", one, "--profile", profile, *out).err


@pytest.mark.req("T-72")
def test_a_list_names_files_and_fail_fast_stops(tmp_path: Path, run: Run, profile: Path) -> None:
    bad = [written(tmp_path / f"{n}", n, (0x00100020, "LO", "")) for n in range(3)]
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in bad))
    words = ("anonymize", f"@{listed}", "--profile", profile, "--output", tmp_path / "out")
    assert "3 held" in run(*words).out
    assert "1 held" in run(*words, "--fail-fast").out
    assert run("anonymize", "@/nowhere", "--profile", profile, "--dry-run").code == 2


@pytest.mark.req("D-20")
def test_what_lies_behind_the_pixels_stays_behind(tmp_path: Path, run: Run, profile: Path) -> None:
    one = written(tmp_path / "a.dcm", 1)
    private = struct.pack("<HH2sH", 0x7FE1, 0x0010, b"LO", 6) + b"Muster"
    one.write_bytes(one.read_bytes() + private)
    assert run("anonymize", one, "--profile", profile, "--output", tmp_path / "out").code == 0
    (place,) = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert b"Muster" not in place.read_bytes()
