"""De-identification: CT images of 258 elements, beside `dicom-anonymizer` and beside a plain relay.

Files: one process reads a file, takes the identity out and writes a new file, both by the Basic
Profile and without looking at the result; processor time counts, on one core.  Memory: what the
engine alone needs for one image, with the options of a research project, verification off and on.
What rules cost a relay is measured in `benchmarks.treating`.
"""

import logging
import mmap
import time
import tomllib
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.contenders import fresh
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import full_ct_study, into_page_cache
from benchmarks.plan import Bench
from benchmarks.treating import treated_relay
from tests.objects.study import Study
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta, read_meta
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.profile_read import read_profile
from waystation.transforms.deid.result import Deidentified

PEER = "dicom-anonymizer"
BAR_RATIO, BAR_MS, BAR_OFF, BAR_ON = 5.0, 3.0, 100.0, 50.0
MOST_FILES, META_BYTES = 200, 4096
SECRET = bytes(range(32))
Treat = Callable[[Path, Path], None]
RESEARCH = """
options = ["retain_modified_dates", "retain_patient_characteristics", "clean_descriptors",
           "clean_pixel_data"]
pseudonym = { source = "hmac", prefix = "LUNG-" }
dates = { range = "1d..3650d", keep_weekday = true }
text = { mode = "allow-list" }
"""


class Leaked(Exception):
    """What was made still says who the patient is, or is not whole."""


def engine(text: str) -> Deidentifier:
    """Return the engine for the keys of a profile table."""
    return Deidentifier(
        read_profile("bench", tomllib.loads(text), {}), derive(SECRET, "bench"), version="bench"
    )


def de_identified(content: memoryview, who: Deidentifier) -> tuple[bytes, bytes, memoryview]:
    """Return a new DICOM file for the content of one: file meta, head and tail."""
    meta = read_meta(bytes(content[:META_BYTES]))
    syntax = meta.transfer_syntax_uid
    data_set = content[meta.data_set_offset :]
    head = Head.from_bytes(data_set, syntax)
    made = who.treat(head)
    if not isinstance(made, Deidentified):
        raise Leaked(made.why)
    tail = data_set[head.pixel_offset : made.tail_end]
    if made.check is not None and (why := made.check.refusal(syntax, [made.head, tail])):
        raise Leaked(why)
    found = made.identity
    return file_meta(found.sop_class_uid, found.sop_instance_uid, syntax), made.head, tail


def ours() -> Treat:
    """Return what de-identifies a file with the engine."""
    who = engine('verify = "off"')

    def treat(source: Path, target: Path) -> None:
        with source.open("rb") as stored, target.open("wb") as file:
            content = memoryview(mmap.mmap(stored.fileno(), 0, access=mmap.ACCESS_READ))
            file.writelines(de_identified(content, who))

    return treat


def theirs() -> Treat:
    """Return what de-identifies a file with dicom-anonymizer, as its users call it."""
    anonymize = import_module("dicomanonymizer").anonymize_dicom_file
    logging.getLogger("dicomanonymizer").setLevel(logging.CRITICAL)

    def treat(source: Path, target: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anonymize(str(source), str(target))

    return treat


def files_per_s(treat: Treat, files: list[Path], folder: Path) -> float:
    """Return files per second of processor time; the first file is not counted."""
    fresh(folder)
    treat(files[0], folder / "first")
    began = time.process_time()
    for file in files:
        treat(file, folder / file.name)
    took = time.process_time() - began
    if len(list(folder.iterdir())) != len(files) + 1:
        raise Leaked(f"{len(files)} files in, another number out")
    return len(files) / took


def image_ms(files: list[Path], verify: bool) -> float:
    """Return milliseconds of processor time for one image in memory, scan of its head included."""
    who = engine(f'verify = "{"hold" if verify else "off"}"\n{RESEARCH}')
    contents = [memoryview(file.read_bytes()) for file in files]
    de_identified(contents[0], who)
    began = time.process_time()
    for content in contents:
        de_identified(content, who)
    return (time.process_time() - began) / len(files) * 1000


def deidentify(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return all figures of de-identification."""
    study = full_ct_study(bench, bench.amounts.ct)
    into_page_cache(study)
    figures = files_figures(bench, say, study) + memory_figures(bench, say, study)
    return figures + treated_relay(bench, say, study, RESEARCH) if bench.with_ours else figures


def files_figures(bench: Bench, say: Callable[[str], None], study: Study) -> list[Figure]:
    """Return files per second beside the peer."""
    files, rates = list(study.files[:MOST_FILES]), Samples()
    contenders = {OURS: ours(), PEER: theirs()}
    for number in range(-int(bench.amounts.warm_up), bench.amounts.rounds):
        for name, treat in contenders.items():
            rate = files_per_s(treat, files, bench.run)
            say(f"deidentify files {name}: {rate:.0f}/s")
            if number >= 0:
                rates.add(name, rate)
    return against_each("deidentify.files", "objects/s", rates, bars={PEER: BAR_RATIO})


def memory_figures(bench: Bench, say: Callable[[str], None], study: Study) -> list[Figure]:
    """Return what one image costs, and how many a core manages."""
    files, costs = list(study.files[:MOST_FILES]), Samples()
    for number in range(-1, bench.amounts.rounds):
        for name, verify in (("off", False), ("on", True)):
            cost = image_ms(files, verify)
            say(f"deidentify verification {name}: {cost:.2f} ms")
            if number >= 0:
                costs.add(name, cost)
    off, on = costs.median("off"), costs.median("on")
    assert off is not None
    assert on is not None
    return [
        Figure(name="deidentify.ct", unit="ms", ours=off, bar=BAR_MS, higher=False),
        Figure(name="deidentify.unverified", unit="objects/s", ours=1000 / off, bar=BAR_OFF),
        Figure(name="deidentify.verified", unit="objects/s", ours=1000 / on, bar=BAR_ON),
    ]
