"""The ladder of ``waystation doctor`` for a PACS behind the broker (W-7).

Contract: each rung is tried once; what it rests on must have held, else it is ``skipped``.  Studies
that the PACS has are asked for, never shown; one image at most is moved, to a listener that throws
it away.  The last rungs say what the PACS side must register, and which quirks to set; a person
sets them.
"""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from waystation.app.catching import Catcher, local_address
from waystation.app.doctor import BAD, OK, SKIPPED, UNKNOWN_DESTINATION, WARN, Check, Doctor, Rung
from waystation.app.identifier import Identifier
from waystation.app.retrieving import Retrieved, Wanted, move
from waystation.dicom import tags, uids
from waystation.dicom.tags import vr_of
from waystation.flows.inquiry import Inquiry, Match
from waystation.flows.upstream import Upstream
from waystation.model.errors import ConfigError, LostError, UnreachableError
from waystation.model.query import IMAGE, SERIES, STUDY, Key, Query
from waystation.model.upstream import QUIRKS, UpstreamFailed, UpstreamTerms
from waystation.wire.commands import Command, reply
from waystation.wire.items import AcceptedContext
from waystation.wire.status import Category, category

RELATIONAL = b"\1"
# Answers after a cancel that no longer look as if they had been on their way.
ON_THEIR_WAY = 1_000
PATIENT, STUDY_UID, SERIES_UID, IMAGE_UID = (
    *(tags.PATIENT_ID, tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID, tags.SOP_INSTANCE_UID),
)
NO_STUDIES = "no study was found to try it with"
NO_MOVE = "C-MOVE is not taken"
Step = Callable[[], Awaitable[Rung]]


@dataclass(slots=True)
class _Sample:
    """What was found to try things with."""

    studies: list[Match] = field(default_factory=list)
    image: Match | None = None


