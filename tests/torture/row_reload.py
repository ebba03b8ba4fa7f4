"""F20: reloads that are broken: the last good configuration stays, and the trouble is shown."""

import os
import signal
import time
from pathlib import Path

import trustme

from tests.torture.books import Row
from tests.torture.rig import Rig
from tests.torture.row_peer import some

REJECTED = "configuration rejected"
SHOWN_S = 10.0


def broken_reloads(folder: Path, *, seed: int) -> Row:
    """Each broken file changes nothing; a start on it runs on the last good text (F20, R-2)."""
    faults: list[str] = []
    with Rig(folder) as rig:
        broken = _broken(folder, rig.node.config_file.read_text())
        rig.send(some(f"{seed}/before", 2))
        for name, text in broken.items():
            shown = rig.node.log.count(REJECTED)
            rig.node.config_file.write_text(text)
            os.kill(rig.node.pid, signal.SIGHUP)
            if not _appears(rig, shown + 1):
                faults.append(f"{name}: not reported")
            if rig.send(some(f"{seed}/{name}", 2)).get("acked") != 2:
                faults.append(f"{name}: objects are refused")
        if not rig.drain(within_s=10.0):
            faults.append("what came under a broken file was not delivered")
        rig.node.config_file.write_text(broken["unknown key"])
        rig.kill()
        rig.start()
        if "last good configuration" not in rig.node.log:
            faults.append("the start on a broken file does not say what it runs on")
        rig.send(some(f"{seed}/restarted", 2))
        late = rig.crowd.sink("second")
        rig.sinks["second"] = late
        rig.ports["second"] = late.port
        before = set(rig.books.acked)
        rig.configure()
        os.kill(rig.node.pid, signal.SIGHUP)
        time.sleep(1.0)
        rig.send(some(f"{seed}/good", 2))
        row = rig.judge("F20", runs=len(broken), excused={"second": before})
    row.faults += faults
    return row


def _appears(rig: Rig, times: int) -> bool:
    limit = time.monotonic() + SHOWN_S
    while time.monotonic() < limit:
        if rig.node.log.count(REJECTED) >= times:
            return True
        time.sleep(0.05)
    return False


def _broken(folder: Path, good: str) -> dict[str, str]:
    """Return what is wrong → a text with that fault."""
    authority, other = trustme.CA(), trustme.CA()
    own, alien = authority.issue_cert("localhost"), other.issue_cert("localhost")
    files = {
        "ca.pem": authority.cert_pem.bytes(),
        "own.pem": own.cert_chain_pems[0].bytes(),
        "own.key": own.private_key_pem.bytes(),
        "alien.key": alien.private_key_pem.bytes(),
        "cut.pem": own.cert_chain_pems[0].bytes()[:300],
        "empty.pem": b"",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)

    def tls(**named: str) -> str:
        inside = ", ".join(f'{key} = "{folder / name}"' for key, name in named.items())
        return good.replace("parallel = ", f"tls = {{ {inside} }}\nparallel = ", 1)

    return {
        "no TOML": good + "\n[[[",
        "unknown key": good + '\n[spool]\nkepe = "1d"\n',
        "wrong type": good.replace("parallel = 2", 'parallel = "many"'),
        "unknown destination": good.replace('send = ["', 'send = ["nowhere", "'),
        "no such certificate": tls(ca="missing.pem"),
        "empty authority": tls(ca="empty.pem"),
        "cut certificate": tls(ca="ca.pem", certificate="cut.pem", key="own.key"),
        "alien key": tls(ca="ca.pem", certificate="own.pem", key="alien.key"),
    }
