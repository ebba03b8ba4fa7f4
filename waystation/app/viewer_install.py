"""The web viewer on disk: fetched, unpacked, found (W-141).

Contract: nothing of the package is run.  A viewer is there whole or not at all; the one before
stays until the new one is unpacked.  Raises `ConfigError` with what to do.
"""

import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final

from waystation.model.errors import ConfigError

PACKAGE: Final = "@ohif/app"
FOLDER: Final = "viewer"
PAGES: Final = "dist"
INDEX: Final = "index.html"
FETCH_S: Final = 600
MOST_BYTES: Final = 2 << 30
MOST_FILES: Final = 20_000


def pages_of(folder: Path) -> Path | None:
    """Return where the pages of an unpacked viewer are, None if none is there."""
    for place in (folder / PAGES, folder):
        if (place / INDEX).is_file():
            return place
    return None


def install(data: Path, archive: Path | None) -> str:
    """Put the viewer into the data folder; return its version.

    archive: the package as a file, None to have npm fetch it.
    """
    work = data / f".{FOLDER}-{secrets.token_hex(8)}"
    try:
        work.mkdir(mode=0o700, parents=True)
        _unpack(archive or _fetched(work), work / "new")
        new = work / "new" / "package"
        if pages_of(new) is None:
            raise ConfigError(str(archive or PACKAGE), f"holds no {PAGES}/{INDEX}")
        version = _version(new)
        place = data / FOLDER
        if place.exists():
            place.rename(work / "old")
        new.rename(place)
    except OSError as error:
        raise ConfigError(str(error.filename or data), error.strerror or str(error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return version


def _fetched(work: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(
            "npm",
            f"is not here; fetch {PACKAGE} elsewhere (npm pack {PACKAGE}) and use --from FILE",
        )
    command = [npm, "pack", PACKAGE, "--pack-destination", str(work), "--silent"]
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=FETCH_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError("npm", f"did not fetch {PACKAGE} within {FETCH_S} s") from error
    found = list(work.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
        raise ConfigError("npm", f"could not fetch {PACKAGE}: {why}")
    return found[0]


def _unpack(archive: Path, place: Path) -> None:
    """Unpack a package; what would leave the folder, or is no plain file, is refused."""
    import tarfile

    try:
        with tarfile.open(archive, "r:gz") as file:
            count = size = 0
            for member in file:
                count, size = count + 1, size + member.size
                if count > MOST_FILES or size > MOST_BYTES:
                    raise ConfigError(str(archive), "is larger than any viewer")
                if not (member.isfile() or member.isdir()):
                    raise ConfigError(str(archive), "holds something else than files")
                file.extract(member, place, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise ConfigError(str(archive), f"cannot be unpacked: {error}") from error


def _version(package: Path) -> str:
    try:
        return str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return "of unknown version"
