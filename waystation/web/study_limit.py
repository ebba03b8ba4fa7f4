"""How many whole studies one caller may be sent at the same time (W-139).

Contract: `take` counts a request until its answer has ended, and refuses with 429 what is one study
too many; further requests for a study that is on its way already are welcome.
"""

from collections import Counter
from typing import Final

from waystation.web.asked import Asked, Refusal

MOST: Final = 8


class StudyLimit:
    """Of one node."""

    def __init__(self) -> None:
        self._on_their_way: dict[str, Counter[str]] = {}

    def take(self, asked: Asked) -> None:
        """Let a request through, or raise `Refusal`."""
        caller, study = asked.caller, asked.path["study"]
        held = self._on_their_way.setdefault(caller, Counter())
        if study not in held and len(held) >= MOST:
            raise Refusal(
                429,
                "Too many studies at once",
                f"At most {MOST} studies are sent to one caller at a time",
                headers={"Retry-After": "1"},
                retryable=True,
            )
        held[study] += 1

        async def ended() -> None:
            held[study] -= 1
            if not held[study]:
                del held[study]
            if not held and self._on_their_way.get(caller) is held:
                del self._on_their_way[caller]

        asked.besides.endings.append(ended)
