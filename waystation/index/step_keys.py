"""What a client has sent before under a key of its own, so that it may send it again (T-64).

Contract: `remembered` and `remember` belong into the transaction of what the key stands for; the
same key with another request is the client's mistake.  Keys are forgotten after `KEPT_S`.
"""

import json
from typing import Final

from waystation.db.statement import Transaction

KEPT_S: Final = 2 * 86_400.0
_KEY: Final = "worklist.key."


def remembered(transaction: Transaction, key: str) -> tuple[str, list[int]] | None:
    """Return the digest of the request under a key, and the steps that it made; None if new."""
    row = transaction.one("SELECT v FROM meta WHERE k = :k", {"k": _KEY + key})
    if row is None:
        return None
    _, digest, ids = json.loads(row[0])
    return digest, ids


def remember(transaction: Transaction, key: str, digest: str, ids: list[int], now: float) -> None:
    """Note what was made under a key; forget what is old."""
    transaction.run(
        "DELETE FROM meta WHERE k >= :low AND k < :high AND v < :old",
        {"low": _KEY, "high": _KEY + "~", "old": f"[{_stamp(now - KEPT_S)}"},
    )
    value = f"[{_stamp(now)}, {json.dumps(digest)}, {json.dumps(ids)}]"
    transaction.run(
        "INSERT INTO meta (k, v) VALUES (:k, :v) ON CONFLICT (k) DO NOTHING",
        {"k": _KEY + key, "v": value},
    )


def _stamp(now: float) -> str:
    # So many digits that texts sort as their numbers do.
    return f"{max(int(now), 1_000_000_000)}"
