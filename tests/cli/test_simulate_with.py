"""``waystation simulate --with``: against itself nothing, against others what a hand counts."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.journal.making import CT, EXPLICIT, MemoryJournal, as_planned, plan_to
from tests.rules.asking import data_set
from waystation.dicom.head import Head
from waystation.flows.heads import kept
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.ids import IdSource, id_at
from waystation.model.arrival import Arrival, Source
from waystation.model.instance import Instance

# Study → (modality, calling AE, objects): what a hand can count.
STUDIES = {
    "1.1": ("CT", "CT1", 3),
    "1.2": ("CT", "CT2", 2),
    "1.3": ("MR", "MR1", 2),
    "1.4": ("SR", "CT1", 1),
    "1.5": ("US", "US1", 1),
}
IDS = IdSource()
PLACES = """
[destination.pacs]
kind = "dicom"
host = "127.0.0.1"
port = 1
ae_title = "PACS"
[destination.cd]
kind = "dicom"
host = "127.0.0.1"
port = 1
ae_title = "CD"
[destination.lab]
kind = "dicom"
host = "127.0.0.1"
port = 1
ae_title = "LAB"
"""
ALL = '[[rule]]\nname = "ct mr"\nwhen = { Modality = ["CT", "MR"] }\nsend = ["pacs"]\n'
CD = '[[rule]]\nname = "ct1"\nwhen = { calling_ae = "CT1" }\nsend = ["cd"]\n'
LAB = '[[rule]]\nname = "mr"\nwhen = { Modality = "MR" }\nsend = ["lab"]\n'


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[MemoryJournal]:
    journal = MemoryJournal(tmp_path)
    yield journal
    journal.close()


@pytest.fixture
def base(memory: MemoryJournal, tmp_path: Path) -> str:
    """A journal of yesterday's studies; some heads ride in it, those of CT were kept."""

    number = id_at(time.time() - 86_400)
    for study, (modality, calling, count) in STUDIES.items():
        for n in range(count):
            number += 1
            receive(memory, number, f"{study}.{n}", study, modality, calling)
    folder = tmp_path / "data"
    folder.mkdir()
    memory.save(folder / "journal.db")
    return f'[node]\ndata = "{folder}"\n'


def receive(
    memory: MemoryJournal, number: int, uid: str, study: str, modality: str, calling: str
) -> None:
    data = data_set({"Modality": modality, "StudyInstanceUID": study})
    instance = Instance(
        sop_class_uid=CT,
        sop_instance_uid=uid,
        study_uid=study,
        series_uid=f"{study}.0",
        transfer_syntax_uid=EXPLICIT,
        modality=modality,
    )
    one = Arrival(
        id=number,
        received_at=number / id_at(1.0),
        source=Source(peer="", calling_ae=calling, called_ae="WAYSTATION", address="127.0.0.1"),
        instance=instance,
        blob="",
        size_bytes=len(data),
        sha256=f"{number:064x}",
    )
    adoption = Adoption(arrival=one, plan=plan_to("pacs"), data=data)
    memory.run(adopt([adoption], IDS, one.received_at, as_planned))
    if modality == "CT":
        memory.execute("DELETE FROM parcel WHERE arrival = ?", number)
        memory.execute("UPDATE arrival SET blob_gone = 1 WHERE id = ?", number)
        small = kept(Head.from_bytes(data, EXPLICIT))
        memory.execute("INSERT INTO head VALUES (?, ?, ?)", number, one.received_at, small)


def simulated(
    run: Run, tmp_path: Path, base: str, old: str, new: str, *words: str
) -> tuple[int, dict[str, Any]]:
    before, after = tmp_path / "old.toml", tmp_path / "new.toml"
    before.write_text(base + old)
    after.write_text(base + new)
    done = run("simulate", "--with", after, "--config", before, "--json", *words)
    return done.code, json.loads(done.out)


@pytest.mark.req("R-77", "RT-14")
def test_against_itself_there_is_no_difference(base: str, tmp_path: Path, run: Run) -> None:
    text = PLACES + ALL + CD
    code, found = simulated(run, tmp_path, base, text, text)
    assert (code, found["studies"], found["objects"], found["changed"]) == (0, 5, 9, 0)
    for kind in ("also", "no_longer", "nowhere", "priority"):
        assert found[kind] == {}
    plain = run("simulate", "--with", tmp_path / "new.toml", "--config", tmp_path / "old.toml")
    assert (plain.code, plain.out) == (0, "5 studies: no difference\n")


