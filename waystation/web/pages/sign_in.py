"""Signing in and out, and one's own account.

Contract: nobody learns whether a name exists; a login leads back only to a page of ours.
"""

from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from waystation.web.access import Ability, needs, who_of
from waystation.web.accounts import Accounts, digest_of
from waystation.web.administration import Administration, Faults
from waystation.web.pages.frame import TOKEN, console_of, form_of, onward, page

ANYBODY: Final = needs(Ability.NOTHING)
WRONG: Final = "Name and password do not fit together"


def onward_path(given: str) -> str:
    """Return where a login leads: a path of ours, never another site."""
    plain = given.isascii() and given.isprintable() and "\\" not in given
    return given if plain and given.startswith("/") and not given.startswith("//") else "/"


def sign_in_pages(accounts: Accounts) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    _add_sign_in(router, accounts)
    _add_setup(router, accounts)
    _add_account(router, accounts)
    return router


async def _alone(
    request: Request, again: bool, error: str = "", name: str = "", status: int = 200
) -> Response:
    console, form = console_of(request), form_of(request)
    await console.learn()
    onto = onward_path(form["next"] or request.query_params.get("next", "/"))
    values = {"who": who_of(request), "token_name": TOKEN, "next": onto}
    values |= {"again": again, "error": error, "name": name}
    return HTMLResponse(console.alone("sign-in.html", values), status_code=status)


def _add_sign_in(router: APIRouter, accounts: Accounts) -> None:
    @router.get("/sign-in", openapi_extra=ANYBODY)
    async def ask(request: Request) -> Response:
        if accounts.is_open or accounts.setup is not None:
            return RedirectResponse("/" if accounts.is_open else "/setup", status_code=303)
        return await _alone(request, again=False)

    @router.post("/sign-in", openapi_extra=ANYBODY)
    async def sign_in(request: Request) -> Response:
        form = form_of(request)
        return await _enter(request, form["name"], again=False)

    @router.get("/sign-in/again", openapi_extra=needs(Ability.SEE))
    async def ask_again(request: Request) -> Response:
        return await _alone(request, again=True, name=who_of(request).name)

    @router.post("/sign-in/again", openapi_extra=needs(Ability.SEE))
    async def sign_in_again(request: Request) -> Response:
        return await _enter(request, who_of(request).name, again=True)

    @router.post("/sign-out", openapi_extra=ANYBODY)
    async def sign_out(request: Request) -> Response:
        await accounts.sign_out(request.scope, who_of(request))
        answer = RedirectResponse("/sign-in", status_code=303)
        accounts.cookies.take(answer)
        answer.headers["clear-site-data"] = '"cache"'
        return answer

    async def _enter(request: Request, name: str, *, again: bool) -> Response:
        form = form_of(request)
        try:
            done = await accounts.sign_in(name, form.raw("password"), request.scope)
        except HTTPException as error:
            wait = (error.headers or {}).get("Retry-After", "60")
            text = f"Too many attempts. Try again in {wait} seconds."
            answer = await _alone(request, again, text, name, 429)
            answer.headers["retry-after"] = wait
            return answer
        if done is None:
            return await _alone(request, again, WRONG, name, 401)
        onto = RedirectResponse(onward_path(form["next"]), status_code=303)
        accounts.cookies.give(onto, done.key, request.scope)
        return onto


def _add_setup(router: APIRouter, accounts: Accounts) -> None:
    people = Administration(accounts)

    def shown(request: Request, errors: dict[str, str], status: int = 200) -> Response:
        form = form_of(request)
        values = {"who": who_of(request), "token_name": TOKEN, "errors": errors}
        values |= {"typed": form.values(("name", "setup"))}
        text = console_of(request).alone("setup.html", values)
        return HTMLResponse(text, status_code=status)

    @router.get("/setup", openapi_extra=ANYBODY)
    async def ask(request: Request) -> Response:
        if accounts.setup is None:
            return RedirectResponse("/", status_code=303)
        return shown(request, {})

    @router.post("/setup", openapi_extra=ANYBODY)
    async def make(request: Request) -> Response:
        form = form_of(request)
        if not await accounts.begins(form["setup"], who_of(request).address):
            return shown(request, {"setup": "This is not the token, or it is too old"}, 422)
        try:
            if form.raw("password") != form.raw("again"):
                raise Faults({"again": "This is not what stands above"})
            name, password = form["name"], form.raw("password")
            await people.add(name, "admin", ("phi", "audit"), password, "set-up")
        except Faults as error:
            return shown(request, error.by_field, 422)
        return RedirectResponse("/sign-in", status_code=303)


def _add_account(router: APIRouter, accounts: Accounts) -> None:
    people = Administration(accounts)

    async def shown(
        request: Request, errors: dict[str, str] | None = None, status: int = 200
    ) -> Response:
        who = who_of(request)
        return await page(
            request,
            "account.html",
            status=status,
            errors=errors or {},
            sessions=await people.sessions(who.name),
            mine=digest_of(accounts.cookies.key(request.scope)),
        )

    @router.get("/account", openapi_extra=needs(Ability.SEE))
    async def account(request: Request) -> Response:
        if who_of(request).kind != "session":
            return RedirectResponse("/", status_code=303)
        return await shown(request)

    @router.post("/account/password", openapi_extra=needs(Ability.SEE))
    async def password(request: Request) -> Response:
        who, form = who_of(request), form_of(request)
        new = form.raw("password")
        errors = {}
        if new != form.raw("again"):
            errors["again"] = "This is not what stands above"
        elif await accounts.check(who.name, form.raw("before"), who.address, told=False) is None:
            errors["before"] = "This is not your password"
        else:
            try:
                keep = digest_of(accounts.cookies.key(request.scope))
                await people.set_password(who.name, new, who.name, keep)
            except Faults as error:
                errors = error.by_field
        if errors:
            return await shown(request, errors, 422)
        return onward(request, "/account", "Your password is another now; other logins have ended")

    @router.post("/account/log-out", openapi_extra=needs(Ability.SEE))
    async def log_out(request: Request) -> Response:
        who = who_of(request)
        keep = digest_of(accounts.cookies.key(request.scope))
        ended = await people.log_out(who.name, who.name, keep)
        return onward(request, "/account", f"{ended} other logins have ended")
