"""Templates of values: ``{PatientID}-{calling_ae}``.

Contract: a name in braces is a fact of the arrival, or the path of an element, whose first value
stands in its place; what is absent gives nothing.  ``{{`` and ``}}`` are braces.  Nothing else is
ever evaluated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from waystation.dicom.paths import parse_path

FACTS = ("calling_ae", "called_ae", "peer", "address", "received_date", "received_time", "arrival")


@dataclass(frozen=True, slots=True)
class Template:
    """Parts: (is it a name, text or name)."""

    parts: tuple[tuple[bool, str], ...]

    def filled(self, facts: Mapping[str, str], values: Callable[[str], Sequence[str]]) -> str:
        """Return the text for one object.  values: of the element that a path leads to."""
        made = []
        for is_name, text in self.parts:
            if not is_name:
                made.append(text)
            elif text in FACTS:
                made.append(facts.get(text, ""))
            else:
                made.append(next(iter(values(text)), ""))
        return "".join(made)

    @property
    def paths(self) -> tuple[str, ...]:
        """The elements it reads."""
        return tuple(text for is_name, text in self.parts if is_name and text not in FACTS)


def read_template(text: str) -> Template:
    """Return a compiled template.  Raises ValueError with a sentence."""
    parts: list[tuple[bool, str]] = []
    plain, at = "", 0
    while at < len(text):
        letter = text[at]
        if letter in "{}" and text[at : at + 2] == letter * 2:
            plain, at = plain + letter, at + 2
        elif letter == "{":
            end = text.find("}", at)
            if end < 0:
                raise ValueError(f'"{text}" has a brace that does not close; write {{{{ for one')
            name = text[at + 1 : end]
            if name not in FACTS:
                parse_path(name)
            parts += [(False, plain)] if plain else []
            parts.append((True, name))
            plain, at = "", end + 1
        elif letter == "}":
            raise ValueError(f'"{text}" has a brace that was not opened; write }}}} for one')
        else:
            plain, at = plain + letter, at + 1
    if plain:
        parts.append((False, plain))
    return Template(tuple(parts))


def read_key(text: str) -> Template:
    """Return the template of a key: the path of an element, or a template with braces."""
    if "{" in text or "}" in text:
        return read_template(text)
    if text not in FACTS:
        parse_path(text)
    return Template(((True, text),))
