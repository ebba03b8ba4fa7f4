"""Which studies of a PACS lie complete in the cache (W-128)."""

from collections.abc import Collection

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders
from waystation.index.cache_book import COMPLETE, STUDY

_BATCH = 5000
_COMPLETE = (
    "SELECT e.study FROM cache_entry e JOIN cache_scope s ON s.entry = e.id AND s.series = :whole"
    " WHERE e.source = :source AND s.state = :state AND e.study IN "
)


def complete(source: str, studies: Collection[str]) -> Job[set[str]]:
    """Return those of the studies that are."""
    wanted = sorted(studies)

    def job(transaction: Transaction) -> set[str]:
        found: set[str] = set()
        for at in range(0, len(wanted), _BATCH):
            batch = wanted[at : at + _BATCH]
            params: dict[str, object] = {"source": source, "state": COMPLETE, "whole": STUDY}
            params |= {f"study{number}": uid for number, uid in enumerate(batch)}
            sql = f"{_COMPLETE}({placeholders('study', len(batch))})"
            found |= {str(row[0]) for row in transaction.rows(sql, params)}
        return found

    return job
