r"""Text against patterns: `*` is any run, `?` one character, `\` takes the next one literally.

Contract: matching takes time linear in the value; regular expressions are those of RE2, at most
1 KiB (R-30).  Both sides are Unicode NFC before they meet.
"""

import unicodedata
from collections.abc import Callable

import re2

from waystation.model.errors import ConfigError

REGEX_LIMIT_BYTES = 1024
TextTest = Callable[[str], bool]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def clean(text: str) -> str:
    """Return text in NFC that every matcher can take (lone surrogates become `?`)."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())


def without_accents(text: str) -> str:
    """Return text with combining marks removed: `é` becomes `e`."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def tokens(pattern: str, where: str) -> list[tuple[str, str]]:
    """Return the pattern as ``("text", run)``, ``("*", "")`` and ``("?", "")``."""
    if not pattern:
        raise ConfigError(where, "an empty pattern matches nothing: use { empty = true }")
    found: list[tuple[str, str]] = []
    letters = iter(clean(pattern))
    for letter in letters:
        if letter in "*?":
            if found[-1:] != [("*", "")] or letter == "?":
                found.append((letter, ""))
            continue
        if letter == "\\":
            letter = next(letters, "")
            if not letter:
                raise ConfigError(where, f'"{pattern}" ends in a lone backslash')
        if found and found[-1][0] == "text":
            letter = found.pop()[1] + letter
        found.append(("text", letter))
    return found


def literal(pattern: str, where: str) -> str | None:
    """Return the one text that the pattern matches, or None if it has wildcards."""
    parts = tokens(pattern, where)
    return parts[0][1] if len(parts) == 1 and parts[0][0] == "text" else None


def wildcard(pattern: str, where: str, fold: Callable[[str], str] = str) -> TextTest:
    """Return the test of a pattern; ``fold`` is applied to its literal runs."""
    parts = [(kind, fold(run)) for kind, run in tokens(pattern, where)]
    shape = "".join("t" if kind == "text" else kind for kind, _ in parts)
    runs = [run for kind, run in parts if kind == "text"]
    match shape:
        case "t":
            return lambda value: value == runs[0]
        case "*":
            return bool
        case "t*":
            return lambda value: value.startswith(runs[0])
        case "*t":
            return lambda value: value.endswith(runs[0])
        case "*t*":
            return lambda value: runs[0] in value
    as_regex = {"*": ".*", "?": "."}
    compiled = re2.compile(
        "(?s)" + "".join(as_regex.get(kind) or re2.escape(run) for kind, run in parts), _OPTIONS
    )
    return lambda value: compiled.fullmatch(value) is not None


def regex(pattern: str, where: str, *, ignore_case: bool = False) -> TextTest:
    """Return the test of a regular expression that the whole value must match."""
    if not pattern:
        raise ConfigError(where, "an empty expression matches nothing: use { empty = true }")
    if len(pattern.encode("utf-8", "replace")) > REGEX_LIMIT_BYTES:
        raise ConfigError(where, f"a regular expression has at most {REGEX_LIMIT_BYTES} bytes")
    try:
        compiled = re2.compile(("(?i)" if ignore_case else "") + clean(pattern), _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else b"not understood"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ConfigError(where, f"regular expression: {text}") from error
    return lambda value: compiled.fullmatch(value) is not None
