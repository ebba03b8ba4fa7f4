"""Chromium without a window, driven over its debugging pipe: real keys, real clicks, real pages.

Contract: `Browser` is a context; one page.  ``errors`` collects what a person would see in the
console: exceptions, and what the security policy of a page refused.
"""

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers.chromium import CHROMIUM
from tests.peers.program import need

PATIENCE_S = 60.0
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-gpu", "--disable-extensions", "--disable-sync", "--mute-audio"),
)
KEYS = {"Enter": ("\r", 13), "Escape": ("", 27), "ArrowDown": ("", 40), "ArrowUp": ("", 38)}
SEVERE = {"error"}


class Browser:
    """folder: for its profile.  size: of the window, pixels."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1280, 900)) -> None:
        self.errors: list[str] = []
        self._number = 0
        to_child, ours = os.pipe()
        theirs, from_child = os.pipe()
        command = [need(CHROMIUM), *OPTIONS, "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        command += [f"--window-size={size[0]},{size[1]}", "about:blank"]
        # The pipe is where the program looks for it: 3 to read, 4 to write.
        script = f'exec "$@" 3<&{to_child} 4>&{from_child}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "chromium", *command],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._out, self._in = os.fdopen(ours, "wb", 0), os.fdopen(theirs, "rb", 0)
        self._rest = b""
        self._session = ""

    def __enter__(self) -> Self:
        page = self._page()
        attached = self._call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = str(attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        return self

    def _page(self) -> str:
        """Return the id of the first page, once there is one."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            targets = self._call("Target.getTargets")["targetInfos"]
            pages = [one["targetId"] for one in targets if one["type"] == "page"]
            if pages:
                return str(pages[0])
        raise AssertionError("Chromium opened no page")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._out.close()
        self._in.close()

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            self._note(answer)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = self._in.read(65_536)
            assert piece, "Chromium has ended"
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]["text"]))
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] in SEVERE:
            self.errors.append(str(params["entry"]["text"]))

    def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        self._call("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url)}) && document.readyState")

    def look(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true, or ``"complete"`` for the state of a document."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                if self.look(script) in (True, "complete"):
                    return
            except AssertionError as error:
                # Between two pages there is nothing to look at.
                if "context" not in str(error).lower():
                    raise
        raise AssertionError(f"never came true: {script}")

    def click(self, selector: str) -> None:
        """Click the first element that fits."""
        self.look(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Type into a field, in place of what stands in it."""
        self.look(f"(f => {{ f.focus(); f.select?.(); }})(document.querySelector('{selector}'))")
        self._call("Input.insertText", text=text)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            text, code = KEYS.get(key, (key, ord(key[0].upper())))
            said = {"key": key, "windowsVirtualKeyCode": code}
            self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **said)
            self._call("Input.dispatchKeyEvent", type="keyUp", **said)

    def dark(self, wanted: bool = True) -> None:
        """Have the system say that it is dark, or light."""
        value = "dark" if wanted else "light"
        features = [{"name": "prefers-color-scheme", "value": value}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def picture(self, file: Path, *, whole: bool = False) -> Path:
        """Write what is seen, or the whole page, as a PNG file."""
        found = self._call("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))
        return file
