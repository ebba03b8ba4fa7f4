"""A viewer is unpacked whole or not at all, and nothing of it is run."""

import io
import tarfile
from pathlib import Path

import pytest

from waystation.app.viewer_install import FOLDER, install, pages_of
from waystation.model.errors import ConfigError

GOOD = {"package/dist/index.html": b"<html>", "package/package.json": b'{"version": "9.8.7"}'}


def package(path: Path, files: dict[str, bytes], *links: str) -> Path:
    """Write a package with these files, and links that lead away."""
    with tarfile.open(path, "w:gz") as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(member)
    return path


@pytest.mark.req("W-141")
def test_a_package_is_unpacked_and_replaces_the_one_before(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert pages_of(data / FOLDER) is None
    assert install(data, package(tmp_path / "a.tgz", GOOD)) == "9.8.7"
    newer = {**GOOD, "package/dist/new.js": b"", "package/package.json": b"nonsense"}
    assert install(data, package(tmp_path / "b.tgz", newer)) == "of unknown version"
    assert pages_of(data / FOLDER) == data / FOLDER / "dist"
    assert (data / FOLDER / "dist" / "new.js").exists()
    assert [path.name for path in data.iterdir()] == [FOLDER]


@pytest.mark.req("W-141")
@pytest.mark.parametrize(
    ("files", "links", "says"),
    [
        ({"package/readme": b""}, (), "index.html"),
        ({**GOOD, "../out.txt": b"x"}, (), "unpacked"),
        (GOOD, ("package/dist/link",), "something else than files"),
    ],
)
def test_what_is_no_viewer_changes_nothing(
    tmp_path: Path, files: dict[str, bytes], links: tuple[str, ...], says: str
) -> None:
    data = tmp_path / "data"
    install(data, package(tmp_path / "a.tgz", GOOD))
    with pytest.raises(ConfigError, match=says):
        install(data, package(tmp_path / "b.tgz", files, *links))
    assert [path.name for path in data.iterdir()] == [FOLDER]
    assert pages_of(data / FOLDER)
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.req("W-141")
def test_npm_fetches_it_and_without_npm_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path / "app.tgz", GOOD)
    tools = tmp_path / "tools"
    tools.mkdir()
    npm = tools / "npm"
    npm.write_text(f'#!/bin/sh\nexec /bin/cp "{tmp_path}/app.tgz" "$4"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    assert install(tmp_path / "data", None) == "9.8.7"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    with pytest.raises(ConfigError, match="could not fetch @ohif/app: no network"):
        install(tmp_path / "data", None)
    npm.unlink()
    with pytest.raises(ConfigError, match="--from FILE"):
        install(tmp_path / "data", None)
