"""The archive beside Orthanc and dcmqrscp: storing into it, finding in it, fetching from it.

Finding: a raw client asks for studies by PatientID, one query after the other over one
association, each for another patient; the requests are made before the clock starts.  Fetching:
movescu (towards a storescp that keeps nothing) and getscu, their start of some 20 ms included,
for everybody alike.  dcmqrscp keeps 500 studies per area, so it is asked at 500.
"""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmarks.archive_inputs import fill, patient_of, widen
from benchmarks.contenders import OurNode, Receiver, fresh
from benchmarks.figures import OURS, Figure, Samples, against_each
from benchmarks.inputs import into_page_cache, parts, study
from benchmarks.lanes import discarding_sink
from benchmarks.plan import Bench
from benchmarks.sending import send
from tests.objects.elements import element
from tests.peers.dcmqrscp import GETSCU, MOVESCU, QrScp, ask
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.program import HOST, wait_until
from tests.peers.raw import COMMAND, DATA_SET, LAST, RawClient, command_set, data_pdus
from waystation.dicom.compose import compose
from waystation.dicom.uids import EXPLICIT_VR_LE, STUDY_ROOT_FIND

ORTHANC, DCMQRSCP = "orthanc", "dcmqrscp"
LIMIT_OF_DCMQRSCP = 500
QUERIES, WARM, WARM_RUNS = 300, 10, 3
C_FIND_RQ, PENDING = 0x0020, 0xFF00
BAR_FIND, BAR_FLAT, BAR_FETCH, BAR_STORE = 2.0, 0.8, 1.0, 2.0
ASKER = "ASKER"
EVERYBODY_MAY = {
    "DicomAlwaysAllowFind": True,
    "DicomAlwaysAllowGet": True,
    "DicomAlwaysAllowMove": True,
}


class WrongAnswer(Exception):
    """Somebody did not find or fetch what it has: the run is worth nothing."""


class Archive(Protocol):
    """Whom `find_rate` asks."""

    @property
    def port(self) -> int: ...

    @property
    def ae_title(self) -> str: ...


def find_request(patient: str, message_id: int) -> bytes:
    """Return the PDUs of one C-FIND-RQ for the studies of a patient (PS3.7 table 9.3-2)."""
    identifier = compose(
        {
            0x00080020: ("DA", ""),
            0x00080050: ("SH", ""),
            0x00080052: ("CS", "STUDY"),
            0x00081030: ("LO", ""),
            0x00100010: ("PN", ""),
            0x00100020: ("LO", patient),
            0x0020000D: ("UI", ""),
        },
        EXPLICIT_VR_LE,
    )
    command = command_set(
        element(0x00000002, "UI", STUDY_ROOT_FIND, implicit=True),
        element(0x00000100, "US", C_FIND_RQ, implicit=True),
        element(0x00000110, "US", message_id, implicit=True),
        element(0x00000700, "US", 0, implicit=True),
        element(0x00000800, "US", DATA_SET, implicit=True),
    )
    return data_pdus(1, COMMAND | LAST, command) + data_pdus(1, LAST, identifier)


def answered(client: RawClient) -> int:
    """Read the answers to one request; return how many studies there were."""
    found = 0
    while (status := client.status()) == PENDING:
        found += 1
        client.read_message()
    if status:
        raise WrongAnswer(f"status {status}")
    return found


def find_rate(archive: Archive, studies: int, queries: int = QUERIES) -> float:
    """Return queries per second for one patient each, of patients at random."""
    chosen = random.Random(studies)
    patients = [patient_of(chosen.randrange(studies)) for _ in range(queries)]
    requests = [find_request(one, number + 1) for number, one in enumerate(patients)]
    with RawClient(archive.port) as client:
        client.associate(
            [(STUDY_ROOT_FIND, (EXPLICIT_VR_LE,))], called=archive.ae_title, calling=ASKER
        )
        # The first ones pay for what is loaded late.
        for request in requests[:WARM]:
            client.send(request)
            answered(client)
        began = time.perf_counter()
        for patient, request in zip(patients, requests, strict=True):
            client.send(request)
            if answered(client) != 1:
                raise WrongAnswer(f"{patient}: not one study")
        took = time.perf_counter() - began
        client.release()
    return len(patients) / took


def warm_rate(archive: Archive, studies: int) -> float:
    """Return the best of some rates: a node that was just started has read nothing yet."""
    return max(find_rate(archive, studies) for _ in range(WARM_RUNS))


def filled(receiver: Receiver, studies: int, per_study: int) -> float:
    """Fill an archive; return objects per second, once it has them all."""
    rate = fill(receiver, studies, per_study)
    wait_until(lambda: receiver.count() >= studies * per_study, "all is stored", within_s=120)
    return rate


