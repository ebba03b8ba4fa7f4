"""Codecs that crash, hang or eat memory harm their own object and nothing else (S-41, F27)."""

import asyncio
import hashlib
import os
import random
import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.encaps import generate_frames

from tests.net.sink import until
from tests.objects import public
from tests.objects.elements import encapsulated
from tests.objects.files import Stored
from tests.objects.samples import compressed
from waystation.codecs.abilities import reads
from waystation.codecs.confine import LARGEST_FILE
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pool import CodecLimits, CodecPool, Converted

BASELINE, EXPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"
HOSTILE = "tests.codecs.hostile"
SMALL = CodecLimits(children=2, address_bytes=1 << 30, cpu_s=2, frame_s=15.0, job_s=60.0, strikes=3)


@pytest.fixture
async def hostile(tmp_path: Path) -> AsyncIterator[CodecPool]:
    pool = CodecPool(tmp_path / "work", SMALL, HOSTILE)
    yield pool
    await pool.close()


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[CodecPool]:
    made = CodecPool(tmp_path / "work")
    yield made
    await made.close()


def doing(deed: str) -> Stored:
    """Return an object whose one frame makes a hostile child do something."""
    one = compressed(BASELINE, seed=deed)
    at = one.data_set.index(b"\xe0\x7f\x10\x00OB")
    return replace(one, data_set=one.data_set[:at] + encapsulated([deed.encode()]))


async def convert(pool: CodecPool, one: Stored, wanted: str = EXPLICIT) -> Converted:
    return await pool.convert(
        one.data_set, digest=one.digest, has=one.transfer_syntax, wanted=wanted
    )


@pytest.mark.req("S-41", "F27")
@pytest.mark.parametrize(
    ("deed", "why"),
    [
        ("hang", "longer than"),
        ("spin", "SIGXCPU|longer than|SIGKILL"),
        ("crash", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("eat", "more memory|SIGXCPU"),
        ("call_out", "ValueError"),
        ("run_a_program", "TypeError"),
    ],
)
async def test_a_codec_that_misbehaves_fails_its_object_and_no_other(
    hostile: CodecPool, deed: str, why: str
) -> None:
    if deed == "hang":
        hostile.limits = replace(SMALL, frame_s=6.0)
    bad, good = asyncio.create_task(convert(hostile, doing(deed))), doing("chatter")
    beside = await convert(hostile, good)
    with pytest.raises(CodecError, match=why):
        await bad
    after = await convert(hostile, good)
    assert beside.sha256 == after.sha256
    assert len(await after.whole()) == after.size_bytes


@pytest.mark.req("S-41")
async def test_what_a_codec_prints_is_no_answer(hostile: CodecPool) -> None:
    made = await convert(hostile, doing("chatter"))
    assert made.size_bytes > 500
    assert hashlib.sha256(await made.whole()).hexdigest() == made.sha256


@pytest.mark.req("S-41")
async def test_three_crashes_on_one_digest_mark_it(hostile: CodecPool) -> None:
    for _ in range(3):
        with pytest.raises(CodecError, match="SIGABRT"):
            await convert(hostile, doing("abort"))
    started = hostile.started
    with pytest.raises(CodecError, match="3 times"):
        await convert(hostile, doing("abort"))
    assert hostile.started == started
    assert (await convert(hostile, doing("chatter"))).size_bytes


@pytest.mark.req("S-41")
async def test_a_child_is_confined(pool: CodecPool) -> None:
    assert pool.started == 0
    await convert(pool, public.public()["MR_small_RLE.dcm"])
    (child,) = pool.idle
    status = await asyncio.to_thread(Path(f"/proc/{child.pid}/status").read_text)
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert lines["NoNewPrivs"] == "1"
    assert lines["Seccomp"] == "2"
    address = resource.prlimit(child.pid, resource.RLIMIT_AS)
    assert address == (2 << 30, 2 << 30)
    assert resource.prlimit(child.pid, resource.RLIMIT_CPU)[0] <= 63
    assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE)[0] == LARGEST_FILE
    environment = await asyncio.to_thread(Path(f"/proc/{child.pid}/environ").read_bytes)
    assert b"HOME=" not in environment


async def test_a_child_dies_with_its_input_and_children_are_used_again(pool: CodecPool) -> None:
    one = public.public()["MR_small_RLE.dcm"]
    for _ in range(3):
        (await convert(pool, one)).drop()
    assert pool.started == 1
    (child,) = pool.idle
    os.kill(child.pid, 9)
    await until(lambda: not child.alive)
    (await convert(pool, one)).drop()
    assert pool.started == 2


