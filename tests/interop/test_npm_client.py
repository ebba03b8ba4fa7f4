"""dicomweb-client of npm in Chromium: its eight network cases, on objects that come with it."""

import json
import re
import tarfile
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.interop.conftest import StartNode
from tests.peers.chromium import CHROMIUM, text_of
from tests.peers.node import rule_to
from tests.peers.npm import package
from tests.peers.program import free_port, need

PAGE = (
    '<!doctype html><html><body><script type="module" src="/npm_client.js"></script></body></html>'
)
LIBRARY = "package/build/dicomweb-client.es.js"
SAMPLES = "package/testData/"


def unpacked(tgz: Path, folder: Path) -> list[Path]:
    """Write what the page needs; return the objects."""
    folder.mkdir()
    with tarfile.open(tgz) as archive:
        for member in archive.getmembers():
            if member.name == LIBRARY or member.name.startswith(SAMPLES):
                content = archive.extractfile(member)
                assert content is not None
                (folder / Path(member.name).name).write_bytes(content.read())
    script = Path(__file__).with_name("npm_client.js").read_text()
    (folder / "npm_client.js").write_text(script)
    (folder / "index.html").write_text(PAGE)
    return sorted(folder.glob("*.dcm"), key=lambda file: file.stat().st_size)


def names_of(one: Any) -> dict[str, str]:
    return {
        "studyInstanceUID": one.StudyInstanceUID,
        "seriesInstanceUID": one.SeriesInstanceUID,
        "sopInstanceUID": one.SOPInstanceUID,
    }


@pytest.mark.peer
@pytest.mark.req("W-151", "W-65", "W-84", "W-96")
@pytest.mark.filterwarnings("ignore")
def test_the_client_of_npm_stores_and_retrieves_in_a_browser(
    start_node: StartNode, tmp_path: Path
) -> None:
    need(CHROMIUM)
    files = unpacked(package("dicomweb-client", "0.11.3"), tmp_path / "page")
    film, *others = [dcmread(file) for file in files]
    (palette,) = [one for one in others if "RedPaletteColorLookupTableData" in one]
    cases = {
        "files": [file.name for file in files],
        "film": names_of(film),
        "palette": names_of(palette),
    }
    (tmp_path / "page" / "cases.json").write_text(json.dumps(cases))
    port = free_port()
    viewer = f'\n[web.viewer]\npath = "{tmp_path / "page"}"\nport = {port}\n'
    start_node(rule_to("archive") + viewer)
    text = text_of(f"http://127.0.0.1:{port}/", tmp_path)
    match = re.search(r"<body>(.*)</body>", text, re.DOTALL)
    assert match is not None
    found = json.loads(unescape(match[1]))
    frame = film.Rows * film.Columns * film.SamplesPerPixel * film.BitsAllocated // 8
    assert (found["none"], found["one"], found["more"]) == (0, 1, len(files))
    assert found["frame"] == [["application/octet-stream", frame]]
    assert found["instance"] >= frame
    assert found["series"] == found["study"] == [found["instance"]]
    assert found["bulk"] == [len(palette.RedPaletteColorLookupTableData)]
