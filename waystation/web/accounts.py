"""People and programs that may come in: logging in, sessions, tokens (S-56, S-58, W-133).

Contract: implements `waystation.web.entrance.Keeper`.  What is given out (session ids, tokens) is
256 random bits and kept as a hash; every login, failure and change is in the audit trail.  What
is known is read from the database and kept for a moment; each change here forgets it.

``local_key``: commands on this machine that can read it act for its owner.
"""

import asyncio
import hashlib
import hmac
import secrets
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import structlog
from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import Scope

from waystation.db.engine import Database, Job
from waystation.flows.auditing import Trail
from waystation.journal import accounts as book
from waystation.journal.accounts import Account, Session, Token
from waystation.journal.audit import Event
from waystation.timing.attempts import Attempts, Bucket
from waystation.web.access import EVERYTHING, NOBODY, OPEN, Ability, Who, abilities_of
from waystation.web.cookies import Cookies
from waystation.web.passwords import Passwords
from waystation.web.surroundings import Surroundings

log = structlog.get_logger()
Known = TypeVar("Known")
IDLE_S: Final = 1800.0
LIFE_S: Final = 12 * 3600.0
# A use is written down at most so often.
WRITTEN_S: Final = 60.0
# What the database said is believed for so long.
KNOWN_S: Final = 10.0
BASIC_S: Final = 300.0
MOST_KNOWN: Final = 5000
LONGEST_PAGE: Final = 200
WRONG: Final = replace(NOBODY, kind="wrong")
# What a page that is only open says when it asks anew by itself (console.js).
LIVE_HEADER: Final = "x-waystation-live"
# Of one address, whoever it says it is.
MOST_PER_ADDRESS: Final = 50


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A login that worked.  key: what the cookie carries."""

    key: str
    account: Account


@dataclass(frozen=True, slots=True)
class SetupToken:
    """Who has it may make the first user.  until: Unix seconds."""

    value: str
    until: float


class Accounts:
    """Of one node.  clock: Unix seconds.  setup: while nobody is known and it is wanted."""

    def __init__(
        self,
        database: Database,
        trail: Trail,
        clock: Callable[[], float],
        around: Surroundings,
        local_key: str,
    ) -> None:
        self.trail = trail
        self.passwords = Passwords()
        self.database = database
        self.now = clock
        self.setup: SetupToken | None = None
        self.cookies = Cookies(around)
        self._around = around
        self._local_key = local_key
        self._visitor = secrets.token_hex(16)
        self._mixing = secrets.token_bytes(32)
        self._attempts = Attempts()
        self._addresses = Attempts(MOST_PER_ADDRESS)
        self._bucket = Bucket()
        self._count = 0
        self._edition = 0
        self._sessions: dict[bytes, tuple[Session, Account, float]] = {}
        self._tokens: dict[bytes, tuple[Token, float]] = {}
        self._basic: dict[bytes, tuple[Account, float]] = {}
        self._busy: dict[bytes, asyncio.Lock] = {}

    async def start(self) -> None:
        """See whether anybody is known, and forget logins that are over."""
        now = self.now()
        await self.database.write(book.tidy(now - IDLE_S, now - LIFE_S))
        await self.changed()

    async def changed(self) -> None:
        """People or tokens are others now; what is being read may be of before."""
        self._edition += 1
        self._sessions.clear()
        self._tokens.clear()
        self._basic.clear()
        self._count = len(await self.database.read(book.accounts()))
        if self._count:
            self.setup = None

    def close(self) -> None:
        """End what runs."""
        self.passwords.close()

    @property
    def is_open(self) -> bool:
        """Whether nobody has to log in on this machine."""
        return self._count == 0 and self.setup is None

    async def begins(self, given: str, address: str) -> bool:
        """Tell whether somebody has the token of the set-up; HTTPException 429 as in `check`."""
        now = self.now()
        wait_s = self._addresses.wait_s(address, now)
        if wait_s > 0:
            raise _later(wait_s)
        setup = self.setup
        fits = setup is not None and hmac.compare_digest(given.encode(), setup.value.encode())
        if setup is None or not fits or now > setup.until:
            self._addresses.failed(address, now)
            await self.trail.record(Event.LOGIN_FAILED, "set-up", address=address)
            return False
        return True

    async def fit(self) -> bool:
        """Tell whether it can be recorded who looks at patient data."""
        return await self.trail.fit()

    def looked(self, who: Who, path: str, private: str = "", /, **what: Any) -> None:
        """Record that somebody looks at patient data; the path names it by our own ids."""
        about = (who.address, path, digest_of(private).hex(), repr(sorted(what.items())))
        self.trail.looked(
            Event.LOOKED, who.name, about, address=who.address, page=path[:LONGEST_PAGE], **what
        )

    def refused(self, who: Who, method: str, path: str) -> None:
        """Record that somebody who is known was refused."""
        about = (who.address, method, path)
        self.trail.looked(
            Event.REFUSED,
            who.name,
            about,
            address=who.address,
            method=method[:16],
            page=path[:LONGEST_PAGE],
        )

    # who asks

    async def who(self, scope: Scope, *, basic: bool = False) -> Who:
        """Return who asks; raises HTTPException 429 for too many attempts or calls."""
        headers = Headers(scope=scope)
        address = self._around.caller(scope)
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_local_key(value.strip(), scope):
            return Who(name="local", kind="local", role="admin", abilities=EVERYTHING)
        if self.is_open:
            here = self._around.is_local(scope)
            return replace(OPEN if here else NOBODY, form=self._visitor, address=address)
        if kind.lower() == "bearer":
            return await self._program(value.strip(), address, counted=not basic)
        if kind.lower() == "basic" and basic:
            return await self._with_password(value.strip(), address)
        live = headers.get(LIVE_HEADER, "") != ""
        found = await self._session(self.cookies.key(scope), address, live=live)
        return found or replace(NOBODY, form=self._visitor, address=address)

    def _is_local_key(self, value: str, scope: Scope) -> bool:
        """Commands on this machine; a listener on one address is called from that address."""
        fits = hmac.compare_digest(value.encode(), self._local_key.encode())
        server = scope.get("server") or ("",)
        here = self._around.is_local(scope) or self._around.caller(scope) == server[0]
        return fits and here

    async def _session(self, key: str, address: str, *, live: bool) -> Who | None:
        """Return whose login it is.  live: an open page asks by itself, nobody uses it."""
        if not key:
            return None
        digest, now, edition = digest_of(key), self.now(), self._edition
        known = self._sessions.get(digest)
        if known is None or now - known[2] > KNOWN_S:
            found = await self.database.read(book.session_of(digest))
            if found is None:
                self._sessions.pop(digest, None)
                return None
            session = found[0]
            if known is not None:
                session = replace(session, used_at=max(session.used_at, known[0].used_at))
            known = (session, found[1], now)
        session, account, read_at = known
        if now - session.used_at > IDLE_S or now - session.created_at > LIFE_S:
            self._sessions.pop(digest, None)
            self._jot(book.end(digest))
            return None
        if now - session.used_at > WRITTEN_S and not live:
            self._jot(book.used(digest, now))
            session = replace(session, used_at=now)
        if edition == self._edition:
            _keep(self._sessions, digest, (session, account, read_at))
        return self._who(account, "session", address, session.proved_at, form_key(key))

    def _who(
        self, account: Account, kind: str, address: str, proved_at: float = 0.0, form: str = ""
    ) -> Who:
        return Who(
            name=account.name,
            kind=kind,
            role=account.role,
            abilities=abilities_of(account.role, account.grants),
            form=form,
            proved_at=proved_at,
            address=address,
        )

    async def _program(self, value: str, address: str, *, counted: bool) -> Who:
        """Return whose token it is.  counted: a call of the API, which has a limit (L32)."""
        digest, now, edition = digest_of(value), self.now(), self._edition
        known = self._tokens.get(digest)
        if known is None or now - known[1] > KNOWN_S:
            wait_s = self._addresses.wait_s(address, now)
            if wait_s > 0:
                raise _later(wait_s)
            found = await self.database.read(book.token_of(digest))
            if found is None or found.revoked_at is not None:
                self._addresses.failed(address, now)
                return WRONG
            self._jot(book.token_used(found.id, now))
            known = (found, now)
            if edition == self._edition:
                _keep(self._tokens, digest, known)
        token = known[0]
        if now >= token.expires_at:
            return WRONG
        wait_s = self._bucket.take(token.id, now) if counted else 0.0
        if wait_s > 0:
            raise _later(wait_s)
        scope = frozenset(Ability(word) for word in token.scope) | {Ability.NOTHING}
        # Several tokens may have one name.
        name = f"token {token.name} ({token.id})"
        return Who(name=name, kind="token", abilities=scope, address=address)

    def _jot(self, job: Job[None]) -> None:
        """Have something written that nobody waits for: a full disk shuts nobody out."""
        self.database.submit(job, urgent=False).add_done_callback(_jotted)

    async def _with_password(self, value: str, address: str) -> Who:
        """Name and password that come with each request; the hard work is done now and then."""
        mixed = hmac.digest(self._mixing, value.encode(), "sha256")
        # A viewer opens a hundred connections at once: the work is done for the first of them.
        if len(self._busy) > MOST_KNOWN:
            self._busy.clear()
        async with self._busy.setdefault(mixed, asyncio.Lock()):
            known, now, edition = self._basic.get(mixed), self.now(), self._edition
            if known is None or now - known[1] > BASIC_S:
                account = await self._check_basic(value, address, told=known is None)
                if account is None:
                    return WRONG
                known = (account, now)
                if edition == self._edition:
                    _keep(self._basic, mixed, known)
        return self._who(known[0], "basic", address)

    async def _check_basic(self, value: str, address: str, *, told: bool) -> Account | None:
        try:
            name, _, password = b64decode(value, validate=True).decode("utf-8").partition(":")
        except ValueError:
            return None
        return await self.check(name, password, address, told=told)

    # logging in

    async def check(
        self, name: str, password: str, address: str, *, told: bool = True
    ) -> Account | None:
        """Return whose name and password these are, None if nobody's.

        Takes the same time for a name that nobody has.  told: whether success is recorded.
        Raises HTTPException 429 after too many failures.
        """
        account = await self.database.read(book.account(name))
        now, pair = self.now(), f"{name.lower()[:100]} {address}"
        wait_s = max(self._attempts.wait_s(pair, now), self._addresses.wait_s(address, now))
        if wait_s > 0:
            raise _later(wait_s)
        # Counted before the work, which takes a while: those that come meanwhile count too.
        self._attempts.failed(pair, now)
        self._addresses.failed(address, now)
        fits = await self.passwords.matches(account.password if account else None, password)
        if not fits or account is None or account.disabled:
            await self.trail.record(Event.LOGIN_FAILED, plain(name), address=address)
            return None
        self._attempts.succeeded(pair)
        self._addresses.took_back(address, now)
        if told:
            await self.trail.record(Event.LOGIN, account.name, address=address)
        return account

    async def sign_in(self, name: str, password: str, scope: Scope) -> SignedIn | None:
        """Log somebody in; a login that the browser had is ended."""
        address = self._around.caller(scope)
        account = await self.check(name, password, address)
        if account is None:
            return None
        await self._end(self.cookies.key(scope))
        key, now = secrets.token_urlsafe(32), self.now()
        session = Session(
            digest=digest_of(key),
            account=account.name,
            created_at=now,
            used_at=now,
            proved_at=now,
            address=address,
        )
        await self.database.write(book.begin(session))
        return SignedIn(key, account)

    async def sign_out(self, scope: Scope, who: Who) -> None:
        """End the login of a request."""
        await self._end(self.cookies.key(scope))
        if who.kind == "session":
            await self.trail.record(Event.LOGOUT, who.name, address=who.address)

    async def _end(self, key: str) -> None:
        if key:
            digest = digest_of(key)
            await self.database.write(book.end(digest))
            self._edition += 1
            self._sessions.pop(digest, None)


def digest_of(value: str) -> bytes:
    """Return what is kept of something random that was given out."""
    return hashlib.sha256(value.encode()).digest()


def form_key(key: str) -> str:
    """Return what the forms of a session carry."""
    return hmac.digest(key.encode(), b"form", "sha256").hex()[:32]


def plain(text: str) -> str:
    """Return what somebody typed so that it can be shown anywhere."""
    return "".join(one if one.isprintable() else "?" for one in text[:64])


def _jotted(future: "asyncio.Future[None]") -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.warning("a use is not written down", error=str(error))


def _later(wait_s: float) -> HTTPException:
    after = str(int(wait_s) + 1)
    return HTTPException(429, "Too many attempts: wait a little", {"Retry-After": after})


def _keep(known: dict[bytes, Known], key: bytes, value: Known) -> None:
    if len(known) >= MOST_KNOWN:
        known.clear()
    known[key] = value
