"""Who is asking, and what they may do (S-57, W-133).

Contract: pure.  A role and its grants give a set of abilities; each route names the one it
needs with `needs`, and a route that names none is for administrators only.  Patient data (``phi``),
the audit trail (``audit``) and who is behind a pseudonym (``reidentify``) come with no role: they
are granted by themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from re import Pattern
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.routing import APIRoute
from pydantic import Field

KEY: Final = "x-ability"


class Ability(StrEnum):
    """What somebody may do."""

    # Everybody, known or not.
    NOTHING = "nothing"
    # Health, queues, destinations, counts.
    SEE = "see"
    # Retry, hold, release, discard, pause, verify.
    ACT = "act"
    # Rules, destinations, peers, profiles, retention: to read, to change.
    READ = "read"
    CONFIGURE = "configure"
    # Users, tokens, certificates, secrets.
    ADMINISTER = "administer"
    # Patient data; the audit trail.
    PHI = "phi"
    AUDIT = "audit"
    # Who is behind a pseudonym.
    REIDENTIFY = "reidentify"
    # The worklist: to change it.
    SCHEDULE = "schedule"
    # DICOMweb.
    SEARCH = "search"
    RETRIEVE = "retrieve"
    STORE = "store"
    DELETE = "delete"


_SEE = frozenset({Ability.SEE})
_OPERATE = _SEE | {Ability.ACT, Ability.READ}
ROLES: Final[Mapping[str, frozenset[Ability]]] = {
    "viewer": _SEE,
    "operator": _OPERATE,
    "admin": _OPERATE | {Ability.CONFIGURE, Ability.ADMINISTER},
}
GRANTS: Final = ("phi", "audit", "reidentify")
EVERYTHING: Final = frozenset(Ability)


def abilities_of(role: str, grants: Iterable[str]) -> frozenset[Ability]:
    """Return what a role may do together with its grants; raises KeyError for no role."""
    found = set(ROLES[role])
    given = set(grants)
    if "audit" in given:
        found.add(Ability.AUDIT)
    if "reidentify" in given:
        found.add(Ability.REIDENTIFY)
    if "phi" in given:
        found |= {Ability.PHI, Ability.SEARCH, Ability.RETRIEVE}
        if Ability.ACT in found:
            found |= {Ability.STORE, Ability.SCHEDULE}
        if Ability.ADMINISTER in found:
            found.add(Ability.DELETE)
    return frozenset(found | {Ability.NOTHING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who asks.

    kind: open (nobody has to log in here), local (a command on this machine), session, token,
    basic, or nobody.  form: what forms and scripts of a session must bring along (S-59), "" where
    no cookie speaks for the caller.  proved_at: when the password was given last, Unix seconds.
    """

    name: str = ""
    kind: str = "nobody"
    role: str = ""
    abilities: frozenset[Ability] = frozenset({Ability.NOTHING})
    form: str = ""
    proved_at: float = 0.0
    address: str = ""

    def may(self, ability: str) -> bool:
        """Tell whether they may do something."""
        return ability in self.abilities

    def author(self, said: str = "") -> str:
        """Return the name that a decision is recorded under.

        Where nobody logs in it is the one that was said; raises HTTPException 400 if that is none.
        """
        if self.kind in ("open", "local"):
            if not said:
                raise HTTPException(400, "Say who decides: user")
            return said
        return self.name


NOBODY: Final = Who()
OPEN: Final = Who(name="open on loopback", kind="open", role="admin", abilities=EVERYTHING)


def needs(ability: Ability) -> dict[str, Any]:
    """Return what a route says to name its ability: ``openapi_extra=needs(Ability.SEE)``."""
    return {KEY: ability.value}


def who_of(request: Request) -> Who:
    """Return who asks, as the entrance found it; a FastAPI dependency."""
    found: Who = request.scope.get("waystation.who", OPEN)
    return found


# What a body may say of its author.
AuthorName = Annotated[
    str, Field(max_length=64, description="Who decides, where nobody has to log in")
]
# A parameter of a handler: who asks.
Asking = Annotated[Who, Depends(who_of)]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one route needs."""

    methods: frozenset[str]
    path: str
    pattern: Pattern[str]
    ability: Ability


def rules_of(routers: Iterable[APIRouter]) -> Iterator[Rule]:
    """Yield a rule for each route of the routers, in their order."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                named = (route.openapi_extra or {}).get(KEY, Ability.ADMINISTER.value)
                methods = frozenset(route.methods or ())
                yield Rule(methods, route.path, route.path_regex, Ability(named))
