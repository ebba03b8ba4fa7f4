"""People who may log in, their sessions, and tokens of programs.

Contract: jobs for one database; no secret goes in or comes out but as a hash.  A job that would
leave nobody who can administer raises `LastAdmin` and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.model.errors import WaystationError

_ACCOUNT = (
    "SELECT name, role, grants, password, disabled, created_at, changed_at, seen_at FROM account"
)
_TOKEN = (
    "SELECT id, name, scope, created_by, created_at, expires_at, used_at, revoked_at FROM token"
)


class LastAdmin(WaystationError):
    """Nobody would be left who can administer."""


class Taken(WaystationError):
    """There is an account of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person.  password: as argon2id.  grants: phi, audit."""

    name: str
    role: str
    grants: tuple[str, ...]
    password: str
    disabled: bool
    created_at: float
    changed_at: float
    seen_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login.  digest: SHA-256 of its id."""

    digest: bytes
    account: str
    created_at: float
    used_at: float
    proved_at: float
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a program.  scope: abilities."""

    id: str
    name: str
    scope: tuple[str, ...]
    created_by: str
    created_at: float
    expires_at: float
    used_at: float | None
    revoked_at: float | None


# accounts


def accounts() -> Job[list[Account]]:
    """Read all, by name."""
    return lambda transaction: [
        _account(row) for row in transaction.rows(_ACCOUNT + " ORDER BY name")
    ]


def account(name: str) -> Job[Account | None]:
    """Read one, None if there is none."""
    return lambda transaction: _one(transaction, name)


def _one(transaction: Transaction, name: str) -> Account | None:
    row = transaction.one(_ACCOUNT + " WHERE name = :name", {"name": name})
    return None if row is None else _account(row)


def _account(row: Row) -> Account:
    return Account(
        name=str(row[0]),
        role=str(row[1]),
        grants=tuple(str(row[2]).split()),
        password=str(row[3]),
        disabled=bool(row[4]),
        created_at=float(row[5]),
        changed_at=float(row[6]),
        seen_at=None if row[7] is None else float(row[7]),
    )


def add(name: str, role: str, grants: Sequence[str], password: str, now: float) -> Job[None]:
    """Add a person; raises `Taken` where there is one of that name, in whatever case."""

    def job(transaction: Transaction) -> None:
        known = transaction.one(
            "SELECT name FROM account WHERE lower(name) = :name", {"name": name.lower()}
        )
        if known is not None:
            raise Taken(f"there is a user {known[0]} already")
        transaction.run(
            "INSERT INTO account (name, role, grants, password, disabled, created_at, changed_at)"
            " VALUES (:name, :role, :grants, :password, 0, :now, :now)",
            {
                "name": name,
                "role": role,
                "grants": " ".join(grants),
                "password": password,
                "now": now,
            },
        )

    return job


def change(name: str, role: str, grants: Sequence[str], disabled: bool, now: float) -> Job[bool]:
    """Change what a person may do; False if there is none.  Raises `LastAdmin`.

    Who is disabled or may do less is logged out everywhere.
    """

    def job(transaction: Transaction) -> bool:
        if _one(transaction, name) is None:
            return False
        transaction.run(
            "UPDATE account SET role = :role, grants = :grants, disabled = :disabled,"
            " changed_at = :now WHERE name = :name",
            {
                "name": name,
                "role": role,
                "grants": " ".join(grants),
                "disabled": int(disabled),
                "now": now,
            },
        )
        _log_out(transaction, name)
        _check_admin(transaction)
        return True

    return job


def set_password(name: str, password: str, now: float, keep: bytes = b"") -> Job[bool]:
    """Give a person another password and end their sessions but ``keep``; False if none."""

    def job(transaction: Transaction) -> bool:
        changed = transaction.run(
            "UPDATE account SET password = :password, changed_at = :now WHERE name = :name",
            {"name": name, "password": password, "now": now},
        )
        transaction.run(
            "DELETE FROM session WHERE account = :name AND digest <> :keep",
            {"name": name, "keep": keep},
        )
        return changed > 0

    return job


def remove(name: str) -> Job[bool]:
    """Forget a person; False if there is none.  Raises `LastAdmin`.

    The last one of all may go: then nobody has to log in any more.
    """

    def job(transaction: Transaction) -> bool:
        gone = transaction.run("DELETE FROM account WHERE name = :name", {"name": name})
        _log_out(transaction, name)
        if transaction.one("SELECT name FROM account LIMIT 1") is not None:
            _check_admin(transaction)
        return gone > 0

    return job


def _log_out(transaction: Transaction, name: str) -> None:
    transaction.run("DELETE FROM session WHERE account = :name", {"name": name})


def _check_admin(transaction: Transaction) -> None:
    left = transaction.one("SELECT name FROM account WHERE role = 'admin' AND disabled = 0")
    if left is None:
        raise LastAdmin("nobody would be left who can administer; make another admin first")


# sessions


def begin(session: Session) -> Job[None]:
    """Keep a login."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO session (digest, account, created_at, used_at, proved_at, address)"
            " VALUES (:digest, :account, :created_at, :used_at, :proved_at, :address)",
            {
                "digest": session.digest,
                "account": session.account,
                "created_at": session.created_at,
                "used_at": session.used_at,
                "proved_at": session.proved_at,
                "address": session.address,
            },
        )
        transaction.run(
            "UPDATE account SET seen_at = :now WHERE name = :name",
            {"now": session.created_at, "name": session.account},
        )

    return job


