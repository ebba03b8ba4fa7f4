"""Where ``queue list`` and ``queue show`` read from: the running node, or the journal itself.

Contract: both give the same JSON; pages are put together here, so that callers ask once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waystation.cli.api import NodeApi, running
from waystation.model.errors import WaystationError

if TYPE_CHECKING:
    from waystation.cli.journal import StoppedJournal

PAGE = 5000
MOST_SHARES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The filters as the operator gave them; limit 0 is everything."""

    to: str = ""
    study: str = ""
    state: str = ""
    reason: str = ""
    where: str = ""
    limit: int = 0

    @property
    def narrowed(self) -> bool:
        """True if any filter is given."""
        return bool(self.to or self.study or self.state or self.reason or self.where)

    def filters(self) -> dict[str, str]:
        """Return the filters as the API spells them."""
        return {
            "to": self.to,
            "study": self.study,
            "state": self.state,
            "reason": self.reason,
            "where": self.where,
        }


class Source:
    """Reads the queue of one data folder.  config: the file that the operator named."""

    def __init__(self, data: Path, config: Path | None = None) -> None:
        self._data = data
        self._config = config
        self.api: NodeApi | None = running(data)

    def destinations(self) -> dict[str, Any]:
        """Return lanes and held reasons."""
        if self.api is not None:
            found: dict[str, Any] = self.api.get("/api/v1/destinations")
            return found
        return self._journal().destinations()

    def shares(self, by: str, limit: int) -> dict[str, Any]:
        """Return what is open by peer, rule or study."""
        if self.api is not None:
            found: dict[str, Any] = self.api.get(
                "/api/v1/shares", {"by": by, "limit": limit or MOST_SHARES}
            )
            return found
        return self._journal().shares(by, limit or MOST_SHARES)

    def listed(self, what: str, wanted: Wanted) -> list[dict[str, Any]]:
        """Return ``deliveries`` or ``arrivals``, at most ``wanted.limit`` of them."""
        found: list[dict[str, Any]] = []
        for page in self._pages(what, wanted):
            found += page
            if wanted.limit and len(found) >= wanted.limit:
                return found[: wanted.limit]
        return found

    def _pages(self, what: str, wanted: Wanted) -> Iterator[list[dict[str, Any]]]:
        size = min(wanted.limit, PAGE) if wanted.limit else PAGE
        after = ""
        while True:
            page = self._page(what, wanted, after, size)
            yield page[what]
            after = page["next"] or ""
            if not after:
                return

    def _page(self, what: str, wanted: Wanted, after: str, size: int) -> dict[str, Any]:
        if self.api is not None:
            asked = wanted.filters() | {"after": after, "limit": str(size)}
            found: dict[str, Any] = self.api.get(f"/api/v1/{what}", asked)
            return found
        from waystation.journal.entries import Chosen

        chosen = Chosen(
            destination=wanted.to,
            study=wanted.study,
            state=wanted.state,
            reason=wanted.reason,
            after=int(after, 16) if after else 0,
            limit=size,
        )
        journal = self._journal()
        if wanted.where:
            from waystation.cli.stopped_where import page_where

            return page_where(journal, what, chosen, wanted.where, self._config)
        return journal.deliveries(chosen) if what == "deliveries" else journal.arrivals(chosen)

    def story(self, text: str) -> dict[str, Any] | None:
        """Return the story of a delivery or an arrival by its id, or None."""
        if self.api is None:
            return self._journal().story(int(text, 16))
        for kind in ("deliveries", "arrivals"):
            try:
                found: dict[str, Any] = self.api.get(f"/api/v1/{kind}/{text}")
            except WaystationError as error:
                if "no such" not in str(error):
                    raise
            else:
                return found
        return None

    def _journal(self) -> "StoppedJournal":
        from waystation.cli.journal import StoppedJournal

        return StoppedJournal(self._data)
