"""The pages keep their word: links lead somewhere, and every TOML example is a valid file."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.examples.making import KEYS
from tests.peers.sshd import make_key
from tests.source import REPOSITORY, short_name
from waystation.app.read import load

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(?P<text>.+?)\s*$", re.MULTILINE)
SECRET = "hush"
AUTHORITY = trustme.CA()
FENCED = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    spec = REPOSITORY / "docs" / "spec"
    found = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    found += (REPOSITORY / "examples").rglob("*.md")
    return sorted(page for page in found if spec not in page.parents)


def examples() -> Iterator[object]:
    for file in sorted((REPOSITORY / "examples").rglob("waystation.toml")):
        yield pytest.param(file.read_text("utf-8"), id=short_name(file))
    for page in pages():
        for match in FENCED.finditer(page.read_text("utf-8")):
            if match["kind"] == "toml":
                yield pytest.param(match["text"], id=f"{short_name(page)}-{match.start()}")


def anchors(page: Path) -> set[str]:
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}


def make_named(file: Path) -> None:
    """Make a file of the kind that its folder and ending tell."""
    file.parent.mkdir(exist_ok=True)
    if file.suffix == ".pem":
        AUTHORITY.cert_pem.write_to_path(str(file))
    elif file.parent.name == "ssh" and file.name != "known_hosts":
        make_key(file, SECRET)
    elif file.parent.name == "secrets":
        file.write_text(f"{SECRET}\n")
    else:
        file.touch()


def broken(page: Path) -> Iterator[str]:
    for match in LINK.finditer(FENCED.sub("", page.read_text("utf-8"))):
        target = match["target"]
        path, _, anchor = target.partition("#")
        other = page.parent / path if path else page
        if re.match(r"[a-z]+:", target):
            continue
        if not other.exists() or (anchor and anchor not in anchors(other)):
            yield target


@pytest.mark.parametrize("page", pages(), ids=short_name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    assert not list(broken(page))


@pytest.mark.parametrize("text", list(examples()))
def test_every_example_is_a_valid_configuration(text: str, tmp_path: Path) -> None:
    for name in re.findall(r'"((?:tls|ssh|secrets)/[^"]+)"', text):
        make_named(tmp_path / name)
    for name in re.findall(r'\brules = \["([\w-]+\.toml)"\]', text):
        (tmp_path / name).touch()
    for name in re.findall(r'"([\w-]+\.csv)"', text):
        (tmp_path / name).touch()
    file = tmp_path / "waystation.toml"
    file.write_text(text, encoding="utf-8")
    named = re.findall(r'\benv = "(\w+)"', text)
    load(file, dict.fromkeys(named, SECRET) | KEYS)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`\n[a](#one-two) [b](#three) [c](gone.md) [d](https://x.example)\n")
    assert list(broken(page)) == ["#three", "gone.md"]
