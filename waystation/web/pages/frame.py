"""The frame of the console: how a page is rendered, what it may say once, how its form is read.

Contract: `page` renders a template of ``web/templates`` with everything escaped and nothing
undefined.  Every page knows who asks and shows only what they may do.  A form carries
``{{ ui.token() }}``; the entrance has looked at it before a handler sees `form_of`.

A page is hung in with a handler on an `APIRouter`, a template that extends ``base.html``, and, if
it shall be found, a line in `NAVIGATION`.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData, UploadFile

import waystation
from waystation.web.access import Ability, who_of
from waystation.web.pages.wording import age_text, count_text, size_text
from waystation.web.view import NodeView

HERE: Final = Path(__file__).parent.parent
SAID: Final = "waystation-said"
TOKEN: Final = "form_token"
MOST_SAID: Final = 1000
HEALTH_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation.  key: pressed after ``g`` it leads there."""

    path: str
    title: str
    icon: str
    ability: Ability
    key: str
    group: str = "Watch"


NAVIGATION: Final = (
    Entry("/", "Overview", "gauge", Ability.SEE, "o"),
    Entry("/archive", "Archive", "archive", Ability.SEE, "v"),
    Entry("/worklist", "Worklist", "list", Ability.PHI, "w", "Worklist"),
    Entry("/worklist/templates", "Templates", "calendar", Ability.PHI, "l", "Worklist"),
    Entry("/worklist/preview", "Station view", "search", Ability.PHI, "p", "Worklist"),
    Entry("/worklist/traffic", "Traffic", "clock", Ability.PHI, "q", "Worklist"),
    Entry("/worklist/messages", "HL7 messages", "go", Ability.PHI, "m", "Worklist"),
    Entry("/deid", "Held studies", "mask", Ability.SEE, "d", "De-identification"),
    Entry("/deid/try", "Dry run", "search", Ability.ACT, "y", "De-identification"),
    Entry("/deid/reports", "Reports", "report", Ability.SEE, "r", "De-identification"),
    Entry("/deid/pseudonyms", "Pseudonyms", "key", Ability.REIDENTIFY, "i", "De-identification"),
    Entry("/users", "Users", "users", Ability.ADMINISTER, "u", "Administration"),
    Entry("/tokens", "API tokens", "key", Ability.ADMINISTER, "t", "Administration"),
    Entry("/audit", "Audit trail", "shield", Ability.AUDIT, "a", "Administration"),
)
# Pressed anywhere but in a field; pages add theirs with the block ``keys``.
SHORTCUTS: Final = (
    ("?", "Show these shortcuts"),
    ("/", "Go to the search field"),
    ("Esc", "Close what is open"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the next page says once.  kind: done or failed.

    undo: where a form goes that takes it back, with its fields; "" for nothing to take back.
    """

    text: str
    kind: str = "done"
    undo: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


class Console:
    """What all pages share.  view: of the node.  now: Unix seconds."""

    def __init__(self, view: NodeView, now: Callable[[], float]) -> None:
        self.view = view
        self.now = now
        self.static = _read_static()
        digest = hashlib.sha256()
        for name in sorted(self.static):
            digest.update(self.static[name])
        self.edition = digest.hexdigest()[:16]
        self._said: OrderedDict[str, Said] = OrderedDict()
        self._health: tuple[float, list[str]] = (float("-inf"), [])
        self._name = "Waystation"
        self._jinja = _environment()

    def say(self, said: Said) -> str:
        """Keep what the next page says; return the id that its cookie carries."""
        number = secrets.token_urlsafe(16)
        self._said[number] = said
        while len(self._said) > MOST_SAID:
            self._said.popitem(last=False)
        return number

    def heard(self, request: Request) -> Said | None:
        """Return what is to be said to this visitor, once."""
        return self._said.pop(request.cookies.get(SAID, ""), None)

    async def health(self) -> list[str]:
        """Return why the node is not ready; asked for at most every few seconds."""
        asked_at, found = self._health
        if self.now() - asked_at > HEALTH_S or self.now() < asked_at:
            found = await self.view.ready()
            self._health = (self.now(), found)
        return found

    async def render(self, request: Request, name: str, values: Mapping[str, Any]) -> str:
        """Return a page as text."""
        who = who_of(request)
        status = await self.view.status()
        self._name = status.name
        return self._jinja.get_template(name).render(
            node=status.name,
            version=waystation.__version__,
            who=who,
            may=who.may,
            reasons=await self.health(),
            navigation=[one for one in NAVIGATION if who.may(one.ability)],
            shortcuts=SHORTCUTS,
            here=request.url.path,
            now=self.now(),
            said=self.heard(request),
            token_name=TOKEN,
            asset=self._asset,
            **values,
        )

    async def learn(self) -> None:
        """Learn the name of the node, for pages without the frame."""
        self._name = (await self.view.status()).name

    def alone(self, name: str, values: Mapping[str, Any]) -> str:
        """Return a page without the frame, as text; asks nobody for anything."""
        return self._jinja.get_template(name).render(node=self._name, asset=self._asset, **values)

    def _asset(self, name: str) -> str:
        """Return the address of a file that pages are shown with."""
        return f"/static/{self.edition}/{name}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        age=age_text, size=size_text, count=count_text, when=when_text, instant=instant_text
    )
    return made


def _read_static() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (HERE / "static").iterdir()}


def console_of(request: Request) -> Console:
    """Return what all pages share."""
    found: Console = request.app.state.console
    return found


async def page(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.  name: of a template; values: what it shows beside the frame's own."""
    console = console_of(request)
    text = await console.render(request, name, values)
    answer = HTMLResponse(text, status_code=status)
    if SAID in request.cookies:
        answer.delete_cookie(SAID)
    return answer


def onward(
    request: Request,
    path: str,
    text: str = "",
    *,
    kind: str = "done",
    undo: str = "",
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Return the way to another page after a form, which then says ``text`` and offers undo."""
    answer = RedirectResponse(path, status_code=303)
    if text:
        said = Said(text=text, kind=kind, undo=undo, fields=fields or {})
        number = console_of(request).say(said)
        answer.set_cookie(SAID, number, max_age=60, httponly=True, samesite="strict")
    return answer


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent with a form."""

    data: FormData

    def __getitem__(self, name: str) -> str:
        """Return one field without the blanks around it, "" if it was not sent."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return one field as it was typed."""
        found = self.data.get(name)
        return found if isinstance(found, str) else ""

    def all(self, name: str) -> list[str]:
        """Return a field that may be sent more than once."""
        return [one for one in self.data.getlist(name) if isinstance(one, str)]

    def file(self, name: str) -> UploadFile | None:
        """Return an uploaded file."""
        found = self.data.get(name)
        return found if isinstance(found, UploadFile) else None

    def values(self, names: Sequence[str]) -> dict[str, str]:
        """Return fields to show them again."""
        return {name: self[name] for name in names}


def form_of(request: Request) -> Form:
    """Return the form that came with a request; the entrance has read and judged it."""
    found: FormData = request.scope.get("waystation.form", FormData())
    return Form(found)


def when_text(at: float) -> str:
    """Return an instant in the time of this machine."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def instant_text(at: float) -> str:
    """Return an instant to the second in the time of this machine."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
