"""``waystation deid``: what a stopped node tells, and what needs a running one."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.journal.test_deid_records import treated
from waystation.cli import deid as command
from waystation.codecs.identity_seal import sealed
from waystation.db.engine import Database, Job
from waystation.db.migrate import migrate
from waystation.flows.allocating import identity_text
from waystation.journal import deid_records
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.profile_read import read_profile
from waystation.transforms.deid.pseudonyms import Patient

Write = Callable[..., None]
KEY = "6" * 64


@pytest.fixture
def write(config: Path, tmp_path: Path) -> Write:
    """Write jobs into the journal of the configuration's node."""
    (tmp_path / "data").mkdir()
    migrate(tmp_path / "data" / "journal.db")

    def written(*jobs: Job[Any]) -> None:
        async def all_of_them() -> None:
            for job in jobs:
                await database.write(job)

        database = Database(tmp_path / "data" / "journal.db")
        database.open()
        asyncio.run(all_of_them())
        database.close()

    return written


@pytest.mark.req("D-40")
def test_a_report_is_told_by_the_new_uid_of_a_study(write: Write, run: Run, config: Path) -> None:
    write(deid_records.keep([treated(1), treated(2)], {}, 5.0))
    done = run("deid", "report", "2.25.7", "--config", config)
    assert done.code == 0
    assert "research" in done.out
    words = ("deid", "report", "2.25.7", "--json", "--config", config)
    assert json.loads(run(*words).out)["reports"][0]["objects"]["out"] == 2
    assert run("deid", "report", "2.25.8", "--config", config).code == 1
    assert run("deid", "check", "--config", config).code == 0


@pytest.mark.req("D-40")
def test_a_broken_chain_ends_with_1(write: Write, run: Run, config: Path) -> None:
    write(
        deid_records.keep([treated(1)], {}, 5.0),
        lambda transaction: transaction.run("UPDATE deid_record SET text = '{}'"),
    )
    done = run("deid", "check", "--config", config)
    assert (done.code, "record 1" in done.err) == (1, True)


@pytest.mark.req("D-30", "D-43")
@pytest.mark.parametrize(
    "words",
    [
        ("lookup", "LUNG-1"),
        ("export", "--output", "x.csv"),
        ("approve", "1.2"),
        ("reject", "1.2"),
    ],
)
def test_what_must_be_written_down_needs_a_running_node(
    words: tuple[str, ...], write: Write, run: Run, config: Path, tmp_path: Path
) -> None:
    write()
    profiled(config, 'source = "csv", file = "t.csv"', tmp_path)
    (tmp_path / "t.csv").write_text("issuer,patient_id,pseudonym_id,pseudonym_name\n,4711,L-1,L\n")
    more = ("--profile", "lung", "--because", "recall", "--config", config)
    done = run("deid", *words, *more)
    assert (done.code, "4711" in done.out) == (3, False)


def profiled(config: Path, pseudonym: str, folder: Path) -> None:
    (folder / "lung.key").write_text(KEY)
    config.write_text(
        config.read_text()
        + '[deidentify.lung]\nproject = { id = "lung", key = { file = "lung.key" } }\n'
        + f"pseudonym = {{ {pseudonym} }}\n"
    )


class Api:
    """The API of a node that writes down who asked."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, Any]] = []

    def post(self, path: str, body: Any) -> dict[str, Any]:
        self.posted.append((path, body))
        rule = "[[device]]\nclean = true\n" if body.get("what") == "pixels" else ""
        return {"held": ["1"], "device_rule": rule}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr(command, "need_running", lambda _data: made)
    return made


@pytest.mark.req("D-29", "D-30")
def test_who_is_behind_a_number_is_told_after_it_was_written_down(
    write: Write, run: Run, config: Path, tmp_path: Path, api: Api
) -> None:
    profiled(config, 'source = "allocated", prefix = "L-"', tmp_path)
    who = Deidentifier(
        read_profile("lung", {}, {}), derive(bytes.fromhex(KEY), "lung"), version="1"
    )
    for number in range(1, 3):
        patient = Patient("", f"471{number}")
        digest, key = who.allocation(patient)
        write(deid_records.allocate("lung", digest, sealed(key, identity_text(patient)), 5.0))
    more = ("--profile", "lung", "--because", "recall", "--config", config)
    done = run("deid", "lookup", "L-000002", *more)
    assert (done.code, done.out) == (0, "4712\n")
    path, order = api.posted[0]
    assert path == "/api/v1/deid/lookups"
    assert (order["kind"], order["because"]) == ("lookup", "recall")
    assert order["pseudonym"] == "L-000002"
    assert run("deid", "lookup", "L-000003", *more).code == 1
    out = tmp_path / "table.csv"
    assert run("deid", "export", "--output", out, *more).code == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["patient_id"] for row in rows] == ["4711", "4712"]
    assert out.stat().st_mode & 0o777 == 0o600
    assert run("deid", "export", "--output", out, *more).code == 2
    assert [order["kind"] for _, order in api.posted] == ["lookup", "lookup", "export"]


@pytest.mark.req("D-30")
def test_calculated_pseudonyms_have_no_table(
    write: Write, run: Run, config: Path, tmp_path: Path, api: Api
) -> None:
    profiled(config, 'prefix = "L-"', tmp_path)
    more = ("--profile", "lung", "--because", "recall", "--config", config)
    assert run("deid", "lookup", "L-AAAA", *more).code == 2


@pytest.mark.req("D-43")
def test_an_approval_says_what_waits(write: Write, run: Run, config: Path, api: Api) -> None:
    more = ("--profile", "lung", "--because", "seen", "--config", config)
    done = run("deid", "approve", "1.2.3", "--what", "pixels", *more)
    assert done.code == 0
    assert "queue release --study 1.2.3" in done.err
    assert done.out.endswith("[[device]]\nclean = true\n")
    assert api.posted[0][1]["approved"] is True
    assert "release" not in api.posted[0][1]
    assert run("deid", "reject", "1.2.3", *more, "--json").out.startswith('{"held": ["1"]')
    assert api.posted[1][1]["what"] == "sample"
    assert run("deid", "approve", "1.2.3", *more, "--release").code == 0
    assert api.posted[2][1]["release"] is True
    done = run("deid", "withdraw", "1.2.3", *more)
    assert (done.code, done.out) == (0, "taken back; 1 are held\n")
    assert api.posted[3][0] == "/api/v1/deid/decisions/withdrawals"
