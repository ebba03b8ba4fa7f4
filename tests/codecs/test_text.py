"""A confined program reads pictures; what goes wrong with it never counts as "nothing there"."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.objects import public
from tests.objects.files import Stored
from tests.objects.layouts import Picture
from tests.objects.written import NAME, drawn
from tests.peers.program import need
from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pool import CodecPool
from waystation.codecs.text import ARGUMENTS, COLUMNS, ReadingLimits, TextReader, is_word, program

TESSERACT = "/usr/bin/tesseract"
J2K = "1.2.840.10008.1.2.4.90"
CT = Picture(rows=96, columns=192, allocated=16, stored=12)
RGB = Picture(rows=96, columns=192, samples=3, photometric="RGB")
HEADER = "\t".join(str(number) for number in range(COLUMNS))
# What a program finds out about where it runs, as its exit code.
CURIOUS = f"""#!{sys.executable}
import os, resource, socket, sys
assert sys.argv[1:] == {list(ARGUMENTS)!r}
print({HEADER!r})
try:
    socket.socket()
except OSError:
    pass
else:
    sys.exit(3)
try:
    with open({{place!r}}, "wb") as file:
        file.write(b"x")
except OSError:
    pass
else:
    sys.exit(4)
if resource.getrlimit(resource.RLIMIT_AS)[0] != {1 << 30}:
    sys.exit(5)
if "LUNG_KEY" in os.environ:
    sys.exit(6)
if not sys.stdin.buffer.read().startswith(b"\\x89PNG"):
    sys.exit(7)
"""


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[CodecPool]:
    made = CodecPool(tmp_path / "work")
    yield made
    await made.close()


def native(picture: Picture, text: str = "", *, from_frame: int = 1) -> Stored:
    numbers = drawn(picture)
    numbers[from_frame - 1 :] = drawn(picture, text)[from_frame - 1 :]
    data_set = picture.data_set(picture.laid_out(numbers))
    return Stored(sop_class="", sop_instance="", transfer_syntax=public.EXPLICIT, data_set=data_set)


async def compressed(pool: CodecPool, one: Stored) -> Stored:
    made = await pool.convert(one.data_set, digest=one.digest, has=one.transfer_syntax, wanted=J2K)
    data_set = await made.whole()
    made.drop()
    return replace(one, transfer_syntax=J2K, data_set=data_set)


async def frame_of(reader: TextReader, one: Stored) -> int | None:
    return await reader.frame_with_text(one.data_set, digest=one.digest, syntax=one.transfer_syntax)


@pytest.mark.peer
@pytest.mark.req("D-36")
async def test_text_is_found_in_any_frame_compressed_or_not_and_only_where_it_is(
    pool: CodecPool,
) -> None:
    need(TESSERACT)
    reader = TextReader(pool)
    assert await frame_of(reader, native(replace(CT, frames=2), NAME, from_frame=2)) == 2
    assert await frame_of(reader, await compressed(pool, native(CT, NAME))) == 1
    assert await frame_of(reader, native(RGB)) is None
    real = public.distinct()
    assert await frame_of(reader, real["GDCMJ2K_TextGBR.dcm"]) == 1
    assert await frame_of(reader, real["CT_small.dcm"]) is None
    assert list((pool._folder).iterdir()) == []


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "reader"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.req("D-36", "S-41")
async def test_the_program_has_no_network_no_files_little_memory_and_no_secrets(
    pool: CodecPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNG_KEY", "6" * 64)
    named = script(tmp_path, CURIOUS.replace("{place!r}", repr(str(tmp_path / "left"))))
    reader = TextReader(pool, ReadingLimits(address_bytes=1 << 30), named=named)
    assert await frame_of(reader, native(CT)) is None


FAILING = {
    "#!/bin/sh\nexit 3\n": "failed in frame 1 (exit 3)",
    "#!/bin/sh\nkill -9 $$\n": "failed in frame 1 (exit -9)",
    "#!/bin/sh\nexit 0\n": "failed in frame 1 (exit 0)",
    "#!/bin/sh\necho Usage: reader\n": "failed in frame 1 (exit 0)",
    "#!/bin/sh\nexec sleep 60\n": "took longer than 0.3 s",
    "no program\n": "failed in frame 1",
}


@pytest.mark.req("D-36", "D-39")
async def test_a_program_that_does_not_do_its_work_fails_the_object(
    pool: CodecPool, tmp_path: Path
) -> None:
    one = native(Picture(rows=8, columns=8))
    for text, why in FAILING.items():
        limits = ReadingLimits(picture_s=0.3 if "sleep" in text else 60.0)
        reader = TextReader(pool, limits, named=script(tmp_path, text))
        with pytest.raises(CodecError) as error:
            await frame_of(reader, one)
        assert why in str(error.value)


@pytest.mark.req("D-36")
async def test_without_the_program_or_without_pixels_nothing_is_said_to_be_clean(
    pool: CodecPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = TextReader(pool, named=script(tmp_path, f"#!/bin/sh\necho '{HEADER}'\n"))
    with pytest.raises(CodecError):
        await frame_of(reader, replace(native(CT), data_set=CT.head()))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() is None
    with pytest.raises(WorkroomError, match="tesseract, which is not installed"):
        await frame_of(TextReader(pool), native(CT))
    assert program({"PATH": "/usr/bin"}) in (TESSERACT, None)


def line(sure: str, word: str, height: str = "14") -> str:
    return "\t".join([*("1" for _ in range(COLUMNS - 3)), height, sure, word])


@pytest.mark.req("D-36")
@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (line("96.5", "ERIKA"), True),
        (line("96.5", "ERIKA", "9"), False),
        (line("96.5", "ERIKA", "high"), False),
        (line("60", "17."), False),
        (line("60", "17.3"), True),
        (line("60", "Müß"), True),
        (line("59.9", "ERIKA"), False),
        (line("-1", ""), False),
        (line("95", "———|"), False),
        (line("sure", "ERIKA"), False),
        ("ERIKA", False),
        ("", False),
    ],
)
def test_a_word_counts_if_it_is_sure_and_long_enough(said: str, counts: bool) -> None:
    assert is_word(said) is counts


def test_the_text_of_these_tests_is_not_all_there_is_to_see() -> None:
    assert (drawn(CT, NAME) != drawn(CT)).sum() < 0.03 * CT.rows * CT.columns
    assert np.unique(drawn(CT)).size > 50
