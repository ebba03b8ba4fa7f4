"""The ladder of ``waystation doctor``: from the name of a host to its promise to keep an object.

Contract (T-76): each rung is tried once, in order; what it rests on must have held, else it is
``skipped``.  A rung says what was found and, where something is wrong, what to set on which side.
Nothing is stored unless asked for; what is stored is a synthetic image that says so.  Nothing is
raised for what a peer can do.
"""

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from waystation.app.asking import Query, ask
from waystation.app.catching import Catcher, local_address
from waystation.app.committing import Wish, commit
from waystation.app.identifier import Identifier
from waystation.app.retrieving import Retrieved, Wanted, move
from waystation.app.synthetic import Image, Study
from waystation.dicom import uids
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.model.errors import ConfigError, LostError, UnreachableError, WaystationError
from waystation.model.peer import Remote
from waystation.net.client import VERIFICATION, Waits
from waystation.net.connecting import connect
from waystation.net.conversation import Conversation, Patience
from waystation.net.query_call import QueryCall
from waystation.wire.association import Association
from waystation.wire.commands import Command, reply
from waystation.wire.events import Event
from waystation.wire.items import AcceptedContext, AssociateRequest
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category, status_text

OK, WARN, BAD, SKIPPED = "ok", "warn", "bad", "skipped"
BOTH = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
SERVICES = (
    uids.STUDY_ROOT_FIND,
    uids.STUDY_ROOT_MOVE,
    uids.STUDY_ROOT_GET,
    uids.PATIENT_ROOT_FIND,
    uids.PATIENT_ROOT_MOVE,
    uids.MODALITY_WORKLIST_FIND,
    uids.MPPS,
    uids.STORAGE_COMMITMENT,
)
IMAGES = (
    uids.CT_IMAGE_STORAGE,
    uids.MR_IMAGE_STORAGE,
    uids.SECONDARY_CAPTURE_STORAGE,
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.840.10008.5.1.4.1.1.104.1",
)
COMPRESSED = (
    uids.JPEG_BASELINE,
    uids.JPEG_LOSSLESS_SV1,
    uids.JPEG_LS_LOSSLESS,
    uids.JPEG_2000_LOSSLESS,
    uids.RLE_LOSSLESS,
    uids.HTJ2K_LOSSLESS,
)
NOBODY = "WAYSTATION-DOCTOR"
UNKNOWN_DESTINATION = 0xA801
REPORT_S = 15.0
INDEXED_S, INDEXED_TRIES = 0.5, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step.  verdict: ok, warn, bad or skipped.  advice: what to set, "" if nothing."""

    name: str
    verdict: str
    text: str
    advice: str = ""
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What may be tried.  port: where the peer may reach us, 0 for nowhere."""

    remote: Remote
    waits: Waits
    store: bool = False
    port: int = 0


Step = Callable[[], Awaitable[Rung]]


