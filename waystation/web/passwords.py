"""Passwords: argon2id, never in the event loop, and as slow for who does not exist (S-56)."""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 12
LONGEST: Final = 256
# Each takes 64 MiB.
AT_ONCE: Final = 4
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
# Of a password that nobody has; made with the parameters above.
NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$d2F5c3RhdGlvbi1ub2JvZHk$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def fault_of(password: str, name: str = "") -> str:
    """Return why a password is none, "" if it will do."""
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters"
    if len(set(password)) < 4:
        return "Use more than a few different characters"
    if name and name.lower() in password.lower() and len(password) < len(name) + SHORTEST:
        return "The name of the user does not make a password"
    return ""


def hashed(password: str) -> str:
    """Return what is kept of a password; takes about 0.1 s."""
    return _HASHER.hash(_normal(password))


def matches(kept: str, password: str) -> bool:
    """Tell whether a password is the one that ``kept`` was made of; takes about 0.1 s."""
    try:
        return _HASHER.verify(kept, _normal(password[: 4 * LONGEST]))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """The same signs typed on another keyboard are the same password."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")


class Passwords:
    """Works in threads of its own."""

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")

    async def hashed(self, password: str) -> str:
        """Return what is kept of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, hashed, password)

    async def matches(self, kept: str | None, password: str) -> bool:
        """Tell whether a password fits; kept: None for somebody who does not exist."""
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._workers, matches, kept or NOBODY, password)
        return fits and kept is not None

    def close(self) -> None:
        """End the threads."""
        self._workers.shutdown(wait=False, cancel_futures=True)
