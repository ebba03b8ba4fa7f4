"""Nodes that break their promises, for the negative controls of S-30; started by the rig alone.

``python -m tests.torture.broken KIND serve --config FILE``: the product's own command after one
thing in it was replaced.  The product itself has no switch for any of this (S-6).
"""

import asyncio
import sys

from waystation.blobs.folder import Buffer, Draft
from waystation.flows.incoming import Incoming
from waystation.flows.receive import Reception, success
from waystation.model.errors import StorageError
from waystation.wire.commands import Command

LATE_S = 0.4


def early() -> None:
    """Answer Success first; seal and commit a little later."""
    answer, accept = Reception._answer, Reception._accept
    tasks = set()

    def silent(self: Reception, context_id: int, command: Command) -> None:
        """The answer was given already."""

    async def later(self: Reception, incoming: Incoming) -> None:
        await asyncio.sleep(LATE_S)
        await accept(self, incoming)

    async def at_once(self: Reception, incoming: Incoming) -> None:
        answer(self, incoming.context.id, success(incoming.command))
        task = asyncio.create_task(later(self, incoming))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    Reception._answer = silent  # type: ignore[method-assign]
    Reception._accept = at_once  # type: ignore[method-assign]


def deaf() -> None:
    """Go on as if a failed write or sync of a blob had worked."""
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
