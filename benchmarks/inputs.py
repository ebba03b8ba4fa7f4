"""The files that everybody receives: made once, kept between runs, read once before each."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.plan import Bench
from tests.objects.full_ct import full_ct
from tests.objects.huge import make_multiframe
from tests.objects.samples import as_file
from tests.objects.study import Study, make_study, uid_of


def study(bench: Bench, kind: str, count: int) -> Study:
    """Return a study of ``count`` objects, spread over one folder for each parallel sender."""

    def make(folder: Path) -> Study:
        return make_study(folder, kind, count, seed=folder.name, folders=bench.senders)

    return kept(bench.inputs / f"{kind}-{count}", make)


def full_ct_study(bench: Bench, count: int) -> Study:
    """Return a study of CT images as a scanner writes them, 258 elements each."""

    def make(folder: Path) -> Study:
        folder.mkdir(parents=True)
        files, digests = [], {}
        for number in range(1, count + 1):
            one = full_ct(number, seed=folder.name)
            files.append(folder / f"{number:06}.dcm")
            files[-1].write_bytes(as_file(one))
            digests[one.sop_instance] = one.digest
        uid = uid_of(folder.name, "study")
        return Study(folder=folder, study_uid=uid, files=tuple(files), digests=digests)

    return kept(bench.inputs / f"full-ct-{count}", make)


def kept(folder: Path, make: Callable[[Path], Study]) -> Study:
    """Return the study in ``folder``, made if it is not there as a whole."""
    done = folder.with_suffix(".done")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = make(folder)
        done.write_text("\n".join(f"{uid} {digest}" for uid, digest in made.digests.items()))
        os.sync()
        return made
    digests = dict(line.split(" ") for line in done.read_text().splitlines())
    files = tuple(sorted(folder.rglob("*.dcm"), key=lambda file: file.name))
    return Study(
        folder=folder, study_uid=uid_of(folder.name, "study"), files=files, digests=digests
    )


def parts(study: Study) -> list[Path]:
    """Return the sub-folders of a study, one for each parallel sender."""
    return sorted(folder for folder in study.folder.iterdir() if folder.is_dir())


def big_file(bench: Bench) -> Path:
    """Return one multi-frame object that every receiver takes."""
    return multiframe(bench, bench.amounts.big_bytes)


def huge_file(bench: Bench) -> Path:
    """Return one multi-frame object for our node alone: not every receiver takes it."""
    return multiframe(bench, bench.amounts.through_bytes)


def multiframe(bench: Bench, size_bytes: int) -> Path:
    file = bench.inputs / f"big-{size_bytes}.dcm"
    if not file.exists():
        bench.inputs.mkdir(parents=True, exist_ok=True)
        make_multiframe(file, size_bytes)
    return file


def into_page_cache(study: Study) -> None:
    """Read every file, so that nobody pays for being first."""
    for file in study.files:
        file.read_bytes()
