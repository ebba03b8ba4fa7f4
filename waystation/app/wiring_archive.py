"""Settings → what the archive's belts go by."""

from collections.abc import Mapping
from typing import Any

from waystation.app.settings import Settings
from waystation.app.settings_archive import key_of
from waystation.flows.retention import RetentionRule
from waystation.model.query import Key


def keys_of(when: Mapping[str, Any] | None) -> tuple[Key, ...]:
    """Return the keys that the ``when`` of an area or of a retention rule means."""
    return tuple(key_of(word, asked) for word, asked in (when or {}).items())


def retention_rules(settings: Settings) -> list[RetentionRule]:
    """Return the rules by which old studies leave the archive."""
    return [
        RetentionRule(
            name=name,
            older_than_s=table.older_than,
            keys=keys_of(table.when),
            only_above_bytes=table.only_above,
            dry_run=table.dry_run,
        )
        for name, table in settings.archive.retention.items()
    ]