def finding(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the rates of C-FIND, and of storing what is found."""
    studies, per_study = bench.amounts.archive
    rates, stored = Samples(), Samples()
    everybody: dict[str, Callable[[Path], Receiver]] = {
        ORTHANC: lambda folder: Orthanc(folder, settings=EVERYBODY_MAY)
    }
    if bench.with_ours:
        everybody = {
            OURS: lambda folder: OurNode(folder, "[archive]\nenabled = true\n")
        } | everybody
    for name, start in everybody.items():
        receiver = start(fresh(bench.run))
        try:
            stored.add(name, filled(receiver, studies, per_study))
            rates.add(name, find_rate(receiver, studies))
        finally:
            receiver.close()
        say(f"archive: {name} stores {stored.of[name][-1]:.0f}/s, finds {rates.of[name][-1]:.0f}/s")
    return [
        *against_each("archive.find", "queries/s", rates, bars={ORTHANC: BAR_FIND}),
        *against_each("archive.store", "objects/s", stored, bars={ORTHANC: BAR_STORE}),
    ]


def finding_among_few(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the rates of C-FIND at what dcmqrscp can keep."""
    studies = min(LIMIT_OF_DCMQRSCP, bench.amounts.archive[0])
    rates = Samples()
    with QrScp(fresh(bench.run), most=LIMIT_OF_DCMQRSCP) as peer:
        fill(Counted(peer), studies, 1, senders=1)
        rates.add(DCMQRSCP, find_rate(peer, studies, QUERIES // 3))
    if bench.with_ours:
        node = OurNode(fresh(bench.run), "[archive]\nenabled = true\n")
        try:
            filled(node, studies, 1)
            rates.add(OURS, find_rate(node, studies))
        finally:
            node.close()
    say(f"archive: at {studies} studies {rates.of}")
    return against_each(f"archive.find.{studies}", "queries/s", rates, bars={DCMQRSCP: 1.0})


class Counted:
    """A dcmqrscp as a `Receiver`; it does not tell what it keeps."""

    def __init__(self, peer: QrScp) -> None:
        self.port = peer.port
        self.ae_title = peer.ae_title
        self._peer = peer

    def count(self) -> int:
        return 0

    def peak_kib(self) -> int:
        return self._peer.peak_kib()

    def close(self) -> None:
        self._peer.close()


def flat(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the rate among a hundred times as many studies, against that among the few."""
    few, copies = bench.amounts.archive_flat
    receiver = OurNode(fresh(bench.run), "[archive]\nenabled = true\n")
    node = receiver.node
    try:
        filled(receiver, few, 1)
        before = warm_rate(receiver, few)
        node.stop()
        widen(node.data, copies)
        node.start(within_s=120)
        receiver.port = node.port
        after = warm_rate(receiver, few)
    finally:
        node.close()
    many = few * (copies + 1)
    say(f"archive: finds {before:.0f}/s among {few}, {after:.0f}/s among {many}")
    return [
        Figure(
            name=f"archive.find.flat.{many}",
            unit="queries/s",
            ours=after,
            peer=before,
            bar=BAR_FLAT,
        )
    ]


def fetched(program: str, archive: Archive, count: int, study_uid: str, *options: str) -> float:
    """Return objects per second of one C-MOVE or C-GET of a study."""
    began = time.perf_counter()
    done = ask(
        program,
        archive.port,
        "-S",
        *options,
        keys=["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study_uid}"],
        called=archive.ae_title,
        calling=ASKER,
        timeout_s=300,
    )
    took = time.perf_counter() - began
    if done.exit_code != 0:
        raise WrongAnswer(done.text[-2000:])
    return count / took


def fetching(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the rates of C-MOVE and C-GET of one study of CT images, and of storing it."""
    what = study(bench, "ct", bench.amounts.ct)
    into_page_cache(what)
    count = len(what.files)
    moved, got, stored = Samples(), Samples(), Samples()
    for turn in range(bench.amounts.rounds + bench.amounts.warm_up):
        for name in (OURS, ORTHANC, DCMQRSCP) if bench.with_ours else (ORTHANC, DCMQRSCP):
            folder = fresh(bench.run)
            with ExitStack() as opened:
                sink = opened.enter_context(discarding_sink(folder / "sink"))
                peer, close = _keeper(name, folder / "archive", sink.port, sink.ae_title)
                opened.callback(close)
                took = send(peer, parts(what) if name != DCMQRSCP else [what.folder])
                if name != DCMQRSCP:
                    wait_until(partial(_has, peer, count), "all is stored", within_s=60)
                time.sleep(1.0)
                by_move = fetched(MOVESCU, peer, count, what.study_uid, "-aem", sink.ae_title)
                by_get = fetched(GETSCU, peer, count, what.study_uid, "--ignore")
            say(
                f"archive: {name} stores {count / took:.0f}/s,"
                f" moves {by_move:.0f}/s, gets {by_get:.0f}/s"
            )
            if turn or not bench.amounts.warm_up:
                moved.add(name, by_move)
                got.add(name, by_get)
                if name != DCMQRSCP:
                    stored.add(name, count / took)
    bars = {ORTHANC: BAR_FETCH, DCMQRSCP: BAR_FETCH}
    return [
        *against_each("archive.move", "CT/s", moved, bars=bars),
        *against_each("archive.get", "CT/s", got, bars=bars),
        *against_each("archive.store.ct", "CT/s", stored, bars={ORTHANC: BAR_STORE}),
    ]


def _has(peer: Receiver, count: int) -> bool:
    return peer.count() >= count


def _keeper(name: str, folder: Path, sink: int, title: str) -> tuple[Receiver, Callable[[], None]]:
    """Start an archive that may send to the sink."""
    if name == ORTHANC:
        modality = Modality(name="sink", ae_title=title, port=sink)
        orthanc = Orthanc(folder, modalities=[modality], settings=EVERYBODY_MAY)
        return orthanc, orthanc.close
    if name == DCMQRSCP:
        peer = QrScp(folder, destinations={title: sink})
        return Counted(peer), peer.close
    place = f'store_at = {{ host = "{HOST}", port = {sink} }}'
    config = f'[peer.sink]\nae_title = "{title}"\n{place}\n[peer.asker]\nae_title = "*"\n'
    node = OurNode(folder, config)
    return node, node.close


def archive(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of the archive."""
    figures = [*fetching(bench, say), *finding_among_few(bench, say), *finding(bench, say)]
    return [*figures, *flat(bench, say)] if bench.with_ours else figures
