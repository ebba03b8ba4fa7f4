"""The web viewer's port: its files, its configuration, and DICOMweb beside them."""

import json
from pathlib import Path

import httpx2
import pytest

from waystation.web.dicomweb import DicomWeb
from waystation.web.terms import Terms
from waystation.web.viewer import Viewer

DIGEST = "0123456789abcdef0123"
INLINE = "window.PUBLIC_URL = '/';"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(f"<html><script>{INLINE}</script></html>")
    (folder / "app-config.js").write_text("theirs")
    (folder / f"app.bundle.{DIGEST}.js").write_text("code")
    (folder / f"{DIGEST}.wasm").write_bytes(b"\0asm")
    (folder / "assets" / "icon.png").write_bytes(b"png")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def client(pages: Path) -> httpx2.AsyncClient:
    terms = Terms(roots=("/pacs",))
    viewer = Viewer(pages, DicomWeb(lambda: terms, []))
    transport = httpx2.ASGITransport(viewer, client=("127.0.0.1", 5000))
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081")


@pytest.mark.req("W-141")
async def test_pages_fall_back_to_the_index_and_files_have_their_types(
    client: httpx2.AsyncClient,
) -> None:
    index = await client.get("/")
    for path in ("/viewer?StudyInstanceUIDs=1.2", "/local", "/index.html"):
        page = await client.get(path)
        assert (page.status_code, page.text) == (200, index.text)
        assert page.headers["cache-control"] == "no-cache"
    wasm = await client.get(f"/{DIGEST}.wasm")
    assert wasm.headers["content-type"] == "application/wasm"
    assert "immutable" in wasm.headers["cache-control"]
    code = await client.get(f"/app.bundle.{DIGEST}.js")
    assert code.headers["content-type"].startswith("text/javascript")
    assert (await client.get("/assets/none.png")).status_code == 404
    assert (await client.post("/")).status_code == 405
    assert (await client.head("/")).status_code == 200


@pytest.mark.req("W-141", "S-59")
async def test_only_our_own_scripts_run_and_the_configuration_names_our_roots(
    client: httpx2.AsyncClient,
) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert policy.count("'sha256-") == 1
    assert "unsafe-eval" not in policy.replace("wasm-unsafe-eval", "")
    config = (await client.get("/app-config.js")).text
    settings = json.loads(config.removeprefix("window.config = ").rstrip(";\n"))
    (source,) = settings["dataSources"]
    assert {source["configuration"][name] for name in ("qidoRoot", "wadoRoot", "wadoUriRoot")} == {
        "/pacs"
    }
    answer = await client.get("/pacs/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.req("W-141")
@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "//secret.txt", "/assets"]
)
async def test_no_path_leads_out_of_the_folder(client: httpx2.AsyncClient, path: str) -> None:
    assert "secret" not in (await client.get(path)).text
