"""``/api/v1/users``, ``/api/v1/tokens``, ``/api/v1/audit``: who may come in, and who did what.

Contract: as in `waystation.web.api`; for administrators, the audit trail for those it is granted
to.  No secret comes out but a new token, once.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from waystation.journal import audit
from waystation.journal.accounts import Account, LastAdmin, Token
from waystation.journal.audit import Event
from waystation.web.access import Ability, Asking, AuthorName, needs
from waystation.web.accounts import Accounts
from waystation.web.administration import Administration, Faults
from waystation.web.problems import add_problems

NameText = Annotated[str, Field(min_length=1, max_length=64)]
ADMIN = needs(Ability.ADMINISTER)


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewUser(_Said):
    """Somebody who shall be able to log in."""

    name: NameText
    role: str = Field(description="viewer, operator or admin")
    grants: list[str] = Field(default=[], max_length=8, description="phi, audit, reidentify")
    password: str = Field(max_length=1024)
    user: AuthorName = ""


class Change(_Said):
    """What is to be another; what is left out stays."""

    role: str | None = None
    grants: list[str] | None = Field(default=None, max_length=8)
    disabled: bool | None = None
    password: str | None = Field(default=None, max_length=1024)
    user: AuthorName = ""


class NewToken(_Said):
    """A token for a program."""

    name: NameText
    scope: list[str] = Field(max_length=32, description="Abilities")
    days: int = Field(default=365, description="How long it holds")
    user: AuthorName = ""


class By(_Said):
    """Who decides."""

    user: AuthorName = ""


class User(BaseModel):
    """One user."""

    name: str
    role: str
    grants: list[str]
    disabled: bool
    created_at: float
    seen_at: float | None = Field(description="Last login")


class TokenShape(BaseModel):
    """One token, without itself."""

    id: str
    name: str
    scope: list[str]
    created_by: str
    created_at: float
    expires_at: float
    used_at: float | None
    revoked_at: float | None


class AuditRecord(BaseModel):
    """One record of the audit trail."""

    number: int
    at: float
    event: str
    who: str
    what: dict[str, Any]


def api_users(accounts: Accounts) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1")
    people = Administration(accounts)
    _add_users(router, people)
    _add_tokens(router, people)
    _add_audit(router, accounts)
    return router


def _refused(error: Faults | LastAdmin) -> HTTPException:
    return HTTPException(409 if isinstance(error, LastAdmin) else 400, str(error))


def _add_users(router: APIRouter, people: Administration) -> None:
    @router.get("/users", tags=["users"], openapi_extra=ADMIN)
    async def users() -> list[User]:
        """List who may log in."""
        return [_user(one) for one in await people.users()]

    @router.post("/users", tags=["users"], status_code=201, openapi_extra=ADMIN)
    async def add(new: Annotated[NewUser, Body()], who: Asking) -> User:
        """Add a user."""
        try:
            await people.add(new.name, new.role, new.grants, new.password, who.author(new.user))
        except Faults as error:
            raise _refused(error) from error
        return await _found(people, new.name)

    @router.patch("/users/{name}", tags=["users"], openapi_extra=ADMIN)
    async def change(name: str, said: Annotated[Change, Body()], who: Asking) -> User:
        """Change what a user may do, or the password; either ends the user's logins."""
        by = who.author(said.user)
        before = await _found(people, name)
        role = before.role if said.role is None else said.role
        grants = before.grants if said.grants is None else said.grants
        disabled = before.disabled if said.disabled is None else said.disabled
        try:
            if (role, grants, disabled) != (before.role, before.grants, before.disabled):
                await people.change(name, role, grants, disabled, by, said.password)
            elif said.password is not None:
                await people.set_password(name, said.password, by)
        except (Faults, LastAdmin) as error:
            raise _refused(error) from error
        return await _found(people, name)

    @router.delete("/users/{name}", tags=["users"], openapi_extra=ADMIN)
    async def remove(name: str, said: Annotated[By, Body()], who: Asking) -> dict[str, str]:
        """Forget a user."""
        by = who.author(said.user)
        await _found(people, name)
        try:
            await people.remove(name, by)
        except LastAdmin as error:
            raise _refused(error) from error
        return {"user": name, "action": "remove"}


async def _found(people: Administration, name: str) -> User:
    found = await people.user(name)
    if found is None:
        raise HTTPException(404, "There is no such user")
    return _user(found)


def _user(one: Account) -> User:
    return User(
        name=one.name,
        role=one.role,
        grants=list(one.grants),
        disabled=one.disabled,
        created_at=one.created_at,
        seen_at=one.seen_at,
    )


def _add_tokens(router: APIRouter, people: Administration) -> None:
    @router.get("/tokens", tags=["users"], openapi_extra=ADMIN)
    async def tokens() -> list[TokenShape]:
        """List the tokens of programs."""
        return [_token(one) for one in await people.tokens()]

    @router.post("/tokens", tags=["users"], status_code=201, openapi_extra=ADMIN)
    async def add(new: Annotated[NewToken, Body()], who: Asking) -> dict[str, str]:
        """Make a token; the answer is the only place where it stands."""
        try:
            value = await people.add_token(new.name, new.scope, new.days, who.author(new.user))
        except Faults as error:
            raise _refused(error) from error
        return {"token": value}

    @router.delete("/tokens/{number}", tags=["users"], openapi_extra=ADMIN)
    async def revoke(number: str, said: Annotated[By, Body()], who: Asking) -> dict[str, str]:
        """End a token."""
        name = await people.revoke(number, who.author(said.user))
        if not name:
            raise HTTPException(404, "There is no such token that still holds")
        return {"token": name, "action": "revoke"}


def _token(one: Token) -> TokenShape:
    return TokenShape(
        id=one.id,
        name=one.name,
        scope=list(one.scope),
        created_by=one.created_by,
        created_at=one.created_at,
        expires_at=one.expires_at,
        used_at=one.used_at,
        revoked_at=one.revoked_at,
    )


def _add_audit(router: APIRouter, accounts: Accounts) -> None:
    @router.get("/audit", tags=["audit"], openapi_extra=needs(Ability.AUDIT))
    async def trail(
        who: Asking,
        event: Annotated[str, Query(max_length=64)] = "",
        by: Annotated[str, Query(max_length=100, description="Only what this one did")] = "",
        before: Annotated[int, Query(ge=0, description="Only lower numbers")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[AuditRecord]:
        """Read the audit trail, the newest first; that too is recorded."""
        await accounts.trail.record(Event.AUDIT_READ, who.name, event=event, by=by)
        found = await accounts.database.read(
            audit.records(event=event, who=by, before=before, limit=limit)
        )
        return [
            AuditRecord(
                number=one.number, at=one.at, event=one.event, who=one.who, what=dict(one.what)
            )
            for one in found
        ]


def users_alone(accounts: Accounts) -> FastAPI:
    """Return an application of these routes only; it asks nobody who they are."""
    app = FastAPI(openapi_url=None)
    add_problems(app)
    app.include_router(api_users(accounts))
    return app
