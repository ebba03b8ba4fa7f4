"""The numbered requirements: what docs/spec defines, what tests name, what is delivered.

Contract: all three sets are read from the files themselves (Markdown, Python syntax trees,
``tests/requirements.txt``), so the answer is the same under xdist and for a part of the suite.
An id is defined where it stands in bold (``**R-4**``) or opens a table row (``| E1 |``); every
other mention is a reference.  Run as a module it prints what is not delivered yet.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent
SPEC = TESTS.parent / "docs" / "spec"
DELIVERED = TESTS / "requirements.txt"

_NUMBERED = r"(?:RT|TT|WT|R|N|S|W|T|D)-\d+"
_ROW = r"[EOFLG]\d+"
_DEFINITION = re.compile(
    rf"\*\*(?P<bold>{_NUMBERED})\*\*"
    rf"|^\|\s*(?:(?P<cell>{_NUMBERED})\b[^|]*|(?P<row>{_ROW})\s*)\|",
    re.MULTILINE,
)
_NEXT = re.compile(r"\.\s|\*\*(?:RT|TT|WT|[RNSWTD])-\d")
_MARKS = re.compile(r"[*`]|<https?://[^>]*>")
_TITLE_LENGTH = 72


@dataclass(frozen=True, slots=True)
class Requirement:
    id: str
    document: str
    title: str


def requirements(spec: Path = SPEC) -> dict[str, Requirement]:
    """Return every requirement of the documents under ``spec``, in the order of reading."""
    found: dict[str, Requirement] = {}
    for document in sorted(spec.glob("*.md")):
        for requirement in requirements_of(document.read_text(encoding="utf-8"), document.name):
            found.setdefault(requirement.id, requirement)
    return found


def requirements_of(text: str, document: str) -> Iterator[Requirement]:
    for match in _DEFINITION.finditer(text):
        name = match["bold"] or match["cell"] or match["row"]
        end = text.find("\n", match.end())
        line = text[match.end() : end if end >= 0 else len(text)]
        yield Requirement(name, document, _title(line))


def _title(line: str) -> str:
    sentence = _NEXT.split(line.lstrip(" :·|*("), maxsplit=1)[0]
    words = " ".join(_MARKS.sub("", sentence).replace("|", " · ").split()).strip(" ·.")
    if len(words) <= _TITLE_LENGTH:
        return words
    return words[:_TITLE_LENGTH].rsplit(" ", 1)[0] + " …"


def delivered(file: Path = DELIVERED) -> list[str]:
    """Return the ids listed as delivered; ``#`` starts a comment."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def ids_named_by_tests(tests: Path = TESTS) -> dict[str, list[str]]:
    """Return id → places (``file:line``) of every ``pytest.mark.req(...)`` under ``tests``."""
    places: dict[str, list[str]] = {}
    for file in sorted(tests.rglob("*.py")):
        for name, line in ids_named_in(file.read_text(encoding="utf-8")):
            places.setdefault(name, []).append(f"{file.relative_to(tests)}:{line}")
    return places


def ids_named_in(source: str) -> Iterator[tuple[str, int]]:
    """Yield (id, line) of each argument; an argument that is no text yields ``""``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _is_req(node.func):
            for argument in [*node.args, *(word.value for word in node.keywords)]:
                text = argument.value if isinstance(argument, ast.Constant) else None
                yield (text if isinstance(text, str) else "", argument.lineno)


def _is_req(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "req"
        and isinstance(function.value, ast.Attribute)
        and function.value.attr == "mark"
    )


def report(known: Iterable[Requirement], done: set[str], named: set[str]) -> Iterator[str]:
    """Yield the lines of ``make reqs``: what is open, by document, then the counts.

    ``+`` marks an id that a test already names although it is not listed as delivered.
    """
    by_document: dict[str, list[Requirement]] = {}
    for requirement in known:
        by_document.setdefault(requirement.document, []).append(requirement)
    for document, members in by_document.items():
        missing = [member for member in members if member.id not in done]
        yield f"{document}: {len(members) - len(missing)} of {len(members)} delivered"
        for member in missing:
            yield f"  {'+' if member.id in named else ' '} {member.id:<6} {member.title}"
        yield ""
    total = sum(map(len, by_document.values()))
    count = sum(member.id in done for members in by_document.values() for member in members)
    yield f"{count} of {total} delivered, {total - count} open (+ named by a test, not listed)"


def main() -> None:
    lines = report(requirements().values(), set(delivered()), set(ids_named_by_tests()))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
