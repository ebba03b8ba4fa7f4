"""Who asked for this image?  A C-STORE that comes in, and the C-MOVE of ours that it answers.

Contract (W-110, W-111): an object belongs to a Fetch if its sender may send for that PACS and
(1) it names our open C-MOVE as its originator, else (2) the PACS listed it, else (3) its study is
the only one that this PACS is moving; and the study in the object agrees.  What names another
application entity as its originator was asked for by that one, and is not ours.  Whatever is not
claimed goes the ordinary way or is refused; it never enters the cache.
"""

from collections.abc import Sequence
from typing import Protocol

from waystation.dicom.head import Identity
from waystation.model.arrival import Arrival, Source
from waystation.wire.commands import Command


class Claimant(Protocol):
    """A Fetch, as an incoming object sees it; also for a while after its end."""

    @property
    def source(self) -> str:
        """Name of the PACS."""

    @property
    def study(self) -> str:
        """Study Instance UID."""

    @property
    def moving(self) -> bool:
        """Whether a C-MOVE is open."""

    @property
    def listing(self) -> bool:
        """Whether it is still being asked what there is."""

    def sends(self, address: str) -> bool:
        """Tell whether objects of this PACS may come from an address."""

    def asked(self, calling_ae: str, message_id: int) -> bool:
        """Tell whether this is, or was, a C-MOVE of ours."""

    def knows(self, title: str) -> bool:
        """Tell whether an AE title is ours or that of the PACS itself."""

    def lists(self, sop_instance_uid: str) -> bool:
        """Tell whether the PACS lists an instance that may still come."""

    async def listed(self) -> None:
        """Wait until it is known what the PACS lists, or that it does not say."""

    def touched(self) -> None:
        """Something of an object came."""

    def took(self, arrival: Arrival) -> None:
        """An object is sealed."""

    def no_room(self) -> str:
        """Return why the cache takes nothing, "" if it does."""


class Claim:
    """One object that somebody may have asked for.  named: by Message ID; nothing else counts."""

    def __init__(self, candidates: Sequence[Claimant], claims: "Claims", *, named: bool) -> None:
        self._candidates = candidates
        self._claims = claims
        self.named = named
        self.claimant: Claimant | None = None

    def touched(self) -> None:
        """A piece of the object came."""
        for one in self._candidates:
            if one.moving:
                one.touched()

    async def takes(self, command: Command, found: Identity) -> Claimant | None:
        """Return who asked for the whole object; may wait for what a PACS lists."""
        for one in self._candidates:
            if one.study != found.study_uid:
                continue
            uid = command.sop_instance_uid
            if self.named or one.lists(uid) or self._claims.alone(one):
                self.claimant = one
            elif one.listing:
                await one.listed()
                self.claimant = one if one.lists(uid) else None
            if self.claimant is not None:
                break
        return self.claimant

    def landed(self, arrival: Arrival) -> None:
        """The object is sealed, journaled and acknowledged."""
        if self.claimant is not None:
            self.claimant.took(arrival)


class Claims:
    """All Fetches whose objects may come in over the listener."""

    def __init__(self) -> None:
        self._open: list[Claimant] = []

    def open(self, claimant: Claimant) -> None:
        """Begin to claim for a Fetch."""
        self._open.append(claimant)

    def close(self, claimant: Claimant) -> None:
        """Its stragglers are no longer expected."""
        if claimant in self._open:
            self._open.remove(claimant)

    def alone(self, claimant: Claimant) -> bool:
        """Tell whether its study is the only one that its PACS is moving."""
        moving = {one.study for one in self._open if one.source == claimant.source and one.moving}
        return moving == {claimant.study}

    def claim(self, source: Source, command: Command) -> Claim | None:
        """Return who may have asked for an object whose command has come, None for nobody."""
        here = [one for one in self._open if one.sends(source.address)]
        if not here:
            return None
        title, message_id = command.move_originator_ae.strip(), command.move_originator_message_id
        if message_id is not None:
            named = [one for one in here if one.asked(title, message_id)]
            if named:
                return Claim(named, self, named=True)
        if title and not any(one.knows(title) for one in here):
            return None
        uid = command.sop_instance_uid
        maybe = [one for one in here if one.lists(uid) or one.listing or self.alone(one)]
        return Claim(maybe, self, named=False) if maybe else None
