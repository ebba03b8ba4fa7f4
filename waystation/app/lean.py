"""Libraries that a node uses, without what they would load beside them for show.

Contract: has an effect only before anybody else has imported them.  structlog brings rich,
pygments and attrs along for coloured tracebacks, uvicorn watchfiles and its helpers for source
code that changes; a node writes plain lines and reads its source once.  That is 6 MB of every
node, and a quarter of a second of every start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SHOW = ("rich", "watchfiles")


def import_lean() -> None:
    """Import structlog and uvicorn as if `SHOW` were not installed."""
    with _hidden(*SHOW):
        import structlog  # noqa: F401
        import uvicorn  # noqa: F401


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Have importing these raise ModuleNotFoundError; what is imported already stays."""
    hidden = [name for name in names if name not in sys.modules]
    # That is what None means here (The Python Language Reference, 5.3.1).
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
