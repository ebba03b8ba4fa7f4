"""What a request sees of patients beyond what its route says, and the trace that it leaves.

Contract (S-57, S-67): who may not see patients is refused, and while no record can be written so
is everybody.  The record names the page and what it is told here; what makes one look another
than the one before, and must not stand in the record, is ``private``.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

from fastapi import Depends, HTTPException, Request

from waystation.web.access import Ability, Who, who_of

NO_TRAIL: Final = "The audit trail cannot be written"


class Recorder(Protocol):
    """Keeps a record of looks."""

    async def fit(self) -> bool:
        """Tell whether it can be recorded who looks at patient data."""

    def looked(self, who: Who, path: str, private: str = "", /, **what: Any) -> None:
        """Record that somebody looks at patient data."""


@dataclass(frozen=True, slots=True)
class Look:
    """Of one request.  recorder: None where nothing is recorded."""

    who: Who
    path: str
    recorder: Recorder | None = None

    async def at(self, private: str = "", /, **what: Any) -> None:
        """Let a look pass and record it; raises HTTPException 403 or 503."""
        if not self.who.may(Ability.PHI):
            raise HTTPException(403, "This asks for patient data, which is not granted")
        if self.recorder is None:
            return
        if not await self.recorder.fit():
            raise HTTPException(503, NO_TRAIL)
        self.recorder.looked(self.who, self.path, private, **what)

    async def by(self, where: str) -> None:
        """As `at`, where an expression is asked about objects: it tells what stands in them."""
        if where:
            await self.at(where, keys=["where"])


def look_of(request: Request) -> Look:
    """Return the look of a request, as the entrance made it; a FastAPI dependency."""
    found: Look | None = request.scope.get("waystation.look")
    return found or Look(who_of(request), str(request.scope["path"]))


# A parameter of a handler: what it shows of patients.
Looking = Annotated[Look, Depends(look_of)]
