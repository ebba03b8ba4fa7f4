"""The console in Chromium: signing in, keys, dialogs, undo, light and dark, nothing refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.interop.conftest import StartNode
from tests.peers.browser import Browser
from tests.peers.node import rule_to

PASSWORD = "correct horse battery"


def brightness(file: Path) -> float:
    return float(np.asarray(Image.open(file).convert("L")).mean())


@pytest.mark.peer
@pytest.mark.req("S-60")
def test_a_person_works_with_the_console(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node(rule_to("archive"))
    with Browser(tmp_path / "profile") as browser:
        browser.open(node.web + "/")
        assert "Everything is well" in browser.look("document.body.innerText")
        browser.dark(False)
        light = brightness(browser.picture(tmp_path / "light.png"))
        browser.dark()
        dark = brightness(browser.picture(tmp_path / "dark.png"))
        assert light > 200
        assert dark < 60
        browser.press("?")
        browser.wait("document.getElementById('keys').open")
        browser.press("Escape")
        browser.wait("!document.getElementById('keys').open")
        browser.press("g", "u")
        browser.wait("location.pathname == '/users' && document.readyState == 'complete'")
        for field in ("password", "again"):
            browser.type(f"#f-{field}", "too short")
        browser.type("#f-name", "ann")
        browser.click("form[action='/users'] button.main")
        browser.wait("document.activeElement?.getAttribute('role') == 'alert'")
        assert browser.look("document.querySelector('#f-password').ariaInvalid") == "true"
        assert browser.look("document.querySelector('#f-name').value") == "ann"
        for field in ("password", "again"):
            browser.type(f"#f-{field}", PASSWORD)
        browser.look("document.querySelector('#f-role').value = 'admin'")
        browser.click("form[action='/users'] button.main")
        browser.wait("location.pathname == '/sign-in' && document.readyState == 'complete'")
        browser.type("#f-name", "ann")
        browser.type("#f-password", PASSWORD)
        browser.press("Enter")
        browser.wait("location.pathname == '/users' && document.readyState == 'complete'")
        browser.open(node.web + "/users/ann")
        browser.click("form[action$='/remove'] button")
        browser.wait("document.getElementById('confirm').open")
        assert "Remove ann?" in browser.look("document.getElementById('confirm').innerText")
        browser.press("Escape")
        browser.wait("!document.getElementById('confirm').open")
        browser.open(node.web + "/")
        browser.click("form[action='/lanes/archive/pause'] button")
        browser.wait("document.querySelector('.toast')?.innerText.includes('is paused') ?? false")
        browser.click(".toast button")
        browser.wait("document.querySelector('.toast')?.innerText.includes('goes on') ?? false")
        refused = [text for text in browser.errors if "401" not in text and "422" not in text]
        assert not refused
