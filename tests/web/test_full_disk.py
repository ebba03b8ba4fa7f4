"""A journal that cannot be written: who is known comes in all the same, who is not hears why."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.house import House
from waystation.model.errors import StorageError


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def fill(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_job: Any, *, urgent: bool = True) -> "asyncio.Future[Any]":
        future = asyncio.get_running_loop().create_future()
        future.set_exception(StorageError("disk full"))
        return future

    monkeypatch.setattr(house.database, "submit", full)


@pytest.mark.req("S-67")
async def test_logins_and_tokens_hold_while_their_use_cannot_be_written_down(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open(("ann", "admin", ()))
    ann = await house.signed_in("ann")
    value = await house.people.add_token("script", ["see"], 30, "ann")
    http = house.visitor("192.0.2.4").http
    bearer = {"authorization": f"Bearer {value}"}
    fill(house, monkeypatch)
    for _ in range(3):
        house.now += 70
        assert (await ann.get("/")).status_code == 200
        assert (await http.get("/api/v1/status", headers=bearer)).status_code == 200
    house.now += 1801
    assert (await ann.get("/")).status_code == 303


async def test_a_journal_that_cannot_be_read_is_told_as_such(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.open(("ann", "admin", ()))
    ann = await house.signed_in("ann")

    async def unreadable(_job: object) -> None:
        raise StorageError("/secret/path is gone")

    monkeypatch.setattr(house.database, "read", unreadable)
    house.now += 11
    answer = await ann.get("/")
    assert answer.status_code == 503
    assert "cannot do this now" in answer.text
    assert "secret" not in answer.text
