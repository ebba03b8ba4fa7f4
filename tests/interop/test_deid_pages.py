"""The pages of de-identification in Chromium: a sonographer's burned-in name, seen and decided."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.interop.test_console import brightness
from tests.objects.pictures import picture
from tests.objects.samples import as_file
from tests.objects.study import uid_of
from tests.peers.browser import Browser
from tests.peers.node import Node
from tests.peers.program import HOST, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow]
KEY = "6" * 64
CONFIG = """
[destination.out]
kind = "folder"
path = "{out}"
[deidentify.research]
project = {{ id = "lung", key = {{ file = "{key}" }} }}
options = ["clean_pixel_data", "retain_modified_dates", "clean_descriptors"]
pixels = {{ unknown = "approve" }}
[[rule]]
name = "research"
send = ["out"]
deidentify = "research"
"""
STUDY = uid_of("picture study", "deid pages")


def echo(seed: str) -> bytes:
    """Return an ultrasound image with the patient's name in its upper bar."""
    drawn = Image.new("L", (640, 480), 12)
    pen = ImageDraw.Draw(drawn)
    pen.polygon([(320, 70), (110, 440), (530, 440)], fill=90)
    pen.ellipse([(250, 220), (390, 330)], fill=30)
    pen.text((12, 14), "HIDDEN, PERSON  SECRET-17  2026-11-02  MI 1.2", fill=250)
    frames = np.stack([np.asarray(drawn), np.asarray(drawn)[::-1]])
    one = picture(
        frames,
        seed,
        study="deid pages",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.3.1",
        Modality="US",
        Manufacturer="ACME Medical",
        ManufacturerModelName="Echo 7",
        PatientName="Hidden^Person",
        PatientID="SECRET-17",
        StudyDate="20261102",
        SeriesDescription="Abdomen of Hidden Person, dr. Care",
        InstitutionName="St Elsewhere",
        ImageType=["ORIGINAL", "PRIMARY"],
    )
    return as_file(one)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("deid")
    out, sent = folder / "out", folder / "sent"
    out.mkdir()
    sent.mkdir()
    for seed in ("a", "b"):
        (sent / f"{seed}.dcm").write_bytes(echo(seed))
    key = folder / "lung.key"
    key.write_text(KEY)
    key.chmod(0o600)
    with Node(folder / "node", CONFIG.format(out=out, key=key)) as started:
        done = started.command("send", f"WAYSTATION@{HOST}:{started.port}", str(sent))
        assert done.returncode == 0, done.stderr
        started.wait_for({"held": 2})
        yield started


def arrived(browser: Browser, path: str) -> None:
    browser.wait(f"location.pathname.startsWith('{path}') && document.readyState == 'complete'")


def text_of(browser: Browser) -> str:
    return str(browser.look("document.body.innerText"))


@pytest.mark.req("D-41", "D-43")
def test_a_person_sees_both_sides_decides_and_takes_it_back(node: Node, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile", (1440, 1000)) as browser:
        browser.open(node.web + "/")
        browser.press("g", "d")
        arrived(browser, "/deid")
        assert "burned-in state unknown" in text_of(browser)
        browser.press("ArrowDown", "Enter")
        arrived(browser, "/deid/studies/")
        browser.press("o")
        arrived(browser, "/deid/objects/")
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        browser.wait(f"document.images.length == 1 && {loaded}")
        assert "SECRET-17" in text_of(browser)
        browser.dark(False)
        light = brightness(browser.picture(tmp_path / "light.png", whole=True))
        browser.type("#f-boxes", "0 0 640 40")
        browser.click("details.rule form button")
        browser.wait(
            f"document.images.length == 2 && document.readyState == 'complete' && {loaded}"
        )
        assert "[[0, 0, 640, 40]]" in browser.look("document.querySelector('pre').innerText")
        browser.dark()
        dark = brightness(browser.picture(tmp_path / "dark.png", whole=True))
        assert (light > 180, dark < 60) == (True, True)
        here = browser.look("location.pathname")
        browser.press("n")
        browser.wait(f"location.pathname != '{here}' && document.readyState == 'complete'")
        browser.type("#f-because-pixels", "every frame shows the name")
        browser.click("form.decide button[value='reject']")
        browser.wait("document.querySelector('.toast')?.innerText.includes('Rejected') ?? false")
        browser.click(".toast button")
        browser.wait("document.querySelector('.toast')?.innerText.includes('Taken') ?? false")
        browser.type("#f-because-pixels", "the bar is empty on this machine")
        browser.click("form.decide button[value='send']")
        browser.wait("document.querySelector('.toast')?.innerText.includes('Approved') ?? false")
        wait_until(lambda: node.states() == {"done": 2}, "both objects to leave")
        browser.open(node.web + "/deid/reports")
        browser.press("ArrowDown", "Enter")
        arrived(browser, "/deid/reports/")
        assert "SECRET-17" not in text_of(browser)
        assert "approval of pixels" in text_of(browser)
        browser.open(f"{node.web}/deid/studies/{STUDY}/totals?profile=research")
        assert "Would leave" in text_of(browser)
        assert not browser.errors
