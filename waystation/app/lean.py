"""A node starts small: libraries without what they load for show, and few heaps (R-89).

Contract: `import_lean` has an effect only before anybody else has imported these libraries.
structlog brings rich, pygments and attrs along for coloured tracebacks, uvicorn watchfiles for
source code that changes; a node writes plain lines and reads its source once.  That is 6 MB of
every node, and a quarter of a second of every start.  `share_heaps` has to come before threads.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SHOW = ("rich", "watchfiles")
# mallopt(3): by default each thread gets a heap of its own, up to eight for each core, and every
# one keeps what its largest object once needed.
M_ARENA_MAX = -8
HEAPS = 2


def import_lean() -> None:
    """Import structlog and uvicorn as if `SHOW` were not installed."""
    with _hidden(*SHOW):
        import structlog  # noqa: F401
        import uvicorn  # noqa: F401


def share_heaps() -> None:
    """Have all threads share two heaps, where the C library is glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, HEAPS)


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