class PacsDoctor:
    """Climbs the ladder of one PACS.  port: that our listener has, or will have."""

    def __init__(self, terms: UpstreamTerms, port: int) -> None:
        self._terms = terms
        self._port = port
        self._found: dict[str, None] = {}
        self._sample = _Sample()
        self._moves = False
        self._upstream = Upstream(self._plain())

    def _plain(self, *quirks: str) -> UpstreamTerms:
        return replace(self._terms, quirks=frozenset(quirks))

    async def climb(self) -> AsyncGenerator[Rung, None]:
        """Yield one rung after the other."""
        for remote in dict.fromkeys((self._terms.find, self._terms.move)):
            check = Check(remote=remote, waits=self._upstream.waits)
            async with aclosing(Doctor(check).climb()) as rungs:
                async for rung in rungs:
                    yield rung
                    if rung.verdict == BAD:
                        return
                    if rung.name == "echo":
                        break
        try:
            for step in (
                *(self._services, self._relational, self._find, self._list, self._wildcard),
                *(self._images, self._cancel, self._charset, self._destination, self._originator),
            ):
                yield await self._tried(step)
            yield self._register()
            yield self._quirks()
        finally:
            await self._upstream.close()

    async def _tried(self, step: Step) -> Rung:
        name = step.__name__.strip("_")
        try:
            return await step()
        except UpstreamFailed as error:
            return Rung(name=name, verdict=BAD, text=error.text)
        except (UnreachableError, LostError) as error:
            return Rung(name=name, verdict=BAD, text=str(error))

    async def _services(self) -> Rung:
        found = await self._upstream.probe()
        names = [uids.name_of(one) for one in sorted(found)]
        details: dict[str, object] = {"services": names}
        if uids.STUDY_ROOT_FIND not in found:
            if uids.PATIENT_ROOT_FIND in found:
                self._found["patient_root"] = None
                await self._upstream.close()
                self._upstream = Upstream(self._plain("patient_root"))
            else:
                text, advice = "it does not let us query", "allow our AE title to query there"
                return Rung(name="services", verdict=BAD, text=text, advice=advice, details=details)
        is_patient = self._upstream.terms.has("patient_root")
        self._moves = (uids.PATIENT_ROOT_MOVE if is_patient else uids.STUDY_ROOT_MOVE) in found
        if (uids.PATIENT_ROOT_GET if is_patient else uids.STUDY_ROOT_GET) in found:
            text = "C-GET is taken: nothing has to be registered for retrieval"
        elif self._moves:
            text = "no C-GET; C-MOVE to ourselves, which has to be registered there"
        else:
            text, advice = "neither C-GET nor C-MOVE is taken", "allow our AE title to retrieve"
            return Rung(name="services", verdict=BAD, text=text, advice=advice, details=details)
        return Rung(name="services", verdict=OK, text=text, details=details)

    @property
    def _sop_class(self) -> str:
        is_patient = self._upstream.terms.has("patient_root")
        return uids.PATIENT_ROOT_FIND if is_patient else uids.STUDY_ROOT_FIND

    async def _relational(self) -> Rung:
        async with self._upstream.association(self._sop_class, RELATIONAL) as loan:
            accepted = loan.call.accepted
            told = {one.sop_class: one.info for one in accepted.extended} if accepted else {}
        if told.get(self._sop_class, b"")[:1] == RELATIONAL:
            return Rung(name="relational", verdict=OK, text="relational queries are accepted")
        text = "relational queries are not accepted: deeper searches go level by level"
        return Rung(name="relational", verdict=OK, text=text)

    async def _ask(
        self, level: str, keys: Mapping[int, tuple[str, ...]], limit: int
    ) -> list[Match]:
        asked = Query(level=level).with_keys(
            Key(tag, vr_of(tag), text) for tag, text in keys.items()
        )
        async with aclosing(Inquiry(self._upstream, asked, limit=limit).run()) as matches:
            return [match async for match in matches]

    async def _find(self) -> Rung:
        self._sample.studies = await self._ask(STUDY, {PATIENT: ()}, 3)
        if not self._sample.studies:
            return Rung(name="find", verdict=WARN, text="a query for all studies finds none")
        return Rung(name="find", verdict=OK, text="studies are found, and the query was cancelled")

    async def _list(self) -> Rung:
        wanted = [one.study_uid for one in self._sample.studies[:2]]
        if len(wanted) < 2:
            return Rung(name="list", verdict=SKIPPED, text="fewer than two studies to try it with")
        found = {one.study_uid for one in await self._ask(STUDY, {STUDY_UID: tuple(wanted)}, 3)}
        return self._judged("list", found == set(wanted), "a list of UIDs", "no_uid_list")

    async def _wildcard(self) -> Rung:
        # Shorter ones would leave nothing but the wild card.
        long = (one for one in self._sample.studies if len(one.record.one(PATIENT, "LO")) > 1)
        one = next(long, None)
        if one is None:
            return Rung(name="wildcard", verdict=SKIPPED, text=NO_STUDIES)
        keys = {PATIENT: ("*" + one.record.one(PATIENT, "LO")[1:],), STUDY_UID: (one.study_uid,)}
        found = await self._ask(STUDY, keys, 1)
        return self._judged("wildcard", bool(found), "a leading wild card", "no_leading_wildcard")

    async def _images(self) -> Rung:
        if not self._sample.studies:
            return Rung(name="images", verdict=SKIPPED, text=NO_STUDIES)
        study = self._sample.studies[0].study_uid
        found: list[Match] = []
        series = await self._ask(SERIES, {STUDY_UID: (study,)}, 1)
        if series:
            keys = {STUDY_UID: (study,), SERIES_UID: (series[0].series_uid,)}
            try:
                found = await self._ask(IMAGE, keys, 1)
            except UpstreamFailed as error:
                if error.dimse_status is None:
                    raise
        self._sample.image = next(iter(found), None)
        return self._judged("images", bool(found), "a query for instances", "no_image_find")

    async def _cancel(self) -> Rung:
        if len(self._sample.studies) < 3:
            return Rung(name="cancel", verdict=SKIPPED, text="too few studies to try it with")
        after, cancelled = 0, False
        async with self._upstream.association(self._sop_class, b"") as loan:
            context = loan.call.context_of(self._sop_class)
            identifier = Identifier()
            for key in ("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientID"):
                identifier.add(key)
            data = identifier.encode(context.transfer_syntax)
            async with aclosing(loan.call.find(context, data)) as answers:
                async for answer in answers:
                    if category(answer.status) is not Category.PENDING:
                        break
                    after += cancelled
                    if not cancelled:
                        loan.call.cancel()
                    cancelled = True
                    if after > ON_THEIR_WAY:
                        break
        return self._judged("cancel", after <= ON_THEIR_WAY, "C-CANCEL", "no_cancel")

    def _judged(self, name: str, held: bool, what: str, quirk: str) -> Rung:
        if held:
            return Rung(name=name, verdict=OK, text=f"{what} is understood")
        self._found[quirk] = None
        return Rung(name=name, verdict=WARN, text=f"{what} is not understood: {quirk}")

    async def _charset(self) -> Rung:
        told = {one.record.charset for one in self._sample.studies} - {""}
        if not self._sample.studies:
            return Rung(name="charset", verdict=SKIPPED, text=NO_STUDIES)
        names = ", ".join(sorted(told)) or "none"
        if told and self._terms.charset not in told:
            text = f"its answers name {names}, our keys would go out in {self._terms.charset}"
            advice = f'write charset = "{sorted(told)[0]}" in [pacs.{self._terms.name}]'
            return Rung(name="charset", verdict=WARN, text=text, advice=advice)
        return Rung(name="charset", verdict=OK, text=f"its answers name {names}")

    async def _destination(self) -> Rung:
        """Ask for a study that nobody has: a PACS looks first whether it knows where to send."""
        if not self._moves:
            return Rung(name="destination", verdict=SKIPPED, text=NO_MOVE)
        uid = uids.make_uid(uuid.uuid4().bytes)
        result = await self._moved(f"StudyInstanceUID={uid}", level="STUDY")
        if result.status == UNKNOWN_DESTINATION:
            text = f"it does not know {self._terms.tells_to} (A801)"
            return Rung(name="destination", verdict=BAD, text=text, advice=self._where())
        if result.problems:
            text = "; ".join(result.problems)
            return Rung(name="destination", verdict=WARN, text=text, advice=self._where())
        text = f"C-MOVE to {self._terms.tells_to} is accepted"
        return Rung(name="destination", verdict=OK, text=text)

    async def _moved(self, *keys: str, level: str) -> Retrieved:
        identifier = Identifier()
        model = "patient" if self._upstream.terms.has("patient_root") else "study"
        for key in (f"QueryRetrieveLevel={level}", *keys):
            identifier.add(key)
        wanted = Wanted(model=model, identifiers=[identifier])
        return await move(self._terms.move, wanted, self._terms.tells_to, self._upstream.waits)

    async def _originator(self) -> Rung:
        image = self._sample.image
        if image is None or not self._moves:
            text = NO_STUDIES if self._moves else NO_MOVE
            return Rung(name="originator", verdict=SKIPPED, text=text)
        here = _Here()
        catcher = Catcher(here, self._terms.tells_to)
        try:
            await catcher.start(local_address(self._terms.move), self._port)
        except ConfigError:
            text = f"port {self._port} is in use, so nothing was moved; try it while no node runs"
            return Rung(name="originator", verdict=SKIPPED, text=text)
        try:
            result = await self._moved(
                *(f"StudyInstanceUID={image.study_uid}", f"SeriesInstanceUID={image.series_uid}"),
                f"SOPInstanceUID={image.sop_instance_uid}",
                level="IMAGE",
            )
        finally:
            await catcher.stop()
        if not here.commands:
            text = "; ".join(result.problems) or "an image was to be moved to us and did not come"
            return Rung(name="originator", verdict=BAD, text=text, advice=self._where())
        if all(one.move_originator_message_id is not None for one in here.commands):
            text = "an image came back, and names the C-MOVE that it answers"
            return Rung(name="originator", verdict=OK, text=text)
        self._found |= dict.fromkeys(("no_move_originator", "sequential"))
        text = "an image came back that does not name the C-MOVE that it answers"
        return Rung(name="originator", verdict=WARN, text=text)

    def _where(self) -> str:
        return f"enter there: AE title {self._terms.tells_to}, {self._place()}, port {self._port}"

    def _place(self) -> str:
        try:
            return f"host {local_address(self._terms.move)}"
        except ConfigError:
            return "the host of this machine"

    def _register(self) -> Rung:
        terms = self._terms
        callers = " and ".join(dict.fromkeys((terms.find.calling_ae, terms.move.calling_ae)))
        text = (
            f"the PACS must let {callers} query and retrieve, and for C-MOVE know"
            f" {terms.tells_to} at {self._place()}, port {self._port}"
        )
        return Rung(name="register", verdict=OK, text=text)

    def _quirks(self) -> Rung:
        proposed = [quirk for quirk in QUIRKS if quirk in {*self._found, *self._terms.quirks}]
        if set(proposed) == set(self._terms.quirks):
            text = "no further quirks are needed"
            return Rung(name="quirks", verdict=OK, text=text)
        listed = ", ".join(f'"{quirk}"' for quirk in proposed)
        advice = f"write quirks = [{listed}] in [pacs.{self._terms.name}]"
        return Rung(name="quirks", verdict=WARN, text="some should be set", advice=advice)


class _Here:
    """Takes what comes and throws it away."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def begun(self, _context: AcceptedContext, command: Command) -> "_Gone":
        return _Gone(self.commands, command)


class _Gone:
    """One message on its way to nowhere."""

    def __init__(self, commands: list[Command], command: Command) -> None:
        self._commands = commands
        self._command = command

    def write(self, data: memoryview) -> None:
        """Let a piece go."""

    async def finish(self) -> Command:
        """Note that it came."""
        if self._command.sop_instance_uid:
            self._commands.append(self._command)
        return reply(self._command)

    def forget(self) -> None:
        """Nothing is kept anyway."""
