"""What every way out promises, and what it is given.

Contract of a destination: `send` gets a batch of one study in order of acceptance and yields one
outcome per delivery it has finished with, in that order.  It yields `Delivered` only for an
answer that was received (S-7).  When the way itself fails it yields that for the delivery at hand
and stops; the rest was not tried.  It raises nothing for what a peer or a disk can do.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Outcome
from waystation.timing.lane import LANE_FAULTS

# Objects up to this size are read, verified and sent whole; bigger ones in pieces.
WHOLE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Pieces:
    """A verified data set that is too big to hold: read it piece by piece.

    size_bytes: of all of them, None: what the delivery says.
    """

    pieces: AsyncGenerator[bytes, None]
    size_bytes: int | None = None


class Cargo(Protocol):
    """Gives the bytes of a delivery, after comparing them with their digest (S-13)."""

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the data set.  Raises `StorageError` if it is missing or damaged."""


@runtime_checkable
class Stocked(Protocol):
    """A cargo that has some data sets in memory."""

    def at_hand(self, delivery: Delivery) -> bytes | None:
        """Return the data set if `load` would have it at once, else None."""


def stock_of(cargo: Cargo) -> Callable[[Delivery], bytes | None]:
    """Return what tells whether a data set is at hand: of many cargos nothing ever is."""
    return cargo.at_hand if isinstance(cargo, Stocked) else lambda _delivery: None


class Destination(Protocol):
    """A way out."""

    name: str

    def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Send a batch of one study; see the module's contract."""

    async def probe(self) -> Deferred | None:
        """Ask whether the way is open: None if it is, else what is wrong."""

    async def close(self) -> None:
        """End what is open."""


def way_failed(outcome: Outcome) -> TypeGuard[Deferred]:
    """Return whether it was the way that failed: then nothing else is tried on it."""
    return isinstance(outcome, Deferred) and outcome.fault in LANE_FAULTS


async def singly(
    batch: Sequence[Delivery], one: Callable[[Delivery], Awaitable[Outcome]]
) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
    """Send a batch object by object; stop when the way itself fails."""
    for delivery in batch:
        outcome = await one(delivery)
        yield delivery, outcome
        if way_failed(outcome):
            return
