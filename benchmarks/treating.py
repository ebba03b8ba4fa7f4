"""What the steps of a rule cost: our relay without any, with validation and edits, de-identifying.

The same images, the same sink, in turn.  Acceptance is what the sender sees; the relay ends with
the last byte at the sink.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import OurNode, fresh
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.plan import Bench
from benchmarks.relay import settled
from benchmarks.sending import send
from tests.objects.full_ct import PATIENT_ID
from tests.objects.study import Study
from tests.peers.dcmtk import StoreScp
from tests.peers.node import destination
from tests.peers.program import wait_until

HALF = 1 << 18  # of the pixels of a CT
EDITS = """
validate = ["patient"]
edit = [
  { set = "InstitutionName", to = "St Mary" },
  { replace = "AccessionNumber", prefix = "SM-", cut = 16 },
]

[validate.patient]
required = ["PatientID", "PatientName"]
patterns = { PatientID = "[0-9A-Z]+" }
"""
DEIDENTIFIES = """
deidentify = "bench"

[deidentify.bench]
project = { id = "bench", key = { env = "BENCH_KEY" } }
"""
PLAIN, EDITED, DEIDENTIFIED = "plain", "edited", "de-identified"
BARS: dict[str, dict[str, float]] = {DEIDENTIFIED: {PLAIN: 0.5}, EDITED: {}}
ACCEPT_BARS: dict[str, dict[str, float]] = {DEIDENTIFIED: {}, EDITED: {PLAIN: 0.9}}


class Wrong(Exception):
    """What arrived is not what was to arrive."""


def treated_relay(
    bench: Bench, say: Callable[[str], None], study: Study, profile: str
) -> list[Figure]:
    """Return the figures of all kinds of rules, with the plain one as their peer."""
    steps = {DEIDENTIFIED: DEIDENTIFIES + profile, EDITED: EDITS, PLAIN: ""}
    relays = {kind: Samples() for kind in steps}
    accepts = {kind: Samples() for kind in steps}
    for number in range(-int(bench.amounts.warm_up), bench.amounts.rounds):
        for kind, text in steps.items():
            relayed, accepted = one_run(bench.run, study, kind, text)
            say(f"treating {kind}: {relayed:.0f}/s, accepted {accepted:.0f}/s")
            if number < 0:
                continue
            for samples, rate in ((relays, relayed), (accepts, accepted)):
                for other in steps if kind == PLAIN else (kind,):
                    samples[other].add(PLAIN if kind == PLAIN else OURS, rate)
    figures: list[Figure] = []
    for kind in (DEIDENTIFIED, EDITED):
        figures += against_each(f"treating.{kind}", "objects/s", relays[kind], bars=BARS[kind])
        name = f"treating.{kind}.accepted"
        figures += against_each(name, "objects/s", accepts[kind], bars=ACCEPT_BARS[kind])
    return figures


def one_run(folder: Path, study: Study, kind: str, steps: str) -> tuple[float, float]:
    """Return objects per second to the last one at the sink, and as the sender sees it."""
    fresh(folder)
    wanted = len(study.files)
    with StoreScp(folder / "sink", ae_title="SINK") as sink:
        locked = "only_deidentified = true" if kind == DEIDENTIFIED else ""
        config = destination("sink", sink.port, ae_title=sink.ae_title, extra=locked)
        config += f'\n[[rule]]\nname = "all"\nsend = ["sink"]\n{steps}'
        router = OurNode(folder / "router", config, environment={"BENCH_KEY": "ab" * 32})
        try:
            began = time.time()
            took = send(router, [study.folder])
            wait_until(lambda: sink.count() >= wanted, f"{wanted} at the sink", within_s=600)
            settled(sink)
        finally:
            router.close()
        prove(sink, study, kind)
        last = max(file.stat().st_mtime for file in sink.files())
        return wanted / (last - began), wanted / took


def prove(sink: StoreScp, study: Study, kind: str) -> None:
    """Compare what arrived: the same images; or other identities before the same pixels."""
    found = sink.digests()
    if kind != DEIDENTIFIED:
        # storescu encodes some elements anew: bytes are compared in the figure `relay.ct`.
        if found.keys() != study.digests.keys():
            raise Wrong("other images arrived than were sent")
        return
    if len(found) != len(study.digests) or found.keys() & study.digests.keys():
        raise Wrong("other images arrived than were to")
    tails = set()
    for file in sink.files():
        content = file.read_bytes()
        if PATIENT_ID.encode() in content[:-HALF]:
            raise Wrong("a Patient ID arrived")
        tails.add(hashlib.sha256(content[-HALF:]).hexdigest())
    if len(tails) != 1:
        raise Wrong("pixels were changed")
