"""Settings → the steps of rules: recipes to plan by, and the tools to carry them out.

Contract: a recipe holds the edits themselves, so that a delivery keeps what was planned for it
(R-3); validations, tables, profiles and keys are found by name when a step runs.  What cannot be
found then holds the object.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waystation.app.settings import Settings
from waystation.app.settings_base import Secret, reveal
from waystation.app.settings_dicom import PeerSettings
from waystation.app.settings_rule import RuleSettings
from waystation.app.settings_steps import EditSettings, LookupSettings, ValidateSettings
from waystation.flows.tables import TableFile
from waystation.model.delivery import HoldReason
from waystation.model.errors import StorageError
from waystation.model.recipe import Recipe
from waystation.transforms.edit import Edit, Lookup, NewUids
from waystation.transforms.edit_read import read_edit, read_missing
from waystation.transforms.held import HeldError, misfit
from waystation.transforms.lookup import LookupTable
from waystation.transforms.steps import Deidentify, Tools
from waystation.transforms.validate import CSV, Validation
from waystation.transforms.validate_read import read_validation

UID_KEY = "uid.key"
KEY_BYTES = 32


def recipe_of(rule: RuleSettings, edits: Mapping[str, EditSettings | None]) -> Recipe:
    """Return what a rule does to an object; edits that are not there count as none."""
    found: list[Mapping[str, Any]] = []
    for entry in rule.edit:
        if isinstance(entry, str):
            named = edits.get(entry)
            found += named.steps if named is not None else ()
        else:
            found.append(entry)
    return Recipe.of(validate=rule.validate_, edit=found, deidentify=rule.deidentify or "")


def rule_table(rule: RuleSettings, edits: Mapping[str, EditSettings | None]) -> dict[str, Any]:
    """Return a rule as `waystation.rules.read` takes it, its steps as one text."""
    return rule.table() | {"steps": recipe_of(rule, edits).text}


def recipes(settings: Settings) -> list[str]:
    """Return the texts of all recipes."""
    return [recipe_of(rule, settings.edit).text for rule in settings.rule]


def believed(peers: Mapping[str, PeerSettings]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the peers whose Burned In Annotation NO is true, and whose private elements are."""
    return (
        frozenset(name for name, peer in peers.items() if peer.burned_in_is_true),
        frozenset(name for name, peer in peers.items() if peer.private_is_true),
    )


def table_files(tables: Mapping[str, LookupSettings]) -> dict[str, TableFile]:
    """Return where tables are read from."""
    return {
        name: TableFile(
            name=name,
            path=Path(table.file),
            key=table.key or "",
            missing=read_missing(table.missing),
        )
        for name, table in tables.items()
    }


def own_key(data: Path) -> bytes:
    """Return the node's key for new UIDs, made at the first start.

    Raises `StorageError` if it cannot be kept: other UIDs after a restart would be wrong.
    """
    path = data / UID_KEY
    try:
        if not path.exists():
            draft = path.with_suffix(".new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(secrets.token_bytes(KEY_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
            draft.rename(path)
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise StorageError(f"{path} is damaged: it has {len(key)} bytes, not {KEY_BYTES}")
    return key


@dataclass(slots=True)
class Box:
    """Resolves what recipes name, by one configuration.

    tables: by name, as they are now.  deidentifiers: by profile.  believed: whom
    de-identification believes, as a text: what was made while it was another is not used again.
    """

    validate: Mapping[str, ValidateSettings]
    tables: Callable[[str], LookupTable | None]
    data: Path
    deidentifiers: Mapping[str, Deidentify] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    believed: str = ""
    _edits: dict[str, tuple[Edit, ...]] = field(default_factory=dict)
    _validations: dict[str, Validation] = field(default_factory=dict)
    _keys: dict[str, bytes] = field(default_factory=dict)
    _made: dict[str, tuple[tuple[str, ...], Tools]] = field(default_factory=dict)

    def tools(self, recipe: Recipe) -> Tools:
        """Return what a recipe needs.  Raises `HeldError` if something is not there."""
        edits = self._compiled(recipe)
        validations = tuple(self._validation(name) for name in recipe.validate)
        tables = self._named_tables(edits, validations)
        deidentify = self._deidentify(recipe.deidentify)
        state = tuple(f"{name}={table.digest}" for name, table in sorted(tables.items()))
        state += () if deidentify is None else (deidentify.digest, self.believed)
        made = self._made.get(recipe.digest)
        if made is not None and made[0] == state:
            return made[1]
        keys = self._named_keys(edits)
        parts = [recipe.digest, *state, *(one.digest for one in validations)]
        parts += [
            f"{name}={hashlib.sha256(b'uid' + key).hexdigest()}" for name, key in keys.items()
        ]
        tools = Tools(
            digest=hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16],
            validations=validations,
            edits=edits,
            tables=tables,
            keys=keys,
            deidentify=deidentify,
        )
        # Only the newest: a table that is replaced each minute must not pile up.
        self._made[recipe.digest] = (state, tools)
        return tools

    def _compiled(self, recipe: Recipe) -> tuple[Edit, ...]:
        if recipe.digest not in self._edits:
            try:
                self._edits[recipe.digest] = tuple(read_edit(one) for one in recipe.edits)
            except ValueError as error:
                raise misfit(f"an edit is not understood any more: {error}") from error
        return self._edits[recipe.digest]

    def _validation(self, name: str) -> Validation:
        if name not in self._validations:
            said = self.validate.get(name)
            if said is None:
                raise misfit(f"there is no [validate.{name}] any more")
            self._validations[name] = read_validation(name, said.said())
        return self._validations[name]

    def _named_tables(
        self, edits: tuple[Edit, ...], validations: tuple[Validation, ...]
    ) -> dict[str, LookupTable]:
        names = {one.operation.table for one in edits if isinstance(one.operation, Lookup)}
        names |= {one.table for one in validations if one.source == CSV}
        found = {name: self.tables(name) for name in sorted(names)}
        return {name: table for name, table in found.items() if table is not None}

    def _named_keys(self, edits: tuple[Edit, ...]) -> dict[str, bytes]:
        names = {one.operation.key for one in edits if isinstance(one.operation, NewUids)}
        return {name: self._key(name) for name in sorted(names)}

    def _key(self, name: str) -> bytes:
        if name not in self._keys:
            kind, _, place = name.partition(":")
            try:
                if not name:
                    self._keys[name] = own_key(self.data)
                else:
                    source = Secret(env=place) if kind == "env" else Secret(file=Path(place))
                    text = reveal(source, dict(self.environ))
                    self._keys[name] = hashlib.sha256(text.strip().encode()).digest()
            except (OSError, LookupError, UnicodeError, StorageError) as error:
                raise HeldError(
                    HoldReason.RULE_ERROR, "the key for new UIDs cannot be read", transient=True
                ) from error
        return self._keys[name]

    def _deidentify(self, name: str) -> Deidentify | None:
        if not name:
            return None
        found = self.deidentifiers.get(name)
        if found is None:
            raise HeldError(
                HoldReason.DEID_FAILED, f'there is no profile "{name}" that can be used'
            )
        return found
