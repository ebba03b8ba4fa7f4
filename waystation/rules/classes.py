"""Filters by SOP class and condition: ``accept``, ``refuse`` and ``refuse_when`` (R-16, R-18).

Contract: ``accept`` is empty (all) or a list that the class must be in; then ``refuse`` takes
away, so the refusing list wins inside the accepting one.  Entries are keyword, full name, UID or
UID prefix with `*`; names resolve at load.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from waystation.dicom.uids import uid_for
from waystation.rules.conditions import Condition, Look, condition
from waystation.rules.faults import RuleFault
from waystation.rules.known import NOTHING, Known

_PREFIX = re.compile(r"[0-9.]{1,63}\*", re.ASCII)


def class_uid(text: str) -> str:
    """Return the UID (or UID prefix with `*`) that an entry means.

    Raises ValueError, with a suggestion where a name is near.
    """
    return text if _PREFIX.fullmatch(text) else uid_for(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFilter:
    """One side's filter.  ``name`` leads what it says, such as ``pacs``.

    accept, refuse: UID or UID prefix with `*`, each with the words that the operator wrote.
    """

    name: str
    accept: tuple[tuple[str, str], ...] = ()
    refuse: tuple[tuple[str, str], ...] = ()
    refuse_when: Condition | None = None

    def refuses_class(self, sop_class_uid: str) -> str:
        """Return which list takes this class away, or "" if it may pass."""
        for uid, words in self.refuse:
            if _covers(uid, sop_class_uid):
                return f"{self.name}.refuse {words}"
        if self.accept and not any(_covers(uid, sop_class_uid) for uid, _ in self.accept):
            return f"{self.name}.accept"
        return ""

    def refuses(self, sop_class_uid: str, seen: Look) -> str:
        """Return which filter takes this object away, or "" if it may pass."""
        by_class = self.refuses_class(sop_class_uid)
        if by_class or self.refuse_when is None or not self.refuse_when.holds(seen):
            return by_class
        return f"{self.name}.refuse_when {self.refuse_when.explain(seen, True)}"


def _covers(uid: str, sop_class_uid: str) -> bool:
    return sop_class_uid.startswith(uid[:-1]) if uid.endswith("*") else sop_class_uid == uid


def class_filter(
    name: str,
    where: str,
    faults: list[RuleFault],
    *,
    accept: Iterable[str] = (),
    refuse: Iterable[str] = (),
    refuse_when: object = None,
    known: Known = NOTHING,
) -> ClassFilter:
    """Return the compiled filter; what is wrong with it is added to ``faults``."""
    asked = None
    if refuse_when is not None:
        asked = condition(refuse_when, f"{where}.refuse_when", faults, 0, known)
    return ClassFilter(
        name=name,
        accept=_resolve(accept, f"{where}.accept", faults),
        refuse=_resolve(refuse, f"{where}.refuse", faults),
        refuse_when=asked,
    )


def _resolve(
    entries: Iterable[str], where: str, faults: list[RuleFault]
) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in entries:
        try:
            found.append((class_uid(entry), entry))
        except ValueError as error:
            faults.append(RuleFault(where, str(error)))
    return tuple(found)
