"""The examples' own configurations, played with real peers.

Contract: `with_values` replaces values in the text of an example and changes nothing else, so that
a test runs the file that an operator copies; a key that is not there is added to its table.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.peers.node import Node
from tests.peers.program import free_port
from tests.source import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
STORIES = (
    *("forward-with-retry", "night-link", "day-night-reader", "two-destinations"),
    *("fix-and-forward", "outward-relay", "deid-for-research", "broker-for-old-pacs"),
    "worklist",
)
# What the configurations take from the environment; the runs make their own.
KEYS = {"OUTSIDE_KEY": "ab" * 32, "LUNG_KEY": "cd" * 32}
QUICK_RETRY = '{ first = "200ms", cap = "1s", lifetime = "1h" }'


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each ``table.key`` set to what stands there as TOML."""
    for name, value in values.items():
        table, _, key = name.rpartition(".")
        start = text.index(f"[{table}]\n") + len(table) + 3
        end = text.find("\n[", start)
        end = len(text) if end < 0 else end
        line = f"{key} = {value}"
        old = re.search(rf"^{re.escape(key)} = .*$", text[start:end], flags=re.MULTILINE)
        where = slice(start + old.start(), start + old.end()) if old else slice(start, start)
        text = text[: where.start] + (line if old else f"{line}\n") + text[where.stop :]
    return text


def peer_values(name: str, port: int, ae_title: str) -> dict[str, str]:
    """Return what makes a destination of an example mean a peer on loopback."""
    at = f"destination.{name}"
    return {
        f"{at}.host": '"127.0.0.1"',
        f"{at}.port": str(port),
        f"{at}.ae_title": f'"{ae_title}"',
        f"{at}.retry": QUICK_RETRY,
    }


class ExampleNode(Node):
    """A node that runs the file of an example with other addresses.

    text: of the example; a test may edit it before it calls `change`.
    """

    def __init__(self, folder: Path, example: str, values: Mapping[str, str]) -> None:
        self.text = (EXAMPLES / example / "waystation.toml").read_text("utf-8")
        self._own = {
            "node.data": f'"{folder / "data"}"',
            "dicom.host": '"127.0.0.1"',
            "dicom.port": str(free_port()),
            "peer.scanners.address": '["127.0.0.1/32"]',
        }
        super().__init__(folder, self._text(values))

    def _text(self, values: Mapping[str, str]) -> str:
        text = with_values(self.text, self._own | dict(values))
        return f'{text}\n[web]\nport = 0\n[spool]\nmin_free = "100MB"\n'

    def write_config(self, config: str) -> None:
        """Write the file as it is."""
        self.config_file.write_text(config)

    def __enter__(self) -> "ExampleNode":
        return self

    def change(self, values: Mapping[str, str]) -> None:
        """Put other values in force."""
        self.write_config(self._text(values))
        done = self.command("reload")
        assert done.returncode == 0, done.stdout + done.stderr
