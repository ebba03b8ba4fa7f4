"""`waystation alert test`: everybody hears, or it says who does not and why (R-82)."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.net.http_sink import Answer, serving
from tests.net.mail_sink import mailbox
from tests.peers.program import free_port
from waystation.cli.main import app


def config(folder: Path, port: int, hook: str) -> Path:
    path = folder / "waystation.toml"
    path.write_text(
        f'[alert]\nto = ["it@x.example", "{hook}"]\n'
        f'[alert.mail]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\nfrom = "n@x.example"\n'
        '[report.daily]\nat = "07:00"\nto = ["boss@x.example"]\n'
    )
    return path


async def run(path: Path, *words: str) -> Any:
    """Run the command in a thread of its own, beside the servers of the test."""
    import asyncio

    command = ["alert", "test", "--config", str(path), *words]
    return await asyncio.to_thread(CliRunner().invoke, app, command)


@pytest.mark.req("R-82")
async def test_one_of_each_is_sent_at_once(tmp_path: Path) -> None:
    async with mailbox() as box, serving(lambda _: Answer()) as sink:
        done = await run(config(tmp_path, box.port, f"{sink.url}/hook"))
        assert done.exit_code == 0, done.output
        assert sorted(box.recipients) == ["boss@x.example", "it@x.example"]
        subjects = {str(one["Subject"]) for one in box.mails}
        assert any("nothing is wrong" in subject for subject in subjects)
        assert any("report daily (test)" in subject for subject in subjects)
        (hooked,) = sink.requests
        assert json.loads(hooked.body)["event"] == "incident.began"


@pytest.mark.req("R-82")
async def test_who_cannot_be_reached_is_said_and_the_others_hear(tmp_path: Path) -> None:
    async with serving(lambda _: Answer()) as sink:
        path = config(tmp_path, free_port(), f"{sink.url}/hook")
        done = await run(path, "--json")
        assert done.exit_code == 3
        rows = {row["to"]: row for row in json.loads(done.stdout)["sent"]}
        assert rows["it@x.example"]["why"].endswith("no connection to the mail server")
        assert rows[f"http://127.0.0.1:{sink.port}/..."]["ok"]
        assert "/hook" not in done.stdout


async def test_who_refuses_is_a_failure(tmp_path: Path) -> None:
    async with mailbox() as box, serving(lambda _: Answer(status=500)) as sink:
        done = await run(config(tmp_path, box.port, f"{sink.url}/hook"))
        assert done.exit_code == 1
        assert "the webhook answers 500" in done.stdout


async def test_nobody_to_tell_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "waystation.toml"
    path.write_text("")
    done = await run(path)
    assert "nobody gets alerts or reports" in str(done.exception)
