"""A site with people: real accounts over a journal of its own, asked without a socket."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.journal.making import NOW
from tests.web.standin import StandIn
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.flows.auditing import Trail
from waystation.journal import audit
from waystation.journal.audit import Record
from waystation.web.accounts import Accounts
from waystation.web.administration import Administration
from waystation.web.admission import Admission
from waystation.web.api_users import api_users
from waystation.web.dicomweb import DicomWeb, Resource
from waystation.web.pages.sign_in import sign_in_pages
from waystation.web.pages.trail import trail_pages
from waystation.web.pages.users import users_pages
from waystation.web.passwords import Passwords
from waystation.web.site import site
from waystation.web.surroundings import Surroundings
from waystation.web.terms import Terms

HOST = "127.0.0.1:8080"
KEY = b"k" * 32
PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="form_token" value="(\w*)"')
HTML = {"accept": "text/html"}


class QuickPasswords(Passwords):
    """Keeps the contract without the work."""

    async def hashed(self, password: str) -> str:
        return f"plain {password}"

    async def matches(self, kept: str | None, password: str) -> bool:
        return kept == f"plain {password}"


@lru_cache(maxsize=1)
def empty_journal(folder: str) -> bytes:
    """Return a journal in which nothing is; made once in ``folder``."""
    path = Path(folder) / "empty.db"
    migrate(path)
    return path.read_bytes()


class House:
    """``now`` is its clock; ``node`` what the pages tell of."""

    def __init__(self, folder: Path, resources: Sequence[Resource] = ()) -> None:
        path = folder / "journal.db"
        path.write_bytes(empty_journal(str(folder.parent)))
        self.database = Database(path)
        self.database.open()
        self.now = NOW
        self.node = StandIn()
        self.node.now = lambda: self.now  # type: ignore[method-assign]
        self.terms = Terms()
        around = Surroundings(lambda: self.terms)
        self.trail = Trail(self.database, KEY, lambda: self.now)
        self.accounts = Accounts(
            self.database, self.trail, lambda: self.now, around, "the local key"
        )
        self.accounts.passwords.close()
        self.accounts.passwords = QuickPasswords()
        self.people = Administration(self.accounts)
        self.dicomweb = DicomWeb(lambda: self.terms, resources)
        self.dicomweb.admission = Admission(self.accounts, self.trail)
        made = self.accounts
        parts = [api_users(made), sign_in_pages(made), users_pages(made), trail_pages(made)]
        self.site = site(self.node, self.dicomweb, made, parts)

    async def open(self, *users: tuple[str, str, tuple[str, ...]]) -> None:
        """Begin, with users: name, role, grants."""
        await self.accounts.start()
        for name, role, grants in users:
            await self.people.add(name, role, grants, PASSWORD, "test")

    def close(self) -> None:
        self.accounts.close()
        self.database.close()

    def visitor(self, address: str = "127.0.0.1", scheme: str = "http") -> "Visitor":
        """Return a browser that knows nothing yet."""
        return Visitor(self.site, address, scheme)

    async def signed_in(self, name: str, address: str = "127.0.0.1") -> "Visitor":
        """Return the browser of somebody who has logged in."""
        visitor = self.visitor(address)
        answer = await visitor.sign_in(name)
        assert answer.status_code == 303, answer.text
        return visitor

    async def trace(self, event: str = "") -> list[Record]:
        """Return the audit trail, the newest first, with what is on its way to it."""
        await self.database.write(lambda transaction: None)
        return await self.database.read(audit.records(event=event, limit=1000))


class Visitor:
    """A browser: keeps cookies, sends forms with the token of the page they stand on."""

    def __init__(self, app: ASGIApp, address: str, scheme: str) -> None:
        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "server": ("127.0.0.1", 8080)}, receive, send)

        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(
                served, client=(address, 5000), raise_app_exceptions=False
            ),
            base_url=f"{scheme}://{HOST}",
        )

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """Ask for a page."""
        return await self.http.get(path, headers=HTML | _fields(headers))

    async def send(
        self, page: str, path: str, headers: Mapping[str, str] | None = None, /, **fields: str
    ) -> httpx2.Response:
        """Send the form of a page."""
        token = TOKEN.search((await self.get(page)).text)
        assert token is not None
        said = {"form_token": token[1], **fields}
        return await self.http.post(path, data=said, headers=HTML | dict(headers or {}))

    async def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> httpx2.Response:
        return await self.send("/sign-in", "/sign-in", name=name, password=password, **more)


def _fields(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
