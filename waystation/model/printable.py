"""Text from outside, made harmless for logs, mails and tables (S-62, S-68).

Contract: `printable` returns one line without control, bidirectional or other invisible
characters; each of those becomes its code, so that nothing is lost and nothing is hidden.
"""


def printable(text: str) -> str:
    """Return ``text`` with every character that a terminal might act upon written as its code."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def cell(text: str) -> str:
    """Return ``text`` so that no spreadsheet takes it for a formula."""
    plain = printable(text)
    return f"'{plain}" if plain.lstrip()[:1] in set("=+-@") or text[:1] in set("\t\r") else plain


def field(value: object) -> str:
    """Return a value of ``key=value`` that poses neither as another field nor as a line."""
    text = printable(str(value))
    if text and " " not in text and '"' not in text and "=" not in text:
        return text
    return '"' + text.replace('"', '\\"') + '"'
