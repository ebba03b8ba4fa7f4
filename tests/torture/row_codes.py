"""F8: every answer a destination can give (S-21, O1 to O8), each from a sink of its own."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.books import Row
from tests.torture.journal import reading
from tests.torture.rig import Rig
from tests.torture.row_peer import some
from waystation.app.simulated_pacs import Script
from waystation.dicom.uids import CT_IMAGE_STORAGE, IMPLICIT_VR_LE

IMAGES = 2
TRIES = 3  # of the rig's retry policy
SETTLED_S = 30.0
RECOVERED_S = 30.0

DONE = (0x0000,)
WARNED = (0xB000, 0xB006, 0xB007, 0xBFFE, 0x0001, 0x0107, 0x0116, 0x0111)
# Besides the listed ones some that stand in no list.
OBJECT = (0xA900, 0xC000, 0xC123, 0x0105, 0x0106, 0x0110, 0x0112, 0x0117, 0x0122, 0xFE00, 0x0042)
PROTOCOL = (0x0210, 0x0211, 0x0212)
TRANSIENT = (0xA700, 0xA702)
BLOCKED = (0x0124, 0x0214)
# Not in another syntax either: then it is held.
AS_IT_IS = {"o8-syntax": 'transcode = "never"'}


@dataclass(frozen=True, slots=True)
class Case:
    """One sink.  state: where its deliveries come to rest; tries: of each, 0 for any number.

    recovers: they wait until the sink is well again, and are charged nothing.
    """

    row: str
    script: Script
    state: str = "done"
    tries: int = 1
    recovers: bool = False


def _cases() -> dict[str, Case]:
    found = {"good": Case("O1", Script())}
    for status in WARNED:
        found[f"o2-{status:04x}"] = Case("O2", Script(status=status))
    for status in OBJECT:
        case = Case("O5", Script(status=status), "held:object-refused", TRIES)
        found[f"o5-{status:04x}"] = case
    for status in PROTOCOL:
        found[f"o6-{status:04x}"] = Case("O6", Script(status=status), "held:object-refused", 2)
    for status in TRANSIENT:
        found[f"o3-{status:04x}"] = Case("O3", Script(status=status), "waiting", recovers=True)
    for status in BLOCKED:
        found[f"o7-{status:04x}"] = Case("O7", Script(status=status), "waiting", recovers=True)
    wait = {"state": "waiting", "recovers": True}
    found["o3-reject"] = Case("O3", Script(reject="transient"), **wait)  # type: ignore[arg-type]
    found["o7-reject"] = Case("O7", Script(reject="permanent"), **wait)  # type: ignore[arg-type]
    found["o4-cut"] = Case("O4", Script(drop_every=2), tries=0)
    never = "held:no-context"
    found["o8-class"] = Case("O8", Script(accept_class=(CT_IMAGE_STORAGE,)), never)
    found["o8-syntax"] = Case("O8", Script(accept_syntax=(IMPLICIT_VR_LE,)), never)
    return found


@dataclass(frozen=True, slots=True)
class Fate:
    """What the journal says of one delivery."""

    state: str
    attempts: int
    charged: int
    status: int | None


def fates(data: Path) -> dict[str, list[Fate]]:
    """Return destination → its deliveries."""
    query = (
        "SELECT destination, state || coalesce(':' || hold_reason, ''), attempts,"
        " object_failures, status FROM delivery"
    )
    found: dict[str, list[Fate]] = {}
    try:
        with reading(data) as connection:
            for name, *rest in connection.execute(query):
                found.setdefault(str(name), []).append(Fate(*rest))
    except sqlite3.OperationalError:
        return {}
    return found


def every_code(folder: Path, *, seed: int) -> Row:
    """Each answer has its consequence: done, held for that sink, or waiting until it is well."""
    cases = _cases()
    faults: list[str] = []
    scripts = {name: case.script for name, case in cases.items()}
    with Rig(folder, scripts=scripts, lanes=AS_IT_IS) as rig:
        # One study for each image, so that none waits behind another.
        for number in range(IMAGES):
            rig.send(some(f"{seed}/{number}", 1))
        _until(rig, cases, SETTLED_S)
        before = fates(rig.data)
        for name, case in cases.items():
            faults += _wrong(name, case, before.get(name, []))
        for name, case in cases.items():
            if case.recovers:
                rig.sinks[name].follow(Script())
        # A destination that was edited is asked at once.
        edited = {name: 'linger = "1s"' for name, case in cases.items() if case.recovers}
        rig.configure({**edited, **AS_IT_IS})
        held = [name for name, case in cases.items() if case.state.startswith("held")]
        excused = dict.fromkeys(held, rig.books.acked)
        # This one said that it has the object already, and so kept none.
        excused["o2-0111"] = rig.books.acked
        row = rig.judge(
            "F8", runs=len(cases), allowed_repeats=0, excused=excused, drain_s=RECOVERED_S
        )
        after = fates(rig.data)
    for name, case in cases.items():
        if case.recovers and any(f.state != "done" or f.charged for f in after.get(name, [])):
            faults.append(f"{name}: {after.get(name)} once it was well")
    row.faults += faults
    return row


def _until(rig: Rig, cases: dict[str, Case], within_s: float) -> None:
    """Wait until every delivery that ends has ended."""
    ends = {name for name, case in cases.items() if not case.recovers}
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        now = fates(rig.data)
        if all(
            len(now.get(name, [])) == IMAGES
            and all(fate.state == cases[name].state for fate in now[name])
            for name in ends
        ):
            return
        time.sleep(0.1)


def _wrong(name: str, case: Case, found: list[Fate]) -> Iterator[str]:
    """Yield what is not as the row of the policy says."""
    if len(found) != IMAGES:
        yield f"{name}: {len(found)} deliveries of {IMAGES}"
    for fate in found:
        waits = case.recovers and fate.state in ("waiting", "sending")
        if not waits and fate.state != case.state:
            yield f"{name} ({case.row}): {fate.state} instead of {case.state}"
        elif fate.charged and case.row in ("O3", "O4", "O7"):
            yield f"{name} ({case.row}): the object was charged"
        elif case.tries and not case.recovers and fate.attempts != case.tries:
            yield f"{name} ({case.row}): {fate.attempts} attempts instead of {case.tries}"
        elif case.row == "O2" and fate.status != case.script.status:
            yield f"{name}: its code was not kept"
