"""The licence policy, executed: what the core brings along may be used in an MIT product.

Contract: walks what `pip install waystation` installs, by the metadata of the packages
themselves.  Each word of each licence must be on the list; a package without a word fails.
"""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parent.parent / "uv.lock"
ALLOWED = {
    *("MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC"),
    *("Apache-2.0", "PSF-2.0", "Zlib", "CC0-1.0"),
}
SPELLINGS = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
NEVER_LOCKED = {"pylibjpeg-libjpeg", "gdcm", "python-gdcm", "dwv"}


def closure(name: str, extra: str = "") -> dict[str, Distribution]:
    """Return every installed distribution that ``name[extra]`` needs, itself included."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(name), extra)]
    while todo:
        project, extra = todo.pop()
        if (project, extra) in seen:
            continue
        seen.add((project, extra))
        found[project] = distribution(project)
        for needed in needs(found[project], extra):
            home = canonicalize_name(needed.name)
            todo += [(home, ""), *((home, each) for each in needed.extras)]
    return found


def needs(package: Distribution, extra: str) -> Iterator[Requirement]:
    for line in package.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def words_of(package: Distribution) -> set[str]:
    """Return the licence words: the SPDX expression, else the License field, else classifiers."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return set(re.split(r"\s+(?:AND|OR)\s+|[()]", metadata["License-Expression"])) - {""}
    text = metadata["License"].strip() if "License" in metadata else ""
    # "Dual License" names none: its classifiers do.
    if text and "\n" not in text and text != "Dual License":
        return {SPELLINGS.get(text, text)}
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    return {SPELLINGS.get(word, word) for word in classifiers}


CORE = closure("waystation")


@pytest.mark.parametrize("name", sorted(CORE))
def test_the_core_needs_only_permissive_licences(name: str) -> None:
    words = words_of(CORE[name])
    assert words, f"{name} does not tell its licence"
    assert words <= ALLOWED


def test_the_walk_reaches_indirect_requirements() -> None:
    direct = {canonicalize_name(each.name) for each in needs(CORE["waystation"], "")}
    assert CORE.keys() > direct | {"waystation"}


def test_waystation_itself_is_mit() -> None:
    assert words_of(CORE["waystation"]) == {"MIT"}


def test_nothing_under_gpl_is_locked() -> None:
    locked = set(re.findall(r'^name = "([^"]+)"', LOCK.read_text("utf-8"), re.MULTILINE))
    assert locked > {"waystation", "pydicom"}
    assert not locked & NEVER_LOCKED


class Sample(Distribution):
    def __init__(self, *lines: str) -> None:
        self._text = "\n".join(["Metadata-Version: 2.4", "Name: sample", *lines, ""])

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        raise FileNotFoundError(path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["License-Expression: MIT OR (Apache-2.0 AND Zlib)"], {"MIT", "Apache-2.0", "Zlib"}),
        (["License-Expression: GPL-3.0-only"], {"GPL-3.0-only"}),
        (["License: MIT License"], {"MIT"}),
        (["License: GPLv3", "Classifier: License :: OSI Approved :: MIT License"], {"GPLv3"}),
        (["Classifier: License :: OSI Approved :: BSD License"], {"BSD-3-Clause"}),
        ([], set[str]()),
    ],
)
def test_licence_words_are_read_from_each_field(lines: list[str], words: set[str]) -> None:
    assert words_of(Sample(*lines)) == words
