"""D-45: the ten-action score over all subjects of the test set, and the scan of every byte (D-44).

Subject by subject, in an order that the seed gives: what is known of one patient must not depend
on who came before.
"""

import random
from collections import Counter
from pathlib import Path

from tests.objects.phi.generate import cases
from tests.objects.phi.key import ACTIONS
from tests.objects.phi.score import Known, Score, score
from tests.torture.books import Row
from tests.transforms.deid.midi import deidentifier, outputs_of, raw_hits

WHOLE = ("text_removed", "uid_consistent", "patid_consistent", "pixels_hidden")
BAR = 0.999
SHOWN = 20


def ten_actions(_: Path, *, seed: int, subjects: int = 500) -> Row:
    """Score ``subjects`` subjects; 100 % where D-48 asks for it, 99.9 % overall, 0 raw hits."""
    order = list(range(subjects))
    random.Random(seed).shuffle(order)
    engine, known, total = deidentifier(), Known(), Score()
    hits: list[str] = []
    why: Counter[str] = Counter()
    row = Row(row="D-45", runs=subjects)
    for number in order:
        subject = cases(number)
        outputs, held = outputs_of(subject, engine)
        total.add(score(subject, outputs, known))
        hits += raw_hits(subject, outputs, known)
        why.update(held.values())
        row.attempted += len(subject)
        row.delivered += len(outputs)
    row.notes = [
        *total.table.split("\n"),
        *(f"held: {count} {text}" for text, count in why.items()),
    ]
    row.faults = [
        f"{action} {total.share(action):.3%}" for action in WHOLE if total.share(action) < 1
    ]
    if total.overall < BAR:
        row.faults.append(f"overall {total.overall:.3%}")
    row.faults += hits[:SHOWN] + total.misses[:SHOWN] * bool(row.faults)
    assert set(total.required) == set(ACTIONS)
    return row