def session_of(digest: bytes) -> Job[tuple[Session, Account] | None]:
    """Read a login and whose it is, None if it is over or its person is disabled."""

    def job(transaction: Transaction) -> tuple[Session, Account] | None:
        row = transaction.one(
            "SELECT digest, account, created_at, used_at, proved_at, address FROM session"
            " WHERE digest = :digest",
            {"digest": digest},
        )
        if row is None:
            return None
        found = _one(transaction, str(row[1]))
        if found is None or found.disabled:
            return None
        return _session(row), found

    return job


def sessions(name: str) -> Job[list[Session]]:
    """Read the logins of a person, the newest first."""
    return lambda transaction: [
        _session(row)
        for row in transaction.rows(
            "SELECT digest, account, created_at, used_at, proved_at, address FROM session"
            " WHERE account = :name ORDER BY created_at DESC",
            {"name": name},
        )
    ]


def _session(row: Row) -> Session:
    return Session(
        digest=bytes(row[0]),
        account=str(row[1]),
        created_at=float(row[2]),
        used_at=float(row[3]),
        proved_at=float(row[4]),
        address=str(row[5]),
    )


def used(digest: bytes, now: float) -> Job[None]:
    """Note that a login was used."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE session SET used_at = :now WHERE digest = :digest",
            {"now": now, "digest": digest},
        )

    return job


def end(digest: bytes) -> Job[None]:
    """End one login."""

    def job(transaction: Transaction) -> None:
        transaction.run("DELETE FROM session WHERE digest = :digest", {"digest": digest})

    return job


def end_all(name: str, keep: bytes = b"") -> Job[int]:
    """End all logins of a person but ``keep``; return how many."""
    return lambda transaction: transaction.run(
        "DELETE FROM session WHERE account = :name AND digest <> :keep",
        {"name": name, "keep": keep},
    )


def tidy(idle_before: float, began_before: float) -> Job[int]:
    """Forget logins that are over."""
    return lambda transaction: transaction.run(
        "DELETE FROM session WHERE used_at < :idle OR created_at < :began",
        {"idle": idle_before, "began": began_before},
    )


# tokens


def add_token(token: Token, digest: bytes) -> Job[None]:
    """Keep a token.  digest: SHA-256 of what was given out."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO token (id, digest, name, scope, created_by, created_at, expires_at)"
            " VALUES (:id, :digest, :name, :scope, :by, :at, :until)",
            {
                "id": token.id,
                "digest": digest,
                "name": token.name,
                "scope": " ".join(token.scope),
                "by": token.created_by,
                "at": token.created_at,
                "until": token.expires_at,
            },
        )

    return job


def tokens() -> Job[list[Token]]:
    """Read all, the newest first."""
    return lambda transaction: [
        _token(row) for row in transaction.rows(_TOKEN + " ORDER BY created_at DESC")
    ]


def token_of(digest: bytes) -> Job[Token | None]:
    """Read the one that was given out, None if there is none."""

    def job(transaction: Transaction) -> Token | None:
        row = transaction.one(_TOKEN + " WHERE digest = :digest", {"digest": digest})
        return None if row is None else _token(row)

    return job


def _token(row: Row) -> Token:
    return Token(
        id=str(row[0]),
        name=str(row[1]),
        scope=tuple(str(row[2]).split()),
        created_by=str(row[3]),
        created_at=float(row[4]),
        expires_at=float(row[5]),
        used_at=None if row[6] is None else float(row[6]),
        revoked_at=None if row[7] is None else float(row[7]),
    )


def token_used(number: str, now: float) -> Job[None]:
    """Note that a token was used."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE token SET used_at = :now WHERE id = :id", {"now": now, "id": number}
        )

    return job


def revoke(number: str, now: float) -> Job[str]:
    """End a token; return its name, "" if there is none that still holds."""

    def job(transaction: Transaction) -> str:
        row = transaction.one(
            "SELECT name FROM token WHERE id = :id AND revoked_at IS NULL", {"id": number}
        )
        if row is None:
            return ""
        transaction.run(
            "UPDATE token SET revoked_at = :now WHERE id = :id", {"now": now, "id": number}
        )
        return str(row[0])

    return job
