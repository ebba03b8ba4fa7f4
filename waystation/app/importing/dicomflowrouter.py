"""A working folder of DicomFlowRouter: one config.ini for the router, one for each endpoint.

Contract: `read` gives a configuration that routes every object as the router did, and the
fidelity list (R-83).  An endpoint without host, port or title is a fault: the router's own
defaults pointed at nobody.  Nothing is executed and no name of a folder is used as a path but to
read the folder itself.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from waystation.app.importing import flow_schedule
from waystation.app.importing.findings import Imported, Report, unreadable
from waystation.app.importing.flow_schedule import Fate
from waystation.app.importing.ini import Ini, read_ini
from waystation.app.importing.page import Page, names_for, plain
from waystation.app.importing.sources import read_file, shown, sub_folders
from waystation.timing.schedule_text import read_hours
from waystation.wire.names import is_ae_title

CONFIG = "config.ini"
PORT = 11112
LEVELS = {
    "DEBUG": "debug",
    "INFO": "info",
    "WARNING": "warning",
    "WARN": "warning",
    "ERROR": "error",
    "CRITICAL": "error",
    "FATAL": "error",
    "NOTSET": "debug",
}
UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
NOTHING = ("0.*", "1.*", "2.*")  # every UID begins with one of these
ROUTER_KEYS = {"DICOM": ("ae_title", "whitelist", "blacklist"), "DEBUG": ("logname", "loglevel")}
ENDPOINT_KEYS = {
    "ENDPOINT": ("hostname", "port", "ae_title", "whitelist", "blacklist"),
    "SCHEDULE": ("scheduled",),
    "DEBUG": ("logname", "loglevel"),
}
OPEN_HOUSE = (
    "everybody may send: any calling title, from any address, to any called title; name the"
    " senders in [peer.*] tables and remove [peer.anyone]"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies in a working folder.  names: sub-folder → name of its destination."""

    folder: Path
    endpoints: tuple[str, ...]
    others: tuple[str, ...]
    names: dict[str, str]


def layout(folder: Path) -> Layout:
    """Return which sub-folders are endpoints.  Raises `ConfigFaults`."""
    if folder.name == CONFIG and not folder.is_dir():
        folder = folder.parent
    found = sub_folders(folder)
    if not (folder / CONFIG).is_file():
        raise unreadable(shown(folder), f"there is no {CONFIG}: is this the router's folder?")
    endpoints = tuple(one for one in found if (folder / one / CONFIG).is_file())
    others = tuple(one for one in found if one not in endpoints)
    return Layout(folder, endpoints, others, names_for((*endpoints, *others)))


def read(path: Path) -> Imported:
    """Return the configuration of a working folder.  Raises `ConfigFaults`."""
    found = layout(path)
    return _Translation(found).result()


def _readable(window: str) -> bool:
    try:
        read_hours(window)
    except ValueError:
        return False
    return bool(window.strip())


