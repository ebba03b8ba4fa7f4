"""Claims about the intake log: what was answered is there, whatever happened to the rest."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.journal import intake
from waystation.journal.intake import BLOCK, FRAME, IntakeLog, Record
from waystation.model.errors import MisuseError, StorageError


def opened(folder: Path, committed: int = 0) -> tuple[IntakeLog, list[Record]]:
    log = IntakeLog(folder)
    records = log.open(committed)
    return log, records


async def fill(folder: Path, items: list[tuple[bytes, bytes]]) -> list[int]:
    log, _ = opened(folder)
    log.start()
    lsns = [await log.append(meta, data) for meta, data in items]
    log.close()
    return lsns


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


@pytest.mark.req("S-1", "S-11")
async def test_what_was_answered_is_read_back_in_order(tmp_path: Path) -> None:
    items = [(b"{%d}" % n, bytes([n]) * (n * 700)) for n in range(40)]
    lsns = await fill(tmp_path, items)
    assert lsns == list(range(1, 41))
    _, records = opened(tmp_path)
    assert [(record.meta, record.data) for record in records] == items


async def test_only_what_the_tables_do_not_have_is_read_back(tmp_path: Path) -> None:
    await fill(tmp_path, [(b"a", b""), (b"b", b""), (b"c", b"")])
    _, records = opened(tmp_path, committed=2)
    assert [record.meta for record in records] == [b"c"]


async def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    await fill(tmp_path, [(b"a", b""), (b"b", b"")])
    log, _ = opened(tmp_path)
    log.start()
    assert await log.append(b"c", b"") == 3
    log.close()


async def test_many_that_wait_together_share_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, _ = opened(tmp_path)
    log.start()
    await log.append(b"first", b"")
    writes = 0
    plain = os.pwrite

    def counted(descriptor: int, data: memoryview, at: int) -> int:
        nonlocal writes
        writes += 1
        return plain(descriptor, data, at)

    monkeypatch.setattr(os, "pwrite", counted)
    await asyncio.gather(*(log.append(b"x", bytes(100)) for _ in range(50)))
    log.close()
    assert writes < 50


@pytest.mark.req("S-20")
@pytest.mark.parametrize("error", [5, 28], ids=["EIO", "ENOSPC"])
async def test_a_failed_write_is_told_and_its_segment_is_never_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    log, _ = opened(tmp_path)
    log.start()
    await log.append(b"good", b"")
    plain = os.pwrite

    def broken(descriptor: int, data: memoryview, at: int) -> int:
        raise OSError(error, "injected")

    monkeypatch.setattr(os, "pwrite", broken)
    with pytest.raises(StorageError):
        await log.append(b"lost", b"")
    monkeypatch.setattr(os, "pwrite", plain)
    await log.append(b"after", b"")
    log.close()
    _, records = opened(tmp_path)
    assert [record.meta for record in records] == [b"good", b"after"]


@pytest.mark.req("S-1")
async def test_a_torn_group_ends_the_log_and_nothing_before_it_is_lost(tmp_path: Path) -> None:
    await fill(tmp_path, [(b"whole", bytes(5000)), (b"torn", bytes(9000))])
    path = segments(tmp_path)[0]
    content = bytearray(path.read_bytes())
    # The second group begins at the third block behind the head; its last block never came.
    content[BLOCK * 5 : BLOCK * 6] = bytes(BLOCK)
    content[BLOCK * 5] = 1
    path.write_bytes(content)
    _, records = opened(tmp_path)
    assert [record.meta for record in records] == [b"whole"]


async def test_a_record_inside_an_image_is_not_taken_for_one_of_ours(tmp_path: Path) -> None:
    fake = FRAME.pack(b"k" * 16, 99, 3, 0, 0) + b"bad"
    image = bytes(BLOCK - 60) + fake * 50
    await fill(tmp_path, [(b"m", image)])
    _, records = opened(tmp_path)
    assert [record.data for record in records] == [image]


async def test_a_used_segment_does_not_bring_its_old_records_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SEGMENT_BYTES", 16 * BLOCK)
    log, _ = opened(tmp_path)
    log.start()
    for number in range(200):
        lsn = await log.append(b"%d" % number, bytes(3000))
        log.settled([lsn])
        log.committed(log.watermark([]))
    log.close()
    assert len(segments(tmp_path)) <= 3
    _, records = opened(tmp_path, committed=199)
    assert [record.meta for record in records] == [b"199"]


async def test_segments_with_open_records_are_kept_and_more_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SEGMENT_BYTES", 16 * BLOCK)
    items = [(b"%d" % number, bytes(3000)) for number in range(100)]
    await fill(tmp_path, items)
    assert len(segments(tmp_path)) > 3
    _, records = opened(tmp_path)
    assert [(record.meta, record.data) for record in records] == items


async def test_the_watermark_stops_before_the_first_open_record(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    log.start()
    for _ in range(4):
        await log.append(b"x", b"")
    assert log.watermark({1, 3}) == 1
    log.settled([1])
    assert log.watermark({2, 3}) == 3
    log.settled([2, 3, 4])
    assert log.watermark(()) == 4
    log.close()


async def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    log, _ = opened(tmp_path)
    log.start()
    log.close()
    with pytest.raises(MisuseError):
        log.append(b"x", b"")


@pytest.mark.req("F6")
@given(damage=st.lists(st.tuples(st.integers(0, 12 * BLOCK), st.integers(0, 255)), max_size=6))
def test_any_damage_gives_whole_records_or_none(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    items = [(b"{%d}" % n, bytes([n]) * 3000) for n in range(6)]
    asyncio.run(fill(folder, items))
    path = segments(folder)[0]
    with path.open("r+b") as file:
        for at, value in damage:
            file.seek(at)
            file.write(bytes([value]))
    _, records = opened(folder)
    assert all((record.meta, record.data) in items for record in records)