async def test_idle_children_end_after_a_while(tmp_path: Path) -> None:
    pool = CodecPool(tmp_path / "work", CodecLimits(idle_s=0.05))
    await convert(pool, public.public()["MR_small_RLE.dcm"])
    await until(lambda: not pool.idle)
    await pool.close()


async def test_what_a_crash_left_goes_before_anything_is_converted(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "left by a crash.in").write_bytes(b"x")
    await CodecPool(work).close()
    assert not work.exists()


async def test_nothing_is_left_in_the_folder(pool: CodecPool, tmp_path: Path) -> None:
    work = tmp_path / "work"
    made = await convert(pool, public.public()["MR_small_RLE.dcm"])
    assert [path.suffix for path in work.iterdir()] == [".out"]
    made.drop()
    with pytest.raises(CodecError):
        await convert(pool, compressed("1.2.840.10008.1.2.5"))
    assert list(work.iterdir()) == []


async def test_a_source_that_fails_is_not_the_codec_s_fault(
    pool: CodecPool, tmp_path: Path
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"1234"
        raise EOFError

    with pytest.raises(EOFError):
        await pool.convert(pieces(), digest="x", has=BASELINE, wanted=EXPLICIT)
    assert list((tmp_path / "work").iterdir()) == []
    assert pool.started == 0


async def test_no_room_for_files_is_our_own_shortage(tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(b"a file where the folder should be")
    pool = CodecPool(tmp_path / "work")
    with pytest.raises(WorkroomError):
        await convert(pool, public.public()["MR_small_RLE.dcm"])
    await pool.close()


async def test_who_gives_up_leaves_no_child_in_the_middle(hostile: CodecPool) -> None:
    task = asyncio.create_task(convert(hostile, doing("hang")))
    await until(lambda: hostile.started == 1)
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not hostile.idle
    assert (await convert(hostile, doing("chatter"))).size_bytes


def damaged(one: Stored, seed: int) -> Stored:
    """Return the object with its code streams damaged at random, its fragments whole."""
    chance = random.Random(seed)
    data_set = public.as_dataset(one)
    frames = list(generate_frames(data_set.PixelData, number_of_frames=1))
    code = bytearray(frames[0])
    for _ in range(chance.randint(1, 30)):
        code[chance.randrange(min(len(code), 400))] = chance.randrange(256)
    if chance.random() < 0.3:
        del code[chance.randrange(len(code)) :]
    at = one.data_set.rindex(b"\xe0\x7f\x10\x00O")
    return replace(one, data_set=one.data_set[:at] + encapsulated([bytes(code)]))


@pytest.mark.req("S-41", "F27")
@pytest.mark.slow
async def test_damaged_code_streams_give_an_object_or_an_error_and_the_pool_goes_on(
    tmp_path: Path,
) -> None:
    limits = CodecLimits(address_bytes=1 << 30, cpu_s=3, frame_s=20.0, job_s=60.0)
    pool = CodecPool(tmp_path / "work", limits)
    by_syntax: dict[str, Stored] = {}
    for one in public.public().values():
        if one.transfer_syntax in reads() and len(one.data_set) < 300_000:
            by_syntax.setdefault(one.transfer_syntax, one)
    assert len(by_syntax) >= 7
    ended = 0
    for seed in range(12):
        for one in by_syntax.values():
            try:
                (await convert(pool, damaged(one, seed))).drop()
            except CodecError:
                ended += 1
    assert ended > 10
    for one in by_syntax.values():
        (await convert(pool, one)).drop()
    await pool.close()


async def test_a_source_that_comes_slowly_keeps_no_child_from_others(tmp_path: Path) -> None:
    pool = CodecPool(tmp_path / "work", CodecLimits(children=1))
    one = public.public()["MR_small_RLE.dcm"]
    others_went = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield one.data_set[:100]
        await others_went.wait()
        yield one.data_set[100:]

    ways = {"digest": one.digest, "has": one.transfer_syntax, "wanted": EXPLICIT}
    waiting = asyncio.create_task(pool.convert(slow(), **ways))
    await until(lambda: any((tmp_path / "work").glob("*.in")))
    async with asyncio.timeout(30):
        made = await convert(pool, one)
    others_went.set()
    assert (await waiting).sha256 == made.sha256
    await pool.close()
