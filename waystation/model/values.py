"""Values: classes of fields that never change once they are made.

Contract: `value` is ``dataclass(frozen=True, slots=True, kw_only=True)`` to the type checker, which
looks at every line of ours.  At run time nothing forbids a change: forbidding it makes each field
three times as dear to set, and some values are made for every object that comes through.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a class of keyword-only fields comparable and hashable by what they hold."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
