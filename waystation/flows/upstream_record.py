"""What a PACS answered, as a record: its own values, and those of the levels above it.

Contract: a value that an answer lacks is taken from the answer for its series or study, a UID from
what was asked; nothing of the plumbing of queries shows (W-50).  Text is read by the answer's own
character set, else by that of the PACS (W-55).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo

from waystation.dicom.head import Head
from waystation.dicom.tags import PATIENT_ID
from waystation.flows.upstream_query import OURS
from waystation.matching.keys import is_universal
from waystation.matching.match import Matcher
from waystation.matching.record import HeadRecord
from waystation.model.query import Key, Query, Record


class Answered:
    """One answer.  known: UIDs that were asked for.  above: the answer for what it lies in."""

    __slots__ = ("_above", "_head", "_known", "_own", "charset")

    def __init__(
        self,
        head: Head,
        charset: str,
        known: Mapping[int, str] | None = None,
        above: "Answered | None" = None,
    ) -> None:
        self._head = head
        self._own = HeadRecord(head, charset=charset, guesses=(charset,))
        self._known = known or {}
        self._above = above
        self.charset = self._own.charset

    @property
    def zone(self) -> int | None:
        """Its offset from UTC in minutes."""
        own = self._own.zone
        return self._above.zone if own is None and self._above is not None else own

    def has(self, tag: int) -> bool:
        """Tell whether the answer itself names an attribute."""
        return tag in self._head.elements

    def values(self, tag: int, vr: str) -> Sequence[str]:
        """Return the values of an attribute."""
        if tag in OURS:
            return ()
        found = self._own.values(tag, vr)
        if not found and self._above is not None:
            found = self._above.values(tag, vr)
        if not found and tag in self._known:
            found = (self._known[tag],)
        return found

    def items(self, tag: int) -> Sequence[Record]:
        """Return the items of a sequence."""
        found: Sequence[Record] = self._own.items(tag)
        return found or (self._above.items(tag) if self._above is not None else ())

    def elements(self) -> Iterable[tuple[int, str]]:
        """Return what is here, that of the levels above included."""
        found = dict(self._above.elements()) if self._above is not None else {}
        found |= {tag: vr for tag, vr in self._own.elements() if tag not in OURS}
        return sorted(found.items())

    def one(self, tag: int, vr: str = "UI") -> str:
        """Return the first value, "" if there is none."""
        return next(iter(self.values(tag, vr)), "").strip()


class Checks:
    """Looks at each answer again, as a PACS may leave keys out of account (W-58).

    unchecked: keys that answers did not carry, so that they could not be looked at.
    """

    def __init__(self, query: Query, home: tzinfo | None) -> None:
        """``home``: zone of answers that name none."""
        self._query = query
        self._home = home
        self._made: dict[tuple[int, ...], Matcher] = {}
        self.unchecked: dict[int, None] = {}

    def hold(self, keys: Sequence[Key], answer: Answered) -> bool:
        """Tell whether an answer matches the keys that it carries."""
        carried = tuple(key for key in keys if answer.has(key.tag))
        if len(carried) < len(keys):
            self.unchecked.update((key.tag, None) for key in keys if not answer.has(key.tag))
        if not carried:
            return True
        tags = tuple(key.tag for key in carried)
        if tags not in self._made:
            self._made[tags] = Matcher(self._query.with_keys(carried), home=self._home)
        return self._made[tags].matches(answer)


def patient_asked(query: Query) -> str:
    """Return the PatientID that a query fixes, "" if it does not."""
    key = query.key(PATIENT_ID)
    if key is None or is_universal(key) or len(key.values) != 1:
        return ""
    return "" if any(one in key.values[0] for one in "*?") else key.values[0]
