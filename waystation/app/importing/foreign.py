"""Reading values out of a foreign JSON file, with a fault for what is not of its kind.

Contract: a wrong type is a fault with FILE:LINE and the key; an absent key gives the default of
the program that the file belongs to.  A secret is never returned, only that there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from waystation.app.importing.findings import Report
from waystation.app.importing.json_text import Node
from waystation.app.importing.page import Page
from waystation.wire.names import is_ae_title

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Source:
    """One table of a foreign file.  key: how to call it in a fault."""

    node: Node
    report: Report
    key: str = ""

    def where(self, key: str = "") -> str:
        found = self.node.get(key) if key else None
        return (found or self.node).where

    def has(self, key: str) -> bool:
        found = self.node.get(key)
        return found is not None and found.value is not None

    def text(self, key: str, default: str = "") -> str:
        found = self.node.get(key)
        if found is None or found.value is None:
            return default
        if isinstance(found.value, str):
            return found.value.strip()
        if isinstance(found.value, int) and not isinstance(found.value, bool):
            return str(found.value)
        self._wrong(key, found, "a text")
        return default

    def flag(self, key: str, default: bool) -> bool:
        found = self.node.get(key)
        if found is None or found.value is None:
            return default
        if isinstance(found.value, bool):
            return found.value
        word = str(found.value).strip().lower() if isinstance(found.value, str | int) else "?"
        if word in TRUE or word in FALSE:
            return word in TRUE
        self._wrong(key, found, "true or false")
        return default

    def number(self, key: str, default: int) -> int:
        found = self.node.get(key)
        if found is None or found.value is None:
            return default
        value = found.value
        if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 12:
            return int(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value)
        self._wrong(key, found, "a number")
        return default

    def port(self, key: str, default: int = 0) -> int:
        number = self.number(key, default)
        if not 1 <= number <= 65_535:
            self.fault(key, "expected a port from 1 to 65535")
        return number

    def title(self, key: str, default: str = "") -> str:
        found = self.text(key, default)
        if not is_ae_title(found):
            self.fault(key, "an AE title has 1 to 16 printable ASCII characters")
        return found

    def needed(self, key: str) -> str:
        found = self.text(key)
        if not found:
            self.fault(key, "is missing")
        return found

    def table(self, key: str) -> "Source | None":
        """Return a table inside this one; anything else under that key is a fault."""
        found = self.node.get(key)
        if found is None or found.value is None:
            return None
        if not isinstance(found.value, dict):
            self._wrong(key, found, "a table in braces")
            return None
        return Source(found, self.report, self._path(key))

    def fault(self, key: str, problem: str) -> None:
        self.report.fault(self.where(key), self._path(key), problem)

    def _path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key

    def _wrong(self, key: str, found: Node, wanted: str) -> None:
        self.report.fault(found.where, self._path(key), f"expected {wanted}")


def write_tls(page: Page, files: dict[str, Path], report: Report, where: str) -> bool:
    """Write ``tls`` if every file is here; else keep the way shut, so that nothing goes in clear.

    files: our key → file; the keys are those of a destination's tls table.  Returns whether the
    way is open.
    """
    table = {key: str(path) for key, path in files.items()}
    missing = [path for path in files.values() if not path.is_file()]
    if not missing and files:
        page.set("tls", table)
        report.kept(where, "TLS → tls, with the same files")
        return True
    page.set("window", "never", "shut until its TLS files are here")
    page.off("tls", table)
    report.changed(where, "TLS files are not here: the way stays shut rather than go without TLS")
    return False


def write_secret(
    page: Page, key: str, table: Mapping[str, object], report: Report, where: str
) -> None:
    """Write where a secret belongs, as a comment: its value is never copied."""
    page.comment("The old password or token is not copied. Set the variable, then uncomment:")
    page.off(key, table)
    report.changed(where, f"credentials → {key}, to be filled in; the old ones are not copied")


def variable_for(name: str, what: str) -> str:
    """Return the name of an environment variable for a secret."""
    stem = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
    return f"{stem.upper()}_{what}"
