"""The engine and the pixels over the test set, without a node: what `test_midi` and torture run.

Contract: `treated` does with one object what a lane would do: the new head before the old tail as
far as it may leave, then the pixel job.  `raw_hits` looks for everything that was planted in the
bytes of a whole output file, by itself and independently of any walk (D-42).
"""

import io
import tomllib
import zlib
from collections.abc import Iterable, Mapping

from tests.objects.files import Stored
from tests.objects.phi.generate import Case
from tests.objects.phi.key import REMOVALS
from tests.objects.phi.kinds import device_rules
from tests.objects.phi.packing import DEFLATED
from tests.objects.phi.people import Person
from tests.objects.phi.places import SAFE_CREATOR
from tests.objects.phi.score import Known
from tests.objects.phi.spellings import days, encodings, finder, moved
from waystation.dicom.head import Head
from waystation.dicom.part10 import file_meta
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.keys import derive
from waystation.transforms.deid.profile_read import read_profile
from waystation.transforms.deid.result import Held
from waystation.transforms.redact import redact

PROFILE = """
edition = "2026c"
project = { id = "midi" }
options = ["retain_modified_dates", "retain_patient_characteristics", "clean_descriptors",
           "clean_structured_content", "retain_safe_private", "clean_pixel_data"]
pseudonym = { source = "hmac", prefix = "MIDI-" }
dates = { range = "1d..3650d", keep_weekday = true }
text = { mode = "allow-list" }
private = { safe = ["site.csv"] }
pixels = { rules = ["devices.toml"] }
"""
SAFE = f"creator,group,element\n{SAFE_CREATOR},0019,xx10\n"


def deidentifier(secret: bytes = bytes(range(32))) -> Deidentifier:
    """Return the de-identifier of the test set."""
    files = {"site.csv": SAFE, "devices.toml": device_rules()}
    profile = read_profile("midi", tomllib.loads(PROFILE), files)
    return Deidentifier(profile, derive(secret, "midi-1"), version="1")


def treated(one: Stored, engine: Deidentifier) -> Stored | Held:
    """Return an object as it would leave, or why it would not."""
    head = Head.from_bytes(one.data_set, one.transfer_syntax)
    found = engine.treat(head)
    if isinstance(found, Held):
        return found
    plain = one.data_set
    if one.transfer_syntax == DEFLATED:
        plain = zlib.decompress(plain, -zlib.MAX_WBITS)
    data_set, syntax = found.head + plain[head.pixel_offset : found.tail_end], one.transfer_syntax
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data_set = packer.compress(data_set) + packer.flush()
        data_set += b"\0" * (len(data_set) % 2)
    if found.pixels.job is not None:
        out = io.BytesIO()
        what = (syntax, found.pixels.job)
        syntax, _ = redact(io.BytesIO(data_set), io.BytesIO(), out, what, lambda _: None)
        data_set = out.getvalue()
    return Stored(
        sop_class=one.sop_class,
        sop_instance=found.identity.sop_instance_uid,
        transfer_syntax=syntax,
        data_set=data_set,
    )


def outputs_of(
    cases: Iterable[Case], engine: Deidentifier
) -> tuple[dict[str, Stored], dict[str, str]]:
    """Return the outputs and the reasons of what was held, by original SOP Instance UID."""
    outputs: dict[str, Stored] = {}
    held: dict[str, str] = {}
    for case in cases:
        found = treated(case.stored, engine)
        if isinstance(found, Held):
            held[case.stored.sop_instance] = found.why
        else:
            outputs[case.stored.sop_instance] = found
    return outputs, held


def planted(cases: Iterable[Case], who: Person) -> tuple[set[str], set[str]]:
    """Return the words and UIDs, and the dates, that tell who a subject is."""
    words, dates = set(who.tokens), {who.birth, *who.dates}
    for case in cases:
        for answer in case.answers:
            if answer.action in REMOVALS and answer.box is None:
                words |= {word for word in answer.words if word not in dates}
    return words - {"high bits"}, dates


def raw_hits(cases: list[Case], outputs: Mapping[str, Stored], known: Known) -> list[str]:
    """Return where something planted stands in the bytes of one subject's outputs."""
    who = cases[0].who
    words, dates = planted(cases, who)
    shift = known.shifts.get(who.patient_id, 0)
    # A moved date may come to lie on another one of the same patient: that tells nothing.
    dates -= {moved(day, shift) for day in dates}
    pattern = finder(
        {form for word in words for form in encodings(word)},
        {form for day in dates for form in days(day)},
    )
    hits = []
    for case in cases:
        output = outputs.get(case.stored.sop_instance)
        if output is None:
            continue
        meta = file_meta(output.sop_class, output.sop_instance, output.transfer_syntax)
        data_set = output.data_set
        if output.transfer_syntax == DEFLATED:
            data_set += zlib.decompress(data_set, -zlib.MAX_WBITS)
        found = pattern.search(meta + data_set)
        if found:
            hits.append(f"{found[0]!r} in {case.name}")
    return hits