@pytest.mark.req("R-77", "RT-14")
def test_without_one_rule_the_counts_are_those_of_a_hand(
    base: str, tmp_path: Path, run: Run
) -> None:
    code, found = simulated(run, tmp_path, base, PLACES + ALL + CD, PLACES + ALL, "--list")
    # 1.1 keeps pacs and loses cd; 1.4 loses the only place it went to.
    assert code == 1
    assert (found["no_longer"], found["nowhere"]) == ({"cd": 2}, {"no-rule": 1})
    assert (found["also"], found["changed"]) == ({}, 2)
    assert [change["study"] for change in found["differences"]] == ["1.1", "1.4"]
    assert found["differences"][1]["nowhere"] == ["no-rule"]
    words = ("--with", tmp_path / "new.toml", "--config", tmp_path / "old.toml", "--list")
    plain = run("simulate", *words)
    assert plain.out.splitlines() == [
        "5 studies: 2 no longer to cd, 1 nowhere (no-rule)",
        "1.1  CT 3 objects  no longer to cd",
        "1.4  SR 1 objects  no longer to cd; nowhere (no-rule)",
    ]


@pytest.mark.req("R-77")
def test_more_ways_and_other_priorities_exit_0(base: str, tmp_path: Path, run: Run) -> None:
    new = PLACES + ALL.replace("send", 'priority = "stat"\nsend') + CD + LAB
    code, found = simulated(run, tmp_path, base, PLACES + ALL + CD, new)
    assert (code, found["also"], found["priority"]) == (0, {"lab": 1}, {"pacs": 3})


def test_a_rule_that_takes_whole_studies_takes_what_does_not_match_too(
    base: str, tmp_path: Path, run: Run
) -> None:
    whole = (
        "[[rule]]\nname = \"w\"\nif = \"StudyInstanceUID == '1.1' and calling_ae == 'CT1'\"\n"
        'trigger = "study"\ntake = "whole"\nsend = ["lab"]\n'
    )
    code, found = simulated(run, tmp_path, base, PLACES + ALL + CD, PLACES + ALL + CD + whole)
    assert (code, found["also"]) == (0, {"lab": 1})


def test_filters_and_refusals_count_as_nowhere(base: str, tmp_path: Path, run: Run) -> None:
    filtered = PLACES.replace('ae_title = "PACS"', 'ae_title = "PACS"\nrefuse = ["CTImageStorage"]')
    _, found = simulated(run, tmp_path, base, PLACES + ALL, filtered + ALL)
    assert found["nowhere"] == {"no-rule": 3}
    refused = '[dicom]\nrefuse_when = { Modality = "MR" }\n'
    code, found = simulated(run, tmp_path, base, PLACES + ALL, refused + PLACES + ALL)
    assert (code, found["nowhere"]) == (1, {"refused": 1})


def test_since_leaves_out_what_is_older(base: str, tmp_path: Path, run: Run) -> None:
    _, found = simulated(run, tmp_path, base, PLACES + ALL, PLACES + ALL, "--since", "1h")
    assert found["studies"] == 0
    bad = run("simulate", "--with", tmp_path / "new.toml", "--since", "whenever")
    assert (bad.code, "--since" in bad.err) == (2, True)


def test_a_head_that_is_gone_is_counted(
    memory: MemoryJournal, base: str, tmp_path: Path, run: Run
) -> None:
    memory.execute("DELETE FROM head")
    (tmp_path / "data" / "journal.db").unlink()
    memory.save(tmp_path / "data" / "journal.db")
    _, found = simulated(run, tmp_path, base, PLACES + ALL, PLACES + ALL)
    assert (found["studies"], found["without_head"]) == (3, 5)


def test_it_writes_nothing_and_a_bad_file_exits_2(base: str, tmp_path: Path, run: Run) -> None:
    journal = tmp_path / "data" / "journal.db"
    before = journal.read_bytes()
    simulated(run, tmp_path, base, PLACES + ALL, PLACES + CD)
    assert journal.read_bytes() == before
    (tmp_path / "new.toml").write_text("[nonsense]\n")
    done = run("simulate", "--with", tmp_path / "new.toml", "--config", tmp_path / "old.toml")
    assert (done.code, "nonsense" in done.err) == (2, True)
