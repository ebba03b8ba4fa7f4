"""Changing who may come in: users, their passwords, tokens.

Contract: each change and its record in the audit trail are one transaction.  What cannot be is
raised as `Faults`, by field; `LastAdmin` where nobody could administer any more.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import accounts as book
from waystation.journal.accounts import Account, Session, Taken, Token
from waystation.journal.audit import Event
from waystation.web.access import GRANTS, ROLES, Ability
from waystation.web.accounts import Accounts, digest_of
from waystation.web.passwords import fault_of

T = TypeVar("T")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
DAY_S: Final = 86_400.0
MOST_DAYS: Final = 3650
PREFIX: Final = "wst_"


class Faults(Exception):
    """Why something was not changed: field → a sentence."""

    def __init__(self, by_field: Mapping[str, str]) -> None:
        super().__init__("; ".join(by_field.values()))
        self.by_field = dict(by_field)


class Administration:
    """Over the accounts of one node.  by: who changes something."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    # users

    async def users(self) -> list[Account]:
        """Return all, by name."""
        return await self._accounts.database.read(book.accounts())

    async def user(self, name: str) -> Account | None:
        """Return one, None if there is none."""
        return await self._accounts.database.read(book.account(name))

    async def add(
        self, name: str, role: str, grants: Sequence[str], password: str, by: str
    ) -> None:
        """Add a user; the first one is an admin, so that somebody can add the others."""
        faults = _role_faults(role, grants)
        if not NAME.fullmatch(name):
            faults["name"] = "A name has 1 to 64 letters, digits and . _ @ - and begins with one"
        if why := fault_of(password, name):
            faults["password"] = why
        if not faults and role != "admin" and not await self.users():
            faults["role"] = "The first user is an admin: somebody must be able to add the others"
        if faults:
            raise Faults(faults)
        kept = await self._accounts.passwords.hashed(password)
        job = book.add(name, role, grants, kept, self._accounts.now())
        try:
            await self._write(job, by, change="added", user=name, role=role, grants=list(grants))
        except Taken as error:
            raise Faults({"name": str(error)}) from error

    async def change(
        self,
        name: str,
        role: str,
        grants: Sequence[str],
        disabled: bool,
        by: str,
        password: str | None = None,
    ) -> bool:
        """Change what a user may do; False if there is none.  Raises `LastAdmin`.

        password: another one besides, None to leave it; all of it is done or nothing.
        """
        faults = _role_faults(role, grants)
        if password is not None and (why := fault_of(password, name)):
            faults["password"] = why
        if faults:
            raise Faults(faults)
        job = book.change(name, role, grants, disabled, self._accounts.now())
        if password is not None:
            kept = await self._accounts.passwords.hashed(password)
            job = _both(job, book.set_password(name, kept, self._accounts.now()))
        return await self._write(
            job,
            by,
            change="changed" if password is None else "changed, password",
            user=name,
            role=role,
            grants=list(grants),
            disabled=disabled,
        )

    async def set_password(self, name: str, password: str, by: str, keep: bytes = b"") -> bool:
        """Give a user another password; False if there is none.  keep: a login that goes on."""
        if why := fault_of(password, name):
            raise Faults({"password": why})
        kept = await self._accounts.passwords.hashed(password)
        job = book.set_password(name, kept, self._accounts.now(), keep)
        return await self._write(job, by, change="password", user=name)

    async def remove(self, name: str, by: str) -> bool:
        """Forget a user; False if there is none.  Raises `LastAdmin`."""
        return await self._write(book.remove(name), by, change="removed", user=name)

    async def log_out(self, name: str, by: str, keep: bytes = b"") -> int:
        """End the logins of a user; return how many."""
        return await self._write(book.end_all(name, keep), by, change="logged-out", user=name)

    async def sessions(self, name: str) -> list[Session]:
        """Return the logins of a user, the newest first."""
        return await self._accounts.database.read(book.sessions(name))

    # tokens

    async def tokens(self) -> list[Token]:
        """Return all, the newest first."""
        return await self._accounts.database.read(book.tokens())

    async def add_token(self, name: str, scope: Sequence[str], days: int, by: str) -> str:
        """Make a token; return it: it is never shown again."""
        known = {one.value for one in Ability} - {Ability.NOTHING.value}
        faults = {}
        if not NAME.fullmatch(name):
            faults["name"] = "A name has 1 to 64 letters, digits and . _ @ - and begins with one"
        if not scope or set(scope) - known:
            faults["scope"] = "Choose what it may do: " + ", ".join(sorted(known))
        elif Ability.SCHEDULE in scope and Ability.PHI not in scope:
            faults["scope"] = "Who changes the worklist sees patients: schedule needs phi as well"
        if not 1 <= days <= MOST_DAYS:
            faults["days"] = f"A token holds for 1 to {MOST_DAYS} days"
        if faults:
            raise Faults(faults)
        value, now = PREFIX + secrets.token_urlsafe(32), self._accounts.now()
        token = Token(
            id=secrets.token_hex(4),
            name=name,
            scope=tuple(sorted(set(scope))),
            created_by=by,
            created_at=now,
            expires_at=now + days * DAY_S,
            used_at=None,
            revoked_at=None,
        )
        await self._write(
            book.add_token(token, digest_of(value)),
            by,
            event=Event.TOKEN,
            change="added",
            token=token.id,
            name=name,
            scope=list(token.scope),
            days=days,
        )
        return value

    async def revoke(self, number: str, by: str) -> str:
        """End a token; return its name, "" if there is none that still holds."""
        job = book.revoke(number, self._accounts.now())
        return await self._write(job, by, event=Event.TOKEN, change="revoked", token=number)

    async def _write(self, job: Job[T], by: str, event: str = Event.ACCOUNT, **what: object) -> T:
        done: T = await self._accounts.database.write(self._told(job, event, by, what))
        await self._accounts.changed()
        return done

    def _told(
        self, job: Job[T], event: str, by: str, what: Mapping[str, object]
    ) -> Callable[[Transaction], T]:
        def both(transaction: Transaction) -> T:
            done = job(transaction)
            # What found nobody to change has done nothing.
            if done is None or done:
                self._accounts.trail.append(transaction, event, by, **what)
            return done

        return both


def _both(one: Job[bool], other: Job[bool]) -> Job[bool]:
    return lambda transaction: one(transaction) and other(transaction)


def _role_faults(role: str, grants: Sequence[str]) -> dict[str, str]:
    faults = {}
    if role not in ROLES:
        faults["role"] = "A role is viewer, operator or admin"
    if set(grants) - set(GRANTS):
        faults["grants"] = (
            "What can be granted is phi (patient data), audit (the audit trail) and reidentify"
            " (who is behind a pseudonym)"
        )
    return faults