class _Translation:
    def __init__(self, found: Layout) -> None:
        self._found = found
        self._report = Report()
        self._page = Page()
        self._filtering = 0

    def result(self) -> Imported:
        page, found = self._page, self._found
        page.comment(f"Made by `waystation import-config dicomflowrouter` from {found.folder}")
        page.comment("What was kept, changed or dropped stands in the list beside this text.")
        self._router(self._ini(found.folder / CONFIG))
        for folder in found.endpoints:
            self._endpoint(folder, self._ini(found.folder / folder / CONFIG))
        for folder in found.others:
            self._report.kept(
                shown(found.folder / folder), f"no {CONFIG}: no endpoint there, none here"
            )
        self._rule()
        return self._report.finish(page.toml)

    def _ini(self, path: Path) -> Ini:
        return read_ini(read_file(path), shown(path))

    def _value(self, ini: Ini, section: str, key: str) -> str:
        """Return a value; one with a stray % is taken as it is written, and listed."""
        try:
            return ini.value(section, key) or ""
        except ValueError:
            entry = ini.entry(section, key)
            assert entry is not None
            self._report.changed(
                ini.where(section, key),
                f"{key}: the % made the router use its default; here it stands as it is written",
            )
            return entry.value

    # the router itself

    def _router(self, ini: Ini) -> None:
        page, report = self._page, self._report
        title = self._value(ini, "DICOM", "ae_title")
        where = ini.where("DICOM", "ae_title")
        if not title:
            title = "ROUTER_SCP"
            report.kept(where, f"ae_title: not stated, the router's default {title}")
        elif is_ae_title(title):
            report.kept(where, f"ae_title → dicom.ae_title = {title}")
        else:
            report.fault(where, "DICOM.ae_title", "an AE title has 1 to 16 ASCII characters")
        page.table("dicom")
        page.set("ae_title", title)
        page.set("called_ae", "any", "the router never looked at the called title")
        page.set("host", "0.0.0.0", "it listened on every address")
        page.set("port", PORT, "its port was fixed")
        page.set("peers", "known")
        self._classes(ini, "DICOM", "answered A700H there; refused when negotiating here")
        page.table("peer", "anyone", because=f"WARNING: {OPEN_HOUSE}.")
        page.set("ae_title", "*")
        report.warning(f"{ini.file}:1", OPEN_HOUSE)
        level = self._level(ini)
        if level:
            page.table("log")
            page.set("level", level)
        self._label(ini)
        self._strangers(ini, ROUTER_KEYS)

    def _level(self, ini: Ini) -> str:
        written = self._value(ini, "DEBUG", "loglevel")
        if not written:
            return ""
        where, level = ini.where("DEBUG", "loglevel"), LEVELS.get(written.strip().upper(), "")
        if not level:
            self._report.changed(
                where, f'loglevel "{plain(written)}" is no level; it logged, and logs, from info on'
            )
        elif level == written.strip().lower():
            self._report.kept(where, f"loglevel → {level}")
        else:
            self._report.changed(where, f"loglevel {plain(written)} → {level}, the nearest")
        return level

    def _label(self, ini: Ini) -> None:
        if ini.entry("DEBUG", "logname") is not None:
            self._report.dropped(
                ini.where("DEBUG", "logname"),
                "logname: each line of the log says of which destination it speaks",
            )

    def _classes(self, ini: Ini, section: str, how: str = "") -> None:
        """Write accept and refuse.  Only whole UIDs ever matched; other words matched nothing."""
        for key, ours in (("whitelist", "accept"), ("blacklist", "refuse")):
            words = [word.strip() for word in self._value(ini, section, key).split(",")]
            words = [word for word in words if word]
            if not words:
                continue
            where = ini.where(section, key)
            uids = [word for word in words if UID.fullmatch(word)]
            for word in words:
                if word not in uids:
                    self._report.changed(
                        where, f'{key}: "{plain(word)}" is no UID and never matched; left out'
                    )
            if uids:
                self._page.set(ours, uids)
                said = f"{key} → {ours}, {len(uids)} SOP class(es)"
                note = self._report.changed if how else self._report.kept
                note(where, f"{said}: {how}" if how else said)
            elif ours == "accept":
                self._page.set("refuse", NOTHING, "nothing matched its whitelist: nothing passed")
                self._report.kept(where, "whitelist without any UID → nothing passes")
                return

    # the endpoints

    def _endpoint(self, folder: str, ini: Ini) -> None:
        page = self._page
        name = self._found.names[folder]
        page.table("destination", name, because="" if name == folder else f"Folder {folder}")
        if name != folder:
            self._report.changed(f"{ini.file}:1", f"its name here is {name}")
        page.set("kind", "dicom")
        page.set("ae_title", self._needed(ini, "ae_title"))
        page.set("host", self._needed(ini, "hostname"))
        page.set("port", self._port(ini))
        page.set("calling_ae", "passthrough", "it called with the title of the sender")
        self._classes(ini, "ENDPOINT")
        if any(ini.entry("ENDPOINT", key) for key in ("whitelist", "blacklist")):
            self._filtering += 1
        self._window(ini)
        if ini.entry("DEBUG", "loglevel") is not None:
            self._report.changed(
                ini.where("DEBUG", "loglevel"), "loglevel: every endpoint logs at the router's"
            )
        self._label(ini)
        self._strangers(ini, ENDPOINT_KEYS)

    def _needed(self, ini: Ini, key: str) -> str:
        written = self._value(ini, "ENDPOINT", key).strip()
        where = ini.where("ENDPOINT", key)
        if not written:
            self._report.fault(
                where, f"ENDPOINT.{key}", "is missing: say where this endpoint is, or remove it"
            )
        elif key == "ae_title" and not is_ae_title(written):
            self._report.fault(where, "ENDPOINT.ae_title", "an AE title has 1 to 16 characters")
        else:
            self._report.kept(where, f"{key} → {plain(written)}")
        return written

    def _port(self, ini: Ini) -> int:
        written = self._value(ini, "ENDPOINT", "port").strip()
        where = ini.where("ENDPOINT", "port")
        if not written:
            self._report.fault(
                where, "ENDPOINT.port", "is missing: say where this endpoint is, or remove it"
            )
        elif not (written.isascii() and written.isdigit() and 1 <= int(written[:6]) <= 65_535):
            self._report.fault(where, "ENDPOINT.port", "is no port: write a number up to 65535")
        else:
            self._report.kept(where, f"port → {int(written)}")
            return int(written)
        return 0

    def _window(self, ini: Ini) -> None:
        entry = ini.entry("SCHEDULE", "scheduled")
        if entry is None:
            return
        try:
            written = ini.value("SCHEDULE", "scheduled") or ""
        except ValueError:
            # The router fell back to no schedule at all: an error that opened the window.
            written = entry.value
        window = flow_schedule.translate(written)
        page, where, said = self._page, ini.where("SCHEDULE", "scheduled"), plain(written)
        if window.fate is Fate.WAS_OPEN:
            page.set("window", "never", f"was: {said}")
            page.comment(
                "The router could not read this and sent at all hours. Write what was meant."
            )
            if _readable(written):
                page.off("window", written, "means here what it says")
            self._report.changed(
                where, f'scheduled "{said}": always open by an error there, "never" here'
            )
            return
        page.set("window", window.text, "" if window.fate is Fate.SAME else f"was: {said}")
        text = f'scheduled "{said}" → window = "{window.text}"'
        if window.fate is Fate.CLOSING:
            self._report.changed(where, f"{text}; the closing minute counts to its end")
        else:
            self._report.kept(where, text)

    def _strangers(self, ini: Ini, known: dict[str, tuple[str, ...]]) -> None:
        """List what the router never read: often a typing error that mattered."""
        for section, content in ini.sections.items():
            for key, entry in content.entries.items():
                if key not in known.get(section, ()):
                    self._report.dropped(
                        f"{ini.file}:{entry.line}",
                        f"[{plain(section)}] {plain(key)}: the router never read this",
                    )

    def _rule(self) -> None:
        page, found = self._page, self._found
        if not found.endpoints:
            page.gap()
            page.comment(
                "There is no endpoint, so there is no rule. The router answered Success and kept"
                " nothing; what arrives here is kept."
            )
            self._report.changed(shown(found.folder), "no endpoint: objects are kept, not dropped")
            return
        if self._filtering == len(found.endpoints):
            self._report.changed(
                shown(found.folder),
                "what no endpoint's lists let through is held: the router answered Success and"
                " dropped it",
            )
        page.rule()
        page.set("name", "everything to every endpoint")
        page.set("send", [found.names[folder] for folder in found.endpoints])
        page.table(
            "routing",
            because="The router dropped what no endpoint's lists let through.",
        )
        page.set("otherwise", "hold")
