"""How far a Fetch is, as the progress resource tells it (W-119)."""

from waystation.flows.fetch import CANCELLED, COMPLETE, FAILED, INCOMPLETE, RUNNING, Progress
from waystation.flows.fetch_manifest import WHOLE, Aim
from waystation.flows.fetching import Fetch

# So many missing UIDs are named.
NAMED = 50


def progress_of(fetch: Fetch, readers: int, now: float) -> Progress:
    """Return how far a Fetch is.  now: Unix seconds."""
    stock, manifest = fetch.stock, fetch.survey.manifest
    aims = list(fetch.goals) or [WHOLE]
    scope = WHOLE if WHOLE in aims else _widest(aims)
    missing = [uid for aim in aims for uid in manifest.missing(aim, stock.here) or ()]
    named = list(dict.fromkeys(missing))
    state = _state(fetch)
    ended = fetch.over.is_set()
    seconds = (now - stock.first_at) if stock.first_at else 0.0
    problem = fetch.problem
    return Progress(
        id=fetch.id,
        source=fetch.terms.name,
        study_uid=fetch.study,
        level={"STUDY": "study", "SERIES": "series", "IMAGE": "instance"}[scope.level],
        state=state,
        began_at=fetch.began_at,
        ended_at=now if ended else None,
        expected=manifest.count(scope),
        received=stock.n_landed,
        size_bytes=stock.size_bytes,
        rate=stock.size_bytes / seconds if seconds > 0.01 else 0.0,
        n_missing=len(named),
        missing=tuple(named[:NAMED]),
        verified=_verified(fetch),
        error=problem.text if problem is not None else "",
        status=problem.status if problem is not None else 0,
        readers=readers,
        way=fetch.way,
    )


def _widest(aims: list[Aim]) -> Aim:
    return min(aims, key=lambda aim: bool(aim.instance))


def _state(fetch: Fetch) -> str:
    if not fetch.over.is_set():
        return RUNNING
    if fetch.cancelled:
        return CANCELLED
    if all(goal.done for goal in fetch.goals.values()):
        return COMPLETE
    return INCOMPLETE if fetch.stock.here else FAILED


def _verified(fetch: Fetch) -> str:
    order = ("none", "counts", "uids")
    found = [goal.verified for goal in fetch.goals.values()]
    return min(found, key=order.index) if found else "none"
