"""How deep a JSON text goes and how much is in it, before anything parses it (L22).

Contract: pure; one pass, without recursion.  `unfit` says what is too much, "" for nothing; whether
the text is JSON at all is for its parser to say.
"""

import re
from typing import Final

DEEPEST: Final = 32
MOST_MEMBERS: Final = 10_000
_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


def unfit(text: bytes) -> str:
    """Return why a JSON text is not looked at."""
    if text.count(b"{") + text.count(b"[") <= DEEPEST and text.count(b",") < MOST_MEMBERS:
        return ""
    depth = deepest = 0
    members = 1
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark == b",":
            members += 1
        elif mark in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    if deepest > DEEPEST:
        return f"It goes deeper than {DEEPEST} levels"
    return f"It has more than {MOST_MEMBERS} members" if members > MOST_MEMBERS else ""
