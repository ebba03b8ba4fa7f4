"""Delivery by C-STORE to another application entity.

Contract (R-48, R-53, R-61 to R-64, S-7): an association belongs to (calling AE, study) and lingers
for what arrives meanwhile; the stored syntax is preferred and its bytes are sent as they are;
another accepted one is used as far as the policy allows.  What the receiver does not accept ends
as a context fault after one association, and is remembered.  An association that broke or fell
silent is never used again.
"""

from collections.abc import AsyncGenerator, Sequence

from waystation.codecs.pool import CodecPool
from waystation.destinations.ahead import Ahead
from waystation.destinations.base import Cargo
from waystation.destinations.calling import Caller
from waystation.destinations.calling import DicomSettings as DicomSettings
from waystation.destinations.contexts import MOST, Pair, all_of, choices, refusal
from waystation.destinations.line import Line
from waystation.destinations.memory import ContextMemory
from waystation.dicom.uids import IMPLICIT_VR_LE
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import ConfigError, LostError, StorageError, UnreachableError
from waystation.model.outcome import Deferred, Fault, Outcome, Refused
from waystation.net.client import VERIFICATION, Call
from waystation.net.pool import CallPool
from waystation.timing.status import classify_unreachable


class DicomDestination:
    """One ``[destination.NAME]`` of kind dicom.

    codecs: the children that convert pixels, None where nobody may.
    """

    def __init__(
        self,
        name: str,
        settings: DicomSettings,
        memory: ContextMemory | None = None,
        codecs: CodecPool | None = None,
    ) -> None:
        self.name = name
        self.memory = memory or ContextMemory(name)
        self._codecs = codecs
        self._settings = settings
        self._caller = Caller(settings)
        self._pool = CallPool()

    def equip(self, memory: ContextMemory, codecs: CodecPool) -> None:
        """Give it what the node has; before the first `send`."""
        self.memory, self._codecs = memory, codecs

    @property
    def associations_opened(self) -> int:
        """How many associations were asked for."""
        return self._caller.opened

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Send a batch of one study over one association, or more if contexts demand it."""
        line = Line(self._caller, self._pool, self.memory, self._codecs, batch)
        ahead = Ahead(batch, cargo)
        try:
            for place, delivery in enumerate(batch):
                ahead.begin(place)
                outcome = await line.prepare(place, delivery)
                try:
                    payload = await ahead.take(place)
                except StorageError as error:
                    yield delivery, Refused(reason=HoldReason.CORRUPT, why=str(error))
                    if line.broken:
                        return
                    continue
                if outcome is None:
                    ahead.look(place)
                    outcome = await line.store(place, delivery, payload)
                yield delivery, outcome
                if line.broken:
                    return
        finally:
            await ahead.close()
            line.end()

    async def probe(self) -> Deferred | None:
        """C-ECHO on a new association (R-57), which also asks for what was refused (R-64)."""
        wanted = self._to_ask()[0]
        try:
            call = await self._call([(VERIFICATION, IMPLICIT_VR_LE), *self._offers(wanted)])
        except UnreachableError as error:
            return classify_unreachable(error)
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        await self._learn(call, wanted)
        if call.context_for(VERIFICATION) is None:
            # A receiver without Verification has answered all the same: it is there.
            self._pool.retire(call)
            return None
        try:
            reply = await call.echo()
        except (LostError, UnreachableError) as error:
            call.abort()
            return Deferred(fault=Fault.TRANSIENT, why=f"echo: {error}", connected=True)
        self._pool.retire(call)
        if reply.status:
            return Deferred(
                fault=Fault.TRANSIENT, why=f"echo answered {reply.status:04X}", connected=True
            )
        return None

    async def ask_again(self) -> bool:
        """Ask for everything that was refused; return False if no association came about."""
        for wanted in self._to_ask():
            if not wanted:
                break
            try:
                call = await self._call(self._offers(wanted))
            except (UnreachableError, ConfigError):
                return False
            await self._learn(call, wanted)
            self._pool.retire(call)
        self.memory.edited = False
        return True

    def _to_ask(self) -> list[list[Pair]]:
        """Return the refused pairs, in groups that one association (and an echo) can carry."""
        groups: list[list[Pair]] = [[]]
        room = MOST - 1
        for pair in self.memory.refused:
            needed = len(all_of(pair, self._settings.transcode))
            if needed > room:
                groups.append([])
                room = MOST - 1
            groups[-1].append(pair)
            room -= needed
        return groups

    def _offers(self, pairs: Sequence[Pair]) -> list[Pair]:
        policy = self._settings.transcode
        return list(dict.fromkeys(each for pair in pairs for each in all_of(pair, policy)))

    async def _call(self, pairs: Sequence[Pair]) -> Call:
        return await self._caller.open(self._settings.remote.calling_ae, pairs)

    async def _learn(self, call: Call, pairs: Sequence[Pair]) -> None:
        """Remember what an association says about refused pairs."""
        policy = self._settings.transcode
        offers = self._offers(pairs)
        await self.memory.saw({each: call.context_for(*each) is not None for each in offers})
        for pair in pairs:
            if any(call.context_for(pair[0], each) for each in choices(pair[1], policy)):
                await self.memory.accepted(pair)
            else:
                await self.memory.refuse(pair, refusal(pair, policy, call.refusals))

    async def close(self) -> None:
        """Release what lingers."""
        await self._pool.close()
