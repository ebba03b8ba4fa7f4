"""``/users`` and ``/tokens``: who may come in.

Contract: for administrators.  What cannot be is said beside its field, with what was typed.
"""

from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from waystation.journal.accounts import Account, LastAdmin
from waystation.web.access import GRANTS, Ability, needs, who_of
from waystation.web.accounts import Accounts
from waystation.web.administration import Administration, Faults
from waystation.web.pages.frame import Form, form_of, onward, page

ADMIN: Final = needs(Ability.ADMINISTER)
ROLE_WORDS: Final = (("viewer", "Viewer"), ("operator", "Operator"), ("admin", "Administrator"))
SCOPE_WORDS: Final = (
    ("see", "See health, queues and counts"),
    ("search", "Search with DICOMweb"),
    ("retrieve", "Retrieve images with DICOMweb"),
    ("store", "Store images with DICOMweb"),
    ("delete", "Delete with DICOMweb"),
    ("phi", "See the worklist"),
    ("schedule", "Change the worklist"),
    ("act", "Retry, hold, release, discard, pause"),
    ("read", "Read rules and destinations"),
    ("configure", "Change the configuration"),
    ("administer", "Change users and tokens"),
    ("audit", "Read the audit trail"),
    ("reidentify", "Look up who is behind a pseudonym"),
)
DAYS: Final = (("30", "30 days"), ("90", "90 days"), ("365", "One year"), ("1825", "Five years"))


def users_pages(accounts: Accounts) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    people = Administration(accounts)
    _add_list(router, people)
    _add_one(router, people)
    _add_one_more(router, people)
    _add_tokens(router, people)
    return router


def _grants(form: Form) -> list[str]:
    return [one for one in GRANTS if one in form.all("grants")]


def _add_list(router: APIRouter, people: Administration) -> None:
    async def shown(request: Request, status: int = 200, **more: Any) -> Response:
        values: dict[str, Any] = {"errors": {}, "typed": {"role": "viewer"}, "grants": []}
        return await page(
            request,
            "users.html",
            status=status,
            users=await people.users(),
            roles=ROLE_WORDS,
            **values | more,
        )

    @router.get("/users", openapi_extra=ADMIN)
    async def users(request: Request) -> Response:
        return await shown(request)

    @router.post("/users", openapi_extra=ADMIN)
    async def add(request: Request) -> Response:
        form, by = form_of(request), who_of(request).author("console")
        name = form["name"]
        try:
            if form.raw("password") != form.raw("again"):
                raise Faults({"again": "This is not what stands above"})
            await people.add(name, form["role"], _grants(form), form.raw("password"), by)
        except Faults as error:
            typed = form.values(("name", "role"))
            return await shown(
                request, 422, errors=error.by_field, typed=typed, grants=_grants(form)
            )
        return onward(request, "/users", f"{name} can sign in now")


async def _found(people: Administration, name: str) -> Account:
    user = await people.user(name)
    if user is None:
        raise HTTPException(404, "There is no such user")
    return user


async def _user_page(
    request: Request,
    people: Administration,
    user: Account,
    status: int = 200,
    errors: dict[str, str] | None = None,
    refused: str = "",
) -> Response:
    return await page(
        request,
        "user.html",
        status=status,
        user=user,
        roles=ROLE_WORDS,
        sessions=await people.sessions(user.name),
        errors=errors or {},
        refused=refused,
    )


def _add_one(router: APIRouter, people: Administration) -> None:
    @router.get("/users/{name}", openapi_extra=ADMIN)
    async def one(request: Request, name: str) -> Response:
        return await _user_page(request, people, await _found(people, name))

    @router.post("/users/{name}", openapi_extra=ADMIN)
    async def change(request: Request, name: str) -> Response:
        form, by = form_of(request), who_of(request).author("console")
        user = await _found(people, name)
        try:
            disabled = not form["enabled"]
            await people.change(name, form["role"], _grants(form), disabled, by)
        except Faults as error:
            return await _user_page(request, people, user, 422, error.by_field)
        except LastAdmin as error:
            return await _user_page(request, people, user, 409, refused=str(error))
        before = {"role": user.role, "grants": " ".join(user.grants)}
        before |= {} if user.disabled else {"enabled": "1"}
        return onward(
            request, "/users", f"{name} was changed", undo=f"/users/{name}/undo", fields=before
        )

    @router.post("/users/{name}/undo", openapi_extra=ADMIN)
    async def undo(request: Request, name: str) -> Response:
        form, by = form_of(request), who_of(request).author("console")
        await _found(people, name)
        try:
            grants = form["grants"].split()
            await people.change(name, form["role"], grants, not form["enabled"], by)
        except (Faults, LastAdmin) as error:
            return onward(request, "/users", str(error), kind="failed")
        return onward(request, "/users", f"{name} is as before")


def _add_one_more(router: APIRouter, people: Administration) -> None:
    @router.post("/users/{name}/password", openapi_extra=ADMIN)
    async def password(request: Request, name: str) -> Response:
        form, by = form_of(request), who_of(request).author("console")
        user = await _found(people, name)
        try:
            await people.set_password(name, form.raw("password"), by)
        except Faults as error:
            return await _user_page(request, people, user, 422, error.by_field)
        return onward(request, f"/users/{name}", f"{name} has a new password and is logged out")

    @router.post("/users/{name}/log-out", openapi_extra=ADMIN)
    async def log_out(request: Request, name: str) -> Response:
        by = who_of(request).author("console")
        await _found(people, name)
        ended = await people.log_out(name, by)
        return onward(request, f"/users/{name}", f"{ended} logins of {name} have ended")

    @router.post("/users/{name}/remove", openapi_extra=ADMIN)
    async def remove(request: Request, name: str) -> Response:
        by = who_of(request).author("console")
        user = await _found(people, name)
        try:
            await people.remove(name, by)
        except LastAdmin as error:
            return await _user_page(request, people, user, 409, refused=str(error))
        return onward(request, "/users", f"{name} was removed")


def _add_tokens(router: APIRouter, people: Administration) -> None:
    async def shown(request: Request, status: int = 200, **more: Any) -> Response:
        values: dict[str, Any] = {"errors": {}, "made": "", "scope": [], "typed": {"days": "365"}}
        return await page(
            request,
            "tokens.html",
            status=status,
            tokens=await people.tokens(),
            scopes=SCOPE_WORDS,
            days=DAYS,
            **values | more,
        )

    @router.get("/tokens", openapi_extra=ADMIN)
    async def tokens(request: Request) -> Response:
        return await shown(request)

    @router.post("/tokens", openapi_extra=ADMIN)
    async def add(request: Request) -> Response:
        form, by = form_of(request), who_of(request).author("console")
        days = int(form["days"]) if form["days"].isascii() and form["days"].isdigit() else 0
        scope = form.all("scope")
        try:
            made = await people.add_token(form["name"], scope, days, by)
        except Faults as error:
            typed = form.values(("name", "days"))
            return await shown(request, 422, errors=error.by_field, typed=typed, scope=scope)
        return await shown(request, made=made)

    @router.post("/tokens/{number}/revoke", openapi_extra=ADMIN)
    async def revoke(request: Request, number: str) -> Response:
        name = await people.revoke(number, who_of(request).author("console"))
        if not name:
            return onward(request, "/tokens", "This token had ended already", kind="failed")
        return onward(request, "/tokens", f"The token {name} has ended")
