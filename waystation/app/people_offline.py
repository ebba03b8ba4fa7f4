"""Users and tokens of a data folder while no node works on it.

Contract: the same routes as ``/api/v1/users`` and ``/api/v1/tokens``, asked without a socket.
Takes the lock of the folder: `StorageError` while a node works on it.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waystation.app.archive_offline import ReadOnly
from waystation.app.people import AUDIT_KEY, audit_key
from waystation.app.recovery import DataLock, open_database
from waystation.flows.auditing import Trail
from waystation.journal import audit
from waystation.journal.audit import Broken
from waystation.model.errors import StorageError, WaystationError
from waystation.web.access import EVERYTHING, Who
from waystation.web.accounts import Accounts
from waystation.web.api_users import users_alone
from waystation.web.surroundings import Surroundings

OWNER = Who(name="local", kind="local", role="admin", abilities=EVERYTHING)


async def ask(data: Path, method: str, path: str, body: Mapping[str, object]) -> Any:
    """Return the JSON of an answer; raises `WaystationError` with its words for a refusal."""
    lock = DataLock(data)
    try:
        database = open_database(data)
        try:
            accounts = Accounts(
                database, Trail(database, audit_key(data), time.time), time.time, Surroundings(), ""
            )
            await accounts.start()
            try:
                return await _call(users_alone(accounts), method, path, json.dumps(body).encode())
            finally:
                accounts.close()
        finally:
            database.close()
    finally:
        lock.release()


async def audit_state(data: Path) -> tuple[int, Broken | None]:
    """Return how many records the audit trail has and where it does not hold, None if it does.

    May run beside a node.  Raises `StorageError` where there is no journal or no key.
    """
    path = data / AUDIT_KEY
    if not path.exists():
        raise StorageError(f"{path} is not there: without the key nobody can tell")
    journal = ReadOnly(data)
    broken = await journal.read(audit.broken(path.read_bytes()))
    return (await journal.read(audit.head()))[0], broken


async def _call(asgi: Any, method: str, path: str, body: bytes) -> Any:
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"localhost")],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "scheme": "http",
        "root_path": "",
        "waystation.who": OWNER,
    }
    await asgi(scope, receive, send)
    answer = json.loads(b"".join(message.get("body", b"") for message in sent[1:]))
    if sent[0]["status"] >= 400:
        raise WaystationError(": ".join(filter(None, (answer["title"], answer.get("detail")))))
    return answer
