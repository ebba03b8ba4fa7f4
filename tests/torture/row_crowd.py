"""F7, F15, F16, F24: many senders, many associations, idle and vanishing ones."""

import asyncio
import contextlib
import socket
import time
from dataclasses import replace
from pathlib import Path

from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.files import Stored
from tests.peers.raw import ASSOCIATE_AC, ASSOCIATE_RJ, RawClient
from tests.torture import journal
from tests.torture.books import Row
from tests.torture.crowd import HOST, LARGE, QUICK, SMALL
from tests.torture.rig import Rig
from tests.torture.row_peer import some
from waystation.app.synthetic import Image
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.net.client import VERIFICATION, Call
from waystation.wire.negotiate import propose

IMPLICIT = "1.2.840.10008.1.2"
ELSEWHERE = "127.0.0.2"


def many_senders(
    folder: Path, *, seed: int, senders: int = 20, times: int = 5, images: int = 50
) -> Row:
    """Many send one study again and again: it is delivered once (F7, S-17)."""

    async def everybody(rig: Rig) -> None:
        async def one() -> None:
            for _ in range(times):
                await rig.crowd.send(rig.port, some(seed, images))

        await asyncio.gather(*(one() for _ in range(senders)))

    with Rig(folder) as rig:
        rig.crowd.do(everybody(rig), within_s=600.0)
        rig.drain()
        first = next(iter(some(seed, 1)))
        other = replace(first, data=first.data[:-2] + b"\x01\x02")
        rig.send([other])
        excused = {(other.sop_instance, other.sha256)}
        row = rig.judge("F7", runs=senders * times, allowed_repeats=0, excused=excused)
        delivered = rig.books.delivered["sink"]
        kept = journal.arrivals(rig.data)
    if row.delivered != images or (other.sop_instance, other.sha256) in delivered:
        row.faults.append(f"{row.delivered} deliveries of {images} images")
    if kept < images + 1:
        row.faults.append("the other bytes under a known UID were not kept")
    return row


def echo_from(port: int) -> Remote:
    return Remote(name="node", ae_title="WAYSTATION", host=HOST, port=port, calling_ae="ECHO")


async def open_call(port: int) -> Call:
    """Open an association that can echo.  Raises `UnreachableError`."""
    return await Call.open(echo_from(port), propose([(VERIFICATION, [IMPLICIT])])[0], QUICK)


def two_hundred(folder: Path, *, seed: int, most: int = 200, storm_s: float = 10.0) -> Row:
    """200 associations are served, one more hears 2/3/2, a storm of connects harms nobody (F15)."""
    faults: list[str] = []

    async def crowd(rig: Rig) -> None:
        calls = [await open_call(rig.port) for _ in range(most)]
        statuses = [(await call.echo()).status for call in calls]
        if any(statuses):
            faults.append("an echo was not answered with success")
        try:
            extra = await open_call(rig.port)
            extra.abort()
            faults.append(f"association {most + 1} was accepted")
        except UnreachableError as error:
            if "2/3/2" not in str(error):
                faults.append(f"association {most + 1}: {error}")
        await asyncio.gather(*(call.release() for call in calls))

    with Rig(folder) as rig:
        rig.crowd.do(crowd(rig))
        opened = rig.crowd.do(storm(rig.port, storm_s))
        rig.send(some(seed, 5))
        rig.send(some(f"{seed}/large", 2, LARGE))
        row = rig.judge("F15", runs=most, allowed_repeats=0)
    row.faults += faults
    if row.acked != 7:
        row.faults.append("does not accept after the storm")
    row.notes.append(f"{opened} connects in {storm_s:.0f} s")
    return row


async def storm(port: int, seconds: float, per_s: int = 1000) -> int:
    """Connect and close again, from another address, so many times a second."""
    loop = asyncio.get_running_loop()
    began, opened = loop.time(), 0
    while (passed := loop.time() - began) < seconds:
        for _ in range(max(0, int(passed * per_s) - opened)):
            opened += 1
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port, local_addr=(ELSEWHERE, 0))
                writer.transport.abort()
        await asyncio.sleep(0.01)
    return opened


def idle_sockets(folder: Path, *, seed: int, sockets: int = 60, patience_s: float = 13.0) -> Row:
    """Idle and dripping sockets and endless messages do not use up the service (F16)."""
    faults: list[str] = []
    with Rig(folder) as rig, contextlib.ExitStack() as stack:
        idle = []
        for _ in range(sockets):
            with contextlib.suppress(OSError):
                one = socket.create_connection((HOST, rig.port), 5.0, (ELSEWHERE, 0))
                idle.append(stack.enter_context(contextlib.closing(one)))
        raw = stack.enter_context(RawClient(rig.port))
        raw.associate([(some(seed, 1).uid and VERIFICATION, (IMPLICIT,))])
        raw.send(b"\x04\x00\x00\x00\x10\x00")  # a PDU that never ends
        began = time.monotonic()
        while time.monotonic() - began < patience_s:
            with contextlib.suppress(OSError):
                idle[0].send(b"\x01")
            echoed_s = rig.crowd.do(_echo_seconds(rig.port))
            if echoed_s > 1.0:
                faults.append(f"an echo took {echoed_s:.1f} s")
            time.sleep(2.0)
        if patience_s > 10.0:
            open_still = [one for one in idle if not _closed(one)]
            if open_still:
                faults.append(f"{len(open_still)} idle sockets are open after {patience_s:.0f} s")
        rig.send(some(seed, 5))
        row = rig.judge("F16", runs=sockets, allowed_repeats=0)
    row.faults += faults
    return row


async def _echo_seconds(port: int) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    call = await open_call(port)
    await call.echo()
    seconds = loop.time() - began
    await call.release()
    return seconds


def _closed(one: socket.socket) -> bool:
    one.settimeout(0.2)
    try:
        return one.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def vanishing_sender(folder: Path, *, seed: int, times: int = 20) -> Row:
    """Senders that go away in the middle of an object leave nothing behind (F24)."""
    faults: list[str] = []
    with Rig(folder) as rig:
        for number in range(times):
            size = LARGE if number % 2 else SMALL
            _vanish(rig.port, next(iter(some(f"{seed}/{number}", 1, size))), number / times)
        limit = time.monotonic() + 5.0
        while (left := leftovers(rig.data)) and time.monotonic() < limit:
            time.sleep(0.05)
        if left:
            faults.append(f"{left} files with content are left")
        if journal.arrivals(rig.data):
            faults.append("an object that was not whole has a row")
        rig.send(some(f"{seed}/whole", 3))
        row = rig.judge("F24", runs=times, allowed_repeats=0)
    row.faults += faults
    return row


def leftovers(data: Path) -> int:
    """Return how many blobs have content."""
    files = (file for file in (data / "blobs").rglob("*") if file.is_file())
    return sum(file.stat().st_size > 0 for file in files)


def _vanish(port: int, image: Image, share: float) -> None:
    """Send a part of a request and close."""
    stored = Stored(
        sop_class=image.sop_class,
        sop_instance=image.sop_instance,
        transfer_syntax=image.transfer_syntax,
        data_set=image.data,
    )
    with RawClient(port) as raw:
        answer = raw.associate([(image.sop_class, (EXPLICIT_LITTLE,))])
        assert answer is not None
        assert answer[0] == ASSOCIATE_AC != ASSOCIATE_RJ
        request = raw.store_request(stored)
        with contextlib.suppress(OSError, LostError):
            raw.send(request[: max(1, int(len(request) * share))])
