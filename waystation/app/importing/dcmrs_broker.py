"""dcmrs-broker's configuration: its properties file, or the environment of its container.

Contract (W-6, W-8): `read` gives a configuration that answers at the same URLs and the same DICOM
port, asks the same PACS by the same titles, and keeps what it fetched as long; every changed
meaning and every property that is not known is listed.  `from_environment` is the same for the 19
names of its container, for a node without a file of its own.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from waystation.app.importing.findings import Imported, Report
from waystation.app.importing.hocon import Value, read_hocon
from waystation.app.importing.page import Page, plain
from waystation.app.importing.sources import read_file, shown
from waystation.wire.names import is_ae_title

REQUIRED: Final = (
    *("qido.remote_ae", "qido.remote_host", "qido.local_ae"),
    *("wado.remote_ae", "wado.remote_host", "wado.local_ae"),
    *("scp.local_ae", "scp.cache_dir_path"),
)
DEFAULTS: Final = {
    "qido.remote_port": "11112",
    "qido.url_base": "/qido-rs",
    "wado.url_base": "/wado-rs",
    "wado.remote_port": "11112",
    "wado.http_retry_after": "600",
    "wado.retry_delay_in_secs": "600",
    "wado.max_retry_attempts": "6",
    "wado.retrieve_timeout_in_secs": "120",
    "wado.ignore_missing_objects": "false",
    "scp.local_port": "11112",
    "scp.cache_max_age_in_min": "60",
}
PROPERTIES: Final = (*REQUIRED, *DEFAULTS)
# The example of its README writes the first one so, with a zero.
MISSPELT: Final = {"WAD0_REMOTE_AE": "WADO_REMOTE_AE"}
OF_THE_JVM: Final = ("dcmrsbroker.home", "logback.configurationFile")
CACHE: Final = "scp.cache_dir_path"
OWN_FOLDER: Final = "waystation"
HTTP_PORT: Final = 4567
NEXT: Final = (
    "next: waystation doctor main   (tells what the PACS must know of this node, and which quirks"
    " to set)"
)
OPEN: Final = "dcmrs-broker listened on every address and asked nobody for a login"


def variable(name: str) -> str:
    """Return the name of a property in the environment."""
    return name.upper().replace(".", "_")


VARIABLES: Final = {variable(name): name for name in PROPERTIES}


def read(path: Path) -> Imported:
    """Return the configuration of a properties file.  Raises `ConfigFaults`."""
    report = Report()
    values = read_hocon(read_file(path), shown(path), os.environ, report)
    found = {name: value for name, value in values.items() if name in PROPERTIES}
    for name, value in values.items():
        if name in OF_THE_JVM:
            report.dropped(value.where, f"{name}: there is no JVM here")
        elif name not in PROPERTIES:
            report.dropped(value.where, f"{plain(name)} is not known")
    return _translated(found, shown(path), report)


def is_meant(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment is that of its container."""
    required = {variable(name) for name in REQUIRED}
    return any(environ.get(name) for name in (*required, *MISSPELT))


def named(environ: Mapping[str, str]) -> list[str]:
    """Return its names that are set in the environment."""
    return sorted(name for name in (*VARIABLES, *MISSPELT) if environ.get(name))


def from_environment(environ: Mapping[str, str]) -> Imported:
    """Return the configuration of its container.  Raises `ConfigFaults`."""
    report = Report()
    found: dict[str, Value] = {}
    for word, right in (*MISSPELT.items(), *((word, word) for word in VARIABLES)):
        if environ.get(word):
            found[VARIABLES[right]] = Value(environ[word].strip(), f"environment {word}")
    return _translated(found, "environment", report, cache_required=False)


def _translated(
    values: Mapping[str, Value], source: str, report: Report, *, cache_required: bool = True
) -> Imported:
    for name in REQUIRED:
        if name not in values and (cache_required or name != CACHE):
            report.fault(source, name, f"is missing (or {variable(name)} in the environment)")
    page = Page()
    page.comment(f"Made by `waystation import-config dcmrs-broker` from {plain(source)}")
    page.comment("What was kept, changed or dropped stands in the list beside this text.")
    known = _Known(values, source, report)
    _node(known, page)
    _dicom(known, page)
    _web(known, page)
    _pacs(known, page)
    _cache(known, page)
    page.gap()
    page.comment("Only what was fetched comes in; whatever else a PACS sends is refused.")
    page.table("routing")
    page.set("otherwise", "refuse")
    report.changed(
        known.where("scp.local_ae"),
        "scp: objects are taken from any AE title, but only those that were asked for; there,"
        " anybody could store anything",
    )
    report.warning(
        source, "HTTP and DICOM are open to everybody who can reach them, as they were there"
    )
    return report.finish(page.toml, after=NEXT)


