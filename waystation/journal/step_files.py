"""What a watched worklist folder held when it was looked at last (T-56)."""

from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction

OURS, THEIRS = "ours", "theirs"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFile:
    """One file.

    folder: name of the bridge.  path: within it.  steps: numbers of what it became.
    problem: why it is none, "" if it is one.  writer: OURS if we wrote it from a step.
    """

    folder: str
    path: str
    signature: str
    digest: str = ""
    steps: tuple[int, ...] = ()
    problem: str = ""
    writer: str = THEIRS
    seen_at: float = 0.0


def known(folder: str) -> Job[dict[str, StepFile]]:
    """Read the files of a folder, by path."""

    def job(transaction: Transaction) -> dict[str, StepFile]:
        rows = transaction.rows(
            "SELECT path, signature, digest, steps, problem, writer, seen_at FROM step_file"
            " WHERE folder = :folder",
            {"folder": folder},
        )
        return {
            row[0]: StepFile(
                folder=folder,
                path=row[0],
                signature=row[1],
                digest=row[2],
                steps=tuple(map(int, row[3].split())),
                problem=row[4],
                writer=row[5],
                seen_at=row[6],
            )
            for row in rows
        }

    return job


def put(transaction: Transaction, file: StepFile) -> None:
    """Write a file down."""
    forget(transaction, file.folder, file.path)
    transaction.run(
        "INSERT INTO step_file (folder, path, signature, digest, steps, problem, writer, seen_at)"
        " VALUES (:folder, :path, :signature, :digest, :steps, :problem, :writer, :seen_at)",
        {
            "folder": file.folder,
            "path": file.path,
            "signature": file.signature,
            "digest": file.digest,
            "steps": " ".join(map(str, file.steps)),
            "problem": file.problem,
            "writer": file.writer,
            "seen_at": file.seen_at,
        },
    )


def forget(transaction: Transaction, folder: str, path: str) -> None:
    """Forget a file."""
    transaction.run(
        "DELETE FROM step_file WHERE folder = :folder AND path = :path",
        {"folder": folder, "path": path},
    )
