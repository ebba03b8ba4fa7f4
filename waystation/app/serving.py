"""`waystation serve`: settings from a file, a node, its signals, its one line on stdout.

Contract: the ready line is printed once, when every listener is bound.  SIGTERM and SIGINT drain
and end with 0.  SIGHUP, the API, and a file whose content hash changed (looked at every few
seconds; times of files are never consulted; calendars of holidays count as parts of the
configuration) reload: a broken file changes nothing and is shown,
the last good text is kept in the journal so that a restart with a broken file runs on it (R-2).
"""

import asyncio
import hashlib
import json
import os
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from waystation.app import logs
from waystation.app.annexes import MAKERS
from waystation.app.faults import ConfigFaults
from waystation.app.hl7_port import Hl7Port
from waystation.app.lastgood import LAST_GOOD, last_good_text
from waystation.app.node import Node
from waystation.app.people import People
from waystation.app.read import Loaded, load, load_text, read_text
from waystation.app.server import WebServer
from waystation.app.upstreaming import Upstreaming
from waystation.app.view import View
from waystation.app.viewer_install import FOLDER, pages_of
from waystation.app.wiring_console import console_parts
from waystation.app.wiring_dicomweb import dicomweb
from waystation.app.wiring_schedule import calendar_files
from waystation.app.wiring_tls import web_tls
from waystation.journal import recovery
from waystation.model.errors import ConfigError
from waystation.net.tls import server_context
from waystation.web.admission import Admission
from waystation.web.dicomweb import DicomWeb
from waystation.web.site import Part, site
from waystation.web.viewer import Viewer

log = structlog.get_logger()
LOOK_S = 2.0


class Serving:
    """One life of `waystation serve`."""

    def __init__(self, path: Path | None, loaded: Loaded, problem: str) -> None:
        self._path = path
        self._calendars = calendar_files(loaded.settings.schedule)
        self._seen = _digests(path, self._calendars)
        self._ended = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._loaded = loaded
        self.node = Node(loaded.settings, loaded.text, MAKERS)
        self.node.config_problem = problem
        self._web = WebServer()
        self._viewer = WebServer()

    async def run(self) -> None:
        """Start, print the ready line, wait for the end, drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        await self.node.start()
        try:
            url = await self._serve_web()
            await self.node.database.write(recovery.set_mark(LAST_GOOD, self._loaded.text))
            _announce(self.node, url)
            self._say_ready(url)
            loop.add_signal_handler(
                signal.SIGHUP, lambda: loop.create_task(self.reload(), name="reload")
            )
            watcher = loop.create_task(self._watch_file())
            await self._ended.wait()
            watcher.cancel()
        finally:
            self.node.draining = True
            await self._viewer.stop()
            await self._web.stop()
            await self.node.stop()

    async def _serve_web(self) -> str:
        table = self.node.settings.web
        people = self.node.annexes.of(People)
        self.node.annexes.of(Upstreaming).trail = people.trail
        if not table.enabled:
            return "off"
        folder = self._path.resolve().parent if self._path is not None else Path()
        view = View(self.node, self.reload, folder)
        view.dicomweb = dicomweb(self.node)
        view.dicomweb.admission = Admission(people.accounts, people.trail)
        app = site(view, view.dicomweb, people.accounts, self._parts())
        files = web_tls(table.tls)
        tls = server_context(files) if files else None
        port = await self._web.start(app, table.host, table.port, tls)
        await self._serve_viewer(view.dicomweb, tls)
        return f"{'https' if tls else 'http'}://{table.host}:{port}"

    def _parts(self) -> Sequence[Part]:
        return console_parts(self.node, lambda: self._viewer.port)

    async def _serve_viewer(self, resources: DicomWeb, tls: ssl.SSLContext | None) -> None:
        """Serve the web viewer if one is installed; without it everything else works."""
        table = self.node.settings.web
        folder = Path(table.viewer.path) if table.viewer.path else self.node.data / FOLDER
        pages = pages_of(folder)
        if pages is None:
            if table.viewer.path:
                log.error("no viewer", folder=str(folder))
            return
        try:
            viewer = Viewer(pages, resources)
            port = await self._viewer.start(viewer, table.host, table.viewer.port, tls)
        except OSError as error:
            log.error("the viewer is not served", error=str(error))
            return
        log.info("viewer", url=f"{'https' if tls else 'http'}://{table.host}:{port}")

    def _say_ready(self, url: str) -> None:
        host = self.node.settings.dicom.host
        print(
            f"ready dicom={host}:{self.node.dicom_port} web={url}"
            f" data={self.node.data} pid={os.getpid()}",
            flush=True,
        )

    async def _watch_file(self) -> None:
        """Reload when the content of the file changes."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            found = await loop.run_in_executor(None, _digests, self._path, self._calendars)
            if found != self._seen:
                await self.reload()

    async def reload(self) -> list[str]:
        """Read the file again; return the faults, [] if it is in force now."""
        async with self._reloading:
            self._seen = _digests(self._path, self._calendars)
            try:
                loaded = load(self._path, os.environ)
                self._calendars = calendar_files(loaded.settings.schedule)
                self._seen = (self._seen[0], *_digests(None, self._calendars)[1:])
                restart = await self.node.reload(loaded.settings, loaded.text)
            except ConfigFaults as error:
                return self._rejected([str(fault) for fault in error.faults])
            except ConfigError as error:
                return self._rejected([str(error)])
            self._loaded = loaded
            self.node.config_problem = ""
            await self.node.database.write(recovery.set_mark(LAST_GOOD, loaded.text))
            log.info("configuration reloaded", needs_restart=", ".join(restart) or "nothing")
            return []

    def _rejected(self, faults: list[str]) -> list[str]:
        self.node.config_problem = faults[0]
        self.node.watching.wake()
        log.error("configuration rejected, the last good one stays", first=faults[0])
        return faults