class Doctor:
    """Climbs the ladder of one target."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._remote = check.remote
        self._call: QueryCall | None = None
        study = Study(seed=uuid.uuid4().hex, number=0, series=1, images=1, size_bytes=4000)
        self._image: Image = next(iter(study))
        self._study_uid = study.uid
        self._stored = False

    async def climb(self) -> AsyncGenerator[Rung, None]:
        """Yield one rung after the other; after a bad one of the first five nothing can follow."""
        first: tuple[Step, ...] = (self._name, self._port, self._tls, self._association, self._echo)
        try:
            for step in first:
                rung = await self._tried(step)
                yield rung
                if rung.verdict == BAD and step != self._echo:
                    return
            for step in (self._contexts, self._find, self._store, self._move, self._commit):
                yield await self._tried(step)
        finally:
            if self._call is not None:
                await self._call.release()

    async def _tried(self, step: Step) -> Rung:
        name = step.__name__.strip("_")
        try:
            return await step()
        except UnreachableError as error:
            return Rung(name=name, verdict=BAD, text=f"{error.layer}: {error}")
        except (LostError, ConfigError, WaystationError) as error:
            return Rung(name=name, verdict=BAD, text=str(error))

    async def _name(self) -> Rung:
        host = self._remote.host
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, self._remote.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            advice = "correct the host, or enter it in the name service of this machine"
            return Rung(name="name", verdict=BAD, text=f"{host}: {reason}", advice=advice)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        return Rung(name="name", verdict=OK, text=f"{host} is {', '.join(addresses)}")

    async def _port(self) -> Rung:
        where = f"{self._remote.host}:{self._remote.port}"
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._check.waits.connect_s):
                _, writer = await asyncio.open_connection(self._remote.host, self._remote.port)
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or "no answer in time"
            advice = "start the peer, open the port in the firewalls, or correct the port"
            return Rung(name="port", verdict=BAD, text=f"{where}: {reason}", advice=advice)
        writer.close()
        ms = (time.perf_counter() - began) * 1000
        return Rung(name="port", verdict=OK, text=f"{where} takes connections ({ms:.1f} ms)")

    async def _tls(self) -> Rung:
        if self._remote.tls is None:
            return Rung(name="tls", verdict=SKIPPED, text="called without TLS")
        told: list[str] = []
        try:
            conversation = await connect(
                self._remote, self._check.waits.connect_s, lambda: _silent(self._remote)
            )
            told.append(_certificate(conversation))
            conversation.sever()
        except UnreachableError as error:
            advice = "both sides need TLS on this port, and each must trust the other's certificate"
            return Rung(name="tls", verdict=BAD, text=str(error), advice=advice)
        checked = "" if self._remote.tls.verify else ", not checked (--insecure)"
        verdict = OK if self._remote.tls.verify else WARN
        return Rung(name="tls", verdict=verdict, text=f"{told[0]}{checked}")

    async def _association(self) -> Rung:
        remote = self._remote
        pairs: list[tuple[str, tuple[str, ...]]] = [(VERIFICATION, BOTH)]
        pairs += [(service, BOTH) for service in SERVICES]
        pairs += [(image, BOTH) for image in IMAGES]
        pairs += [(uids.CT_IMAGE_STORAGE, (syntax,)) for syntax in COMPRESSED]
        try:
            self._call = call = await QueryCall.open(remote, propose(pairs)[0], self._check.waits)
        except UnreachableError as error:
            advice = (
                f"the peer must be called {remote.ae_title}, and know {remote.calling_ae}"
                " at this machine's address"
                if error.layer == "rejected"
                else "is that a DICOM port, and does it use TLS?"
            )
            text = f"{remote.calling_ae} → {remote.ae_title}: {error}"
            return Rung(name="association", verdict=BAD, text=text, advice=advice)
        accepted = call.accepted
        assert accepted is not None
        version = accepted.implementation_version or "without version name"
        text = f"accepted by {version}, PDU up to {accepted.max_pdu or 'any'} bytes"
        return Rung(
            name="association",
            verdict=OK,
            text=text,
            details={"implementation": accepted.implementation_class_uid},
        )

    async def _echo(self) -> Rung:
        call = self._open()
        if call.context_for(VERIFICATION) is None:
            text = "the peer does not serve Verification"
            return Rung(name="echo", verdict=WARN, text=text)
        began = time.perf_counter()
        reply = await call.echo()
        ms = (time.perf_counter() - began) * 1000
        if reply.status:
            return Rung(name="echo", verdict=BAD, text=f"answered {status_text(reply.status)}")
        return Rung(name="echo", verdict=OK, text=f"answered in {ms:.1f} ms")

    def _open(self) -> QueryCall:
        if self._call is None or not self._call.alive:
            raise LostError("the association has ended")
        return self._call

    async def _contexts(self) -> Rung:
        call = self._open()
        taken = {context.abstract_syntax for context in call.contexts.values()}
        syntaxes = [each for each in COMPRESSED if call.context_for(uids.CT_IMAGE_STORAGE, each)]
        services = [uids.name_of(each) for each in SERVICES if each in taken]
        images = [uids.name_of(each) for each in IMAGES if each in taken]
        details: dict[str, object] = {
            "services": services,
            "storage": images,
            "compressed": [uids.name_of(each) for each in syntaxes],
        }
        text = (
            f"{len(services)} of {len(SERVICES)} services, {len(images)} of {len(IMAGES)} usual"
            f" storage classes, {len(syntaxes)} of {len(COMPRESSED)} compressed syntaxes for CT"
        )
        verdict = OK if services or images else WARN
        return Rung(name="contexts", verdict=verdict, text=text, details=details)

    async def _find(self) -> Rung:
        call = self._open()
        if call.context_for(uids.STUDY_ROOT_FIND) is None:
            advice = f"allow {self._remote.calling_ae} to query, if it is to"
            text = "the peer does not let us query studies"
            return Rung(name="find", verdict=SKIPPED, text=text, advice=advice)
        identifier = Identifier()
        for key in ("QueryRetrieveLevel=STUDY", f"PatientID={NOBODY}", "StudyInstanceUID"):
            identifier.add(key)
        query = Query(model="study", identifier=identifier, limit=1)
        began = time.perf_counter()
        count = len([head async for head in ask(call, query)])
        ms = (time.perf_counter() - began) * 1000
        text = f"a query for a patient that nobody has: {count} answers in {ms:.0f} ms"
        return Rung(name="find", verdict=WARN if count else OK, text=text)

    async def _store(self) -> Rung:
        if not self._check.store:
            text = "a synthetic image is stored with --store"
            return Rung(name="store", verdict=SKIPPED, text=text)
        image = self._image
        contexts = propose([(image.sop_class, [image.transfer_syntax])])[0]
        call = await QueryCall.open(self._remote, contexts, self._check.waits)
        context_id = call.context_for(image.sop_class)
        if context_id is None:
            call.abort()
            text = f"{uids.name_of(image.sop_class)} is not accepted"
            advice = f"allow {self._remote.calling_ae} to store"
            return Rung(name="store", verdict=BAD, text=text, advice=advice)
        reply = await call.store(context_id, image.sop_class, image.sop_instance, image.data)
        await call.release()
        if category(reply.status) not in (Category.SUCCESS, Category.WARNING):
            text = f"answered {status_text(reply.status)} {reply.error_comment}".rstrip()
            return Rung(name="store", verdict=BAD, text=text)
        self._stored = True
        text = f"a synthetic image was stored (study {self._study_uid}); delete it there"
        return Rung(name="store", verdict=OK, text=text)

    async def _move(self) -> Rung:
        if not (self._stored and self._check.port):
            text = "with --store and --port it is moved back to us"
            return Rung(name="move", verdict=SKIPPED, text=text)
        place = local_address(self._remote)
        identifier = Identifier()
        identifier.add("QueryRetrieveLevel=STUDY")
        identifier.add(f"StudyInstanceUID={self._study_uid}")
        wanted = Wanted(model="study", identifiers=[identifier])
        ours = f"{self._remote.calling_ae} = {place}:{self._check.port}"
        back = _Back()
        catcher = Catcher(back, self._remote.calling_ae)
        await catcher.start(place, self._check.port)
        try:
            result = await self._moved(wanted)
        finally:
            await catcher.stop()
        if back.uids == [self._image.sop_instance]:
            return Rung(name="move", verdict=OK, text="the image came back")
        advice = f"enter {ours} among the destinations that the peer knows"
        if result.status == UNKNOWN_DESTINATION:
            text = "the peer does not know where we are (A801)"
        else:
            text = "; ".join(result.problems) or f"{result.completed} objects were moved"
            advice += ", and let it reach that port"
        return Rung(name="move", verdict=BAD, text=text, advice=advice)

    async def _moved(self, wanted: Wanted) -> Retrieved:
        """Ask until something came: what was just stored may not be on file yet."""
        for _ in range(INDEXED_TRIES):
            result = await move(self._remote, wanted, self._remote.calling_ae, self._check.waits)
            if result.completed + result.warned + result.failed or result.problems:
                break
            await asyncio.sleep(INDEXED_S)
        return result

    async def _commit(self) -> Rung:
        call = self._open()
        if call.context_for(uids.STORAGE_COMMITMENT) is None:
            text = "the peer does not serve Storage Commitment"
            return Rung(name="commit", verdict=SKIPPED, text=text)
        if not self._stored:
            text = "with --store a promise for it is asked for"
            return Rung(name="commit", verdict=SKIPPED, text=text)
        wish = Wish(
            objects=[(self._image.sop_class, self._image.sop_instance)],
            transaction_uid=uids.make_uid(uuid.uuid4().bytes),
            wait_s=REPORT_S,
            port=self._check.port,
        )
        report = await commit(self._remote, wish, self._check.waits)
        if report is None:
            text = f"asked for, and no report within {REPORT_S:g} s"
            advice = f"enter our place for {self._remote.calling_ae} there; listen with --port"
            return Rung(name="commit", verdict=WARN, text=text, advice=advice)
        if report.failures:
            reason = status_text(report.failures[0][2])
            return Rung(name="commit", verdict=BAD, text=f"the peer does not keep it: {reason}")
        return Rung(name="commit", verdict=OK, text="the peer promises to keep it")


@dataclass(slots=True)
class _Back:
    """Takes what comes back, and keeps nothing of it but the names."""

    uids: list[str] = field(default_factory=list)

    def begun(self, _context: AcceptedContext, command: Command) -> "_BackAgain":
        return _BackAgain(self.uids, command)


class _BackAgain:
    """One message on its way to nowhere."""

    def __init__(self, uids: list[str], command: Command) -> None:
        self._uids = uids
        self._command = command

    def write(self, data: memoryview) -> None:
        """Let a piece go."""

    async def finish(self) -> Command:
        """Note which object it was."""
        if self._command.sop_instance_uid:
            self._uids.append(self._command.sop_instance_uid)
        return reply(self._command)

    def forget(self) -> None:
        """Nothing is kept anyway."""


class _Deaf:
    """Hears nothing: for a connection on which nothing is said."""

    def came(self, event: Event) -> None:
        """Ignore an event."""

    def gone(self) -> None:
        """Ignore the end."""


def _silent(remote: Remote) -> Conversation:
    request = AssociateRequest(called_ae=remote.ae_title, calling_ae=remote.calling_ae)
    return Conversation(Association.requesting(request), Patience(idle_s=1e9), lambda _: _Deaf())


def _certificate(conversation: Conversation) -> str:
    found = conversation.peer_certificate or {}
    names = [
        pair[1] for group in found.get("subject", ()) for pair in group if pair[0] == "commonName"
    ]
    until = found.get("notAfter", "")
    about = f"certificate of {names[0]}" if names else "its certificate"
    return f"handshake done, {about}" + (f", valid until {until}" if until else "")


def worst(rungs: list[Rung]) -> str:
    """Return the verdict on the whole ladder."""
    verdicts = {rung.verdict for rung in rungs}
    return next((verdict for verdict in (BAD, WARN) if verdict in verdicts), OK)
