"""Nodes that break their promises, for the negative controls of S-30; started by the rig alone.

``python -m tests.torture.broken KIND serve --config FILE``: the product's own command after one
thing in it was replaced.  The product itself has no switch for any of this (S-6).
"""

import asyncio
import sys
from typing import Any

from waystation.blobs.folder import Buffer, Draft
from waystation.db.engine import Database
from waystation.dicom.head import Head
from waystation.flows.route import Router
from waystation.journal import arrivals
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError

LATE_S = 0.4


def early() -> None:
    """Let the journal say "committed" first and commit a little later."""
    single()
    add, submit, arrived = arrivals.add, Database.submit, Router.arrived

    def late_add(arrival: Arrival, data: bytes | bytearray | None) -> Any:
        job = add(arrival, None if data is None else bytes(data))
        job.late = True  # type: ignore[attr-defined]
        return job

    def hasty(self: Database, job: Any, **options: Any) -> "asyncio.Future[Any]":
        if not getattr(job, "late", False):
            return submit(self, job, **options)
        loop = asyncio.get_running_loop()
        loop.call_later(LATE_S, submit, self, job)
        done = loop.create_future()
        done.set_result(None)
        return done

    def told_later(self: Router, arrival: Arrival, head: Head | None) -> None:
        asyncio.get_running_loop().call_later(2 * LATE_S, arrived, self, arrival, head)

    arrivals.add = late_add
    Database.submit = hasty  # type: ignore[method-assign]
    Router.arrived = told_later  # type: ignore[method-assign]


def deaf() -> None:
    """Go on as if a failed write or sync of a blob had worked."""
    single()
    write, seal = Draft.write, Draft.seal

    def hopeful_write(self: Draft, data: Buffer) -> None:
        try:
            write(self, data)
        except StorageError:
            self.size_bytes += len(data)

    def hopeful_seal(self: Draft) -> str:
        name = self.bind()
        try:
            return seal(self)
        except StorageError:
            return name

    Draft.write = hopeful_write  # type: ignore[method-assign]
    Draft.seal = hopeful_seal  # type: ignore[method-assign]


def single() -> None:
    """Keep every promise, with one disk thread: its calls come in one order."""
    from waystation.app import node

    node.DISK_THREADS = 1


KINDS = {"early": early, "deaf": deaf, "single": single}


def main() -> None:
    from waystation.cli.main import main as command

    KINDS[sys.argv.pop(1)]()
    command()


if __name__ == "__main__":
    main()
