"""The folder of the broker's cache, where the configuration names one (W-120).

Contract: everything sealed lies in ``node.data``, which must lie in that folder.  A folder that
holds anything else before it was ever ours is refused; afterwards strangers are left alone and
reported.  Nothing is removed here.
"""

from pathlib import Path

import structlog

from waystation.model.errors import ConfigError

log = structlog.get_logger()
MARK = ".waystation-cache"


def check(path: Path | None, data: Path) -> None:
    """Raise `ConfigError` if the cache cannot lie where it should."""
    if path is not None and not data.absolute().is_relative_to(path.absolute()):
        raise ConfigError(
            "cache.path",
            "what is fetched lies in node.data; leave this out, or write a node.data inside of it",
        )


def take(path: Path | None, data: Path) -> None:
    """Make a folder ours.  Raises `ConfigError`, also if it is somebody else's."""
    check(path, data)
    if path is None:
        return
    own = data.absolute().relative_to(path.absolute()).parts[:1]
    strangers = sorted(
        one.name for one in path.iterdir() if one.name != MARK and (one.name,) != own
    )
    if not own:
        strangers = []
    mark = path / MARK
    if strangers and not mark.exists():
        raise ConfigError(
            "cache.path",
            f"{path} holds {len(strangers)} things that are not ours, like {strangers[0]!r};"
            " choose an empty folder",
        )
    if strangers:
        log.warning("strangers in the cache folder", path=str(path), n=len(strangers))
    mark.touch()