def _announce(node: Node, web_url: str) -> None:
    """Write where a node listens, for commands on the same machine."""
    known = {
        "pid": os.getpid(),
        "dicom": f"{node.settings.dicom.host}:{node.dicom_port}",
        "web": web_url,
        "hl7_port": node.annexes.of(Hl7Port).port,
    }
    if node.settings.web.tls is not None:
        known["certificate"] = str(node.settings.web.tls.certificate)
    path = node.data / "node.json"
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(known))
    beside.rename(path)


def _digest(path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b"unreadable"


def _digests(path: Path | None, calendars: Sequence[Path]) -> tuple[bytes, ...]:
    return (_digest(path), *map(_digest, calendars))


def first_settings(path: Path | None) -> tuple[Loaded, str]:
    """Return the configuration to start with, and what is wrong with the file on disk.

    A broken file falls back to the last good text of the journal; without one the faults are
    raised as `ConfigFaults`.
    """
    try:
        return load(path, os.environ), ""
    except ConfigFaults as error:
        text = _last_good(path)
        if text is None:
            raise
        for fault in error.faults:
            print(fault, file=sys.stderr)
        print("waystation: running on the last good configuration", file=sys.stderr)
        return load_text(text, path, os.environ, was_good=True), str(error.faults[0])


def _last_good(path: Path | None) -> str | None:
    """Return the last good text of the node that this file configures, if it can be found.

    The folder of the journal stands in the file itself: a file that does not even say that
    much has no last good text.
    """
    try:
        text = read_text(path)
    except ConfigFaults:
        text = ""
    return last_good_text(text, path)


def serve(path: Path | None) -> None:
    """Run a node until it is told to end."""
    loaded, problem = first_settings(path)
    logs.set_up(loaded.settings.log.level, loaded.settings.log.format)
    for warning in loaded.warnings:
        log.warning("configuration", says=str(warning))

    # The writer thread should not wait 5 ms for the interpreter when a commit has returned.
    sys.setswitchinterval(0.0005)

    async def life() -> None:
        await Serving(path, loaded, problem).run()

    try:
        import uvloop
    except ImportError:
        asyncio.run(life())
    else:
        uvloop.run(life())