class _Known:
    """The values, read as what they have to be; what is wrong with them goes to the report."""

    def __init__(self, values: Mapping[str, Value], source: str, report: Report) -> None:
        self._values = values
        self._source = source
        self.report = report

    def where(self, name: str) -> str:
        return self._values[name].where if name in self._values else self._source

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return value.text if value is not None else DEFAULTS.get(name, "")

    def title(self, name: str) -> str:
        text = self.text(name).strip()
        if self.has(name) and not is_ae_title(text):
            self._fault(name, "an AE title has 1 to 16 printable ASCII characters, no backslash")
        return text

    def number(self, name: str, least: int = 1, most: int = 10**7) -> int:
        text = self.text(name).strip()
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            self._fault(name, f"expected a number from {least} to {most}")
            return least
        return int(text)

    def truth(self, name: str) -> bool:
        return self.text(name).strip().lower() == "true"

    def base(self, name: str) -> str:
        text = "/" + self.text(name).strip().strip("/")
        if text == "/" or "//" in text or " " in text:
            self._fault(name, "expected a base path below /, like /qido-rs")
        return text

    def kept(self, name: str, ours: str) -> None:
        if self.has(name):
            self.report.kept(self.where(name), f"{name} → {ours}")

    def changed(self, name: str, ours: str, how: str) -> None:
        note = self.report.changed if self.has(name) else self.report.kept
        shown_name = name if self.has(name) else f"{name} (its default)"
        note(self.where(name), f"{shown_name} → {ours}: {how}")

    def _fault(self, name: str, problem: str) -> None:
        self.report.fault(self.where(name), name, problem)


def _folder(known: _Known) -> str:
    return known.text(CACHE).strip().rstrip("/") or "/"


def _node(known: _Known, page: Page) -> None:
    if known.has(CACHE):
        page.table("node")
        page.set("data", f"{_folder(known)}/{OWN_FOLDER}", because="the cache lies in it too")


def _dicom(known: _Known, page: Page) -> None:
    page.table("dicom")
    page.set("ae_title", known.title("scp.local_ae"))
    page.set("host", "0.0.0.0", because=OPEN)
    page.set("port", known.number("scp.local_port", most=65_535))
    page.set("peers", "any")
    known.kept("scp.local_ae", "dicom.ae_title, which C-MOVE sends to")
    known.kept("scp.local_port", "dicom.port")


def _web(known: _Known, page: Page) -> None:
    bases = [known.base("qido.url_base"), known.base("wado.url_base")]
    page.table("web")
    page.set("host", "0.0.0.0", because=OPEN)
    page.set("port", HTTP_PORT, because="fixed there")
    page.set("insecure", True, because="plain HTTP, as there; better: TLS here or at a proxy")
    page.set("anonymous", "read", because="console and API stay closed until there is a user")
    page.set("aliases", list(dict.fromkeys(bases)))
    for name in ("qido.url_base", "wado.url_base"):
        known.changed(name, "web.aliases", "each serves searches and images alike")
    name = "wado.http_retry_after"
    if known.has(name):
        page.set("retry_after_max", f"{known.number(name)}s")
    known.changed(
        name,
        "web.retry_after_max",
        "only a ceiling: a first request is answered with the images, not with 503",
    )
    name = "wado.ignore_missing_objects"
    page.set("partial", "serve" if known.truth(name) else "refuse")
    known.changed(name, "web.partial", "what is incomplete is always marked as such")


def _pacs(known: _Known, page: Page) -> None:
    page.table("pacs", "main")
    page.set("move_destination", known.title("scp.local_ae"))
    page.set("senders", "any")
    for table, there in (("find", "qido"), ("move", "wado")):
        page.set(
            table,
            {
                "ae_title": known.title(f"{there}.remote_ae"),
                "host": known.text(f"{there}.remote_host").strip(),
                "port": known.number(f"{there}.remote_port", most=65_535),
                "calling_ae": known.title(f"{there}.local_ae"),
            },
        )
        for word in ("remote_ae", "remote_host", "remote_port", "local_ae"):
            known.kept(f"{there}.{word}", f"pacs.main.{table}")
    if known.has("wado.remote_ae"):
        where = known.where("wado.remote_ae")
        text = 'C-GET is tried first where the PACS takes it; retrieve = "move" is C-MOVE only'
        known.report.changed(where, text)
    attempts = known.number("wado.max_retry_attempts", least=0, most=1000)
    ceiling = known.number("wado.retry_delay_in_secs")
    page.set("retry", {"attempts": max(1, attempts), "ceiling": f"{ceiling}s"})
    how = "0 failed at once there; here it is 1 attempt" if not attempts else "attempts in all"
    known.changed("wado.max_retry_attempts", "retry.attempts", how)
    how = "the longest pause; the first one is 2 s, and they double"
    known.changed("wado.retry_delay_in_secs", "retry.ceiling", how)
    name = "wado.retrieve_timeout_in_secs"
    page.set("timeouts", {"quiet": f"{known.number(name)}s"})
    known.changed(name, "timeouts.quiet", "runs only while known objects are missing")


def _cache(known: _Known, page: Page) -> None:
    page.table("cache")
    if known.has(CACHE):
        page.set("path", _folder(known))
        how = f"never emptied; everything of this node lies in its folder {OWN_FOLDER} (node.data)"
        known.changed(CACHE, "cache.path", how)
    name = "scp.cache_max_age_in_min"
    page.set("max_age", f"{known.number(name)}m")
    known.changed(name, "cache.max_age", "counts from the last read; cache.max_size applies too")
