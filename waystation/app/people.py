"""Who may come in at the web of a node, and the audit trail: hung onto the node (`Annex`).

Contract: ``audit.key`` in the data folder is made once and read by nobody but the node's owner;
``api.key`` is another at each start: a command on this machine that can read it acts for the
owner.  Start, stop and each configuration that comes into force are in the trail (S-64).
"""

import hashlib
import os
import secrets
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import structlog

import waystation
from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.settings_base import is_loopback
from waystation.app.settings_node import WebSettings
from waystation.app.wiring_dicomweb import terms_in_force
from waystation.flows.auditing import Trail
from waystation.flows.desk import Services
from waystation.flows.retrieve import Going
from waystation.journal.audit import Event
from waystation.model.errors import ConfigError, WaystationError
from waystation.web.accounts import Accounts, SetupToken
from waystation.web.administration import Administration
from waystation.web.surroundings import Surroundings

log = structlog.get_logger()
AUDIT_KEY, LOCAL_KEY, SETUP_TOKEN = "audit.key", "api.key", "setup.token"
SETUP_S = 86_400.0
NODE = "node"
# So many studies are named in one record.
MOST_STUDIES = 1000


class People:
    """An annex."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._data = node.data
        self._text = node.text
        self.trail = Trail(node.database, audit_key(node.data), lambda: node.clock())
        self.around = Surroundings(terms_in_force(node))
        self._local_key = secrets.token_urlsafe(32)
        self.accounts = Accounts(
            node.database, self.trail, lambda: node.clock(), self.around, self._local_key
        )
        self.administration = Administration(self.accounts)

    @property
    def services(self) -> Services:
        """Nothing over associations."""
        return {}

    async def start(self) -> None:
        """See who is known; from now on commands on this machine can come in."""
        self._node.watching.looks.append(self.trail.findings)
        self._node.queries.ended.append(self._retrieved)
        await self.accounts.start()
        self._open_door(self._node.settings.web)
        write_private(self._data / LOCAL_KEY, self._local_key.encode())
        await self.trail.record(
            Event.STARTED, NODE, version=waystation.__version__, configuration=_digest(self._text)
        )

    def _open_door(self, web: WebSettings) -> None:
        """Raise `ConfigError` where others could come and nobody could sign in (S-55)."""
        path = self._data / SETUP_TOKEN
        path.unlink(missing_ok=True)
        if not web.enabled or not self.accounts.is_open:
            return
        if web.setup:
            token = secrets.token_urlsafe(32)
            self.accounts.setup = SetupToken(token, self._node.clock() + SETUP_S)
            write_private(path, token.encode())
            print(f"set-up token, good for 24 hours: {token}", file=sys.stderr, flush=True)
        elif not is_loopback(web.host) and web.anonymous == "none":
            raise ConfigError(
                "web.host",
                "others could reach it and nobody could sign in: add the first user with"
                " waystation user add NAME --role admin, or say setup = true",
            )

    def _retrieved(self, going: Going) -> None:
        """Write down who took what from the archive by C-MOVE or C-GET (T-46, S-64)."""
        source, counts = going.source, going.progress.counts
        self.trail.note(
            Event.RETRIEVED,
            source.peer or source.calling_ae,
            calling_ae=source.calling_ae,
            address=source.address,
            to=going.to,
            studies=list(going.studies)[:MOST_STUDIES],
            n_studies=len(going.studies),
            sent=counts.completed + counts.warning,
            not_sent=counts.failed + counts.remaining,
            why=going.progress.problem,
        )

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {"audit head": self.trail.run()}

    def check(self, settings: Settings) -> None:
        """Settings that were read can be put in force."""

    async def change(self, settings: Settings) -> None:
        """Write down that another configuration is in force."""
        before, self._text = self._text, self._node.text
        # Not waited for: a trail that fails must not leave the node between two configurations.
        self.trail.note(Event.CONFIGURED, NODE, before=_digest(before), after=_digest(self._text))

    async def stop(self) -> None:
        """Nobody comes in any more; a disk that fails does not keep the node from ending."""
        try:
            for name in (LOCAL_KEY, SETUP_TOKEN):
                (self._data / name).unlink(missing_ok=True)
            await self.trail.record(Event.STOPPED, NODE)
        except (WaystationError, OSError) as error:
            log.error("the end is not in the audit trail", error=str(error))
        finally:
            self.accounts.close()


def audit_key(data: Path) -> bytes:
    """Return the key of the audit chain; it is made where there is none yet."""
    path = data / AUDIT_KEY
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.rename(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
