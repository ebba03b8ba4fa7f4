"""What is done to an object on its way: the steps of a rule, as one canonical text (R-65).

Contract: equal steps give equal texts, whatever the order of keys they were written in.  The text
names validations and profiles and holds the edits themselves; it never holds a secret.  Its
digest stands in targets and deliveries, "" for an object that leaves as it came.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

DIGEST_DIGITS = 16


@lru_cache(maxsize=1024)
def digest_of(text: str) -> str:
    """Return what a recipe is known by: the beginning of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS] if text else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The steps in their order: validate, edit, de-identify.

    validate: names of validations.  edit: each operation as canonical JSON.
    deidentify: the name of a profile, "" for none.
    """

    validate: tuple[str, ...] = ()
    edit: tuple[str, ...] = ()
    deidentify: str = ""

    @classmethod
    def of(
        cls,
        *,
        validate: Sequence[str] = (),
        edit: Sequence[Mapping[str, Any]] = (),
        deidentify: str = "",
    ) -> Self:
        """Return the recipe of a rule."""
        operations = tuple(map(_canonical, edit))
        return cls(validate=tuple(validate), edit=operations, deidentify=deidentify)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the recipe that `text` describes.  Raises ValueError if it is none."""
        said = json.loads(text) if text else {}
        if not isinstance(said, dict) or set(said) - {"validate", "edit", "deidentify"}:
            raise ValueError("this is no recipe")
        return cls.of(
            validate=said.get("validate", ()),
            edit=said.get("edit", ()),
            deidentify=said.get("deidentify", ""),
        )

    @property
    def text(self) -> str:
        """The canonical text, "" if nothing is done."""
        said: dict[str, Any] = {}
        if self.validate:
            said["validate"] = list(self.validate)
        if self.edit:
            said["edit"] = list(self.edits)
        if self.deidentify:
            said["deidentify"] = self.deidentify
        return _canonical(said) if said else ""

    @property
    def digest(self) -> str:
        """What the recipe is known by, "" if nothing is done."""
        return digest_of(self.text)

    @property
    def edits(self) -> tuple[dict[str, Any], ...]:
        """The edits as a configuration writes them."""
        return tuple(json.loads(one) for one in self.edit)

    @property
    def words(self) -> str:
        """The steps in words, such as ``validate ids, edit (3), de-identify research``."""
        parts = [f"validate {name}" for name in self.validate]
        if self.edit:
            parts.append(f"edit ({len(self.edit)})")
        if self.deidentify:
            parts.append(f"de-identify {self.deidentify}")
        return ", ".join(parts)

    def unchecked(self) -> Self:
        """Return the steps without validation: somebody has looked at the object."""
        return replace(self, validate=())

    def with_edits(self, *operations: Mapping[str, Any]) -> Self:
        """Return the steps with further edits behind its own."""
        return replace(self, edit=(*self.edit, *map(_canonical, operations)))


def _canonical(said: Mapping[str, Any]) -> str:
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
