"""The answer key: what must be true of an object after de-identification (D-45).

Contract: a `Sheet` plants values in a pydicom data set and notes, in the same breath, what becomes
of each.  A path is a tuple of steps: a tag, the number of an item, or `Private`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

Action = Literal[
    "tag_retained",
    "text_notnull",
    "text_retained",
    "text_removed",
    "date_shifted",
    "uid_changed",
    "uid_consistent",
    "patid_consistent",
    "pixels_hidden",
    "pixels_retained",
]
ACTIONS: tuple[Action, ...] = Action.__args__  # type: ignore[attr-defined]
REMOVALS: frozenset[Action] = frozenset({"text_removed", "uid_changed", "pixels_hidden"})
# A missing object is not inconsistent with anything.
WITHOUT_OBJECT = REMOVALS | {"uid_consistent", "patid_consistent"}


class Private(NamedTuple):
    """A private element: its creator, its group, its last byte."""

    creator: str
    group: int
    offset: int


Step = int | Private
Path = tuple[Step, ...]
Box = tuple[int, int, int, int]  # left, top, width, height


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing that is right or wrong.  words: tokens, the original date or UID, or nothing."""

    action: Action
    path: Path
    words: tuple[str, ...] = ()
    box: Box | None = None


@dataclass(slots=True)
class Sheet:
    """A data set while it is made, and its answers."""

    data_set: Any
    path: Path = ()
    answers: list[Answer] = field(default_factory=list)

    def put(self, tag: int, vr: str, value: Any) -> Path:
        """Set an element about which nothing is asked."""
        self.data_set.add_new(tag, vr, value)
        return (*self.path, tag)

    def gone(self, tag: int, vr: str, value: Any, *words: str) -> None:
        """Plant words that must not be there afterwards (default: the value)."""
        path = self.put(tag, vr, value)
        self.answers.append(Answer("text_removed", path, words or (str(value),)))

    def stays(self, tag: int, vr: str, value: Any) -> None:
        """Set an element that must be there afterwards, not empty, with its words."""
        path = self.put(tag, vr, value)
        self.answers += [Answer("tag_retained", path), Answer("text_notnull", path)]
        if isinstance(value, str):
            words = tuple(word for part in value.split("\\") for word in part.split())
            self.answers.append(Answer("text_retained", path, words))

    def mixed(self, tag: int, vr: str, value: str, gone: tuple[str, ...], kept: str) -> None:
        """Plant text of which some words go and some stay."""
        path = self.put(tag, vr, value)
        self.answers.append(Answer("text_removed", path, gone))
        self.answers.append(Answer("text_retained", path, tuple(kept.split())))

    def note(self, action: Action, tag: int, *words: str) -> None:
        """Ask something of an element that is there already."""
        self.note_path(action, (*self.path, tag), *words)

    def note_path(self, action: Action, path: Path, *words: str) -> None:
        """Ask something of an element anywhere."""
        self.answers.append(Answer(action, path, words))

    def date(self, tag: int, vr: str, value: str) -> None:
        """Set a date that must be shifted."""
        self.answers.append(Answer("date_shifted", self.put(tag, vr, value), (value,)))

    def uid(self, tag: int, value: str) -> None:
        """Set a UID that must be mapped, and stay."""
        path = self.put(tag, "UI", value)
        self.answers.append(Answer("uid_changed", path, (value,)))
        self.answers.append(Answer("uid_consistent", path, (value,)))

    def item(self, tag: int) -> "Sheet":
        """Return a further item of a sequence; its answers are ours."""
        if tag not in self.data_set:
            self.data_set.add_new(tag, "SQ", Sequence())
        self.data_set[tag].value.append(Dataset())
        number = len(self.data_set[tag].value) - 1
        inside = self.data_set[tag].value[number]
        return Sheet(inside, (*self.path, tag, number), self.answers)

    def private(self, creator: str, group: int, offset: int, vr: str, value: Any) -> Path:
        """Set a private element."""
        self.data_set.private_block(group, creator, create=True).add_new(offset, vr, value)
        return (*self.path, Private(creator, group, offset))

    def private_gone(
        self, creator: str, group: int, offset: int, vr: str, value: Any, *words: str
    ) -> None:
        """Plant words in a private element that must not be there afterwards."""
        path = self.private(creator, group, offset, vr, value)
        self.answers.append(Answer("text_removed", path, words or (str(value),)))

    def private_item(self, creator: str, group: int, offset: int) -> "Sheet":
        """Return the only item of a private sequence."""
        inside = Dataset()
        path = self.private(creator, group, offset, "SQ", Sequence([inside]))
        return Sheet(inside, (*path, 0), self.answers)


@contextmanager
def un_stays_un() -> Iterator[None]:
    """Let pydicom leave UN alone where its dictionary knows better."""
    before = pydicom.config.replace_un_with_known_vr
    pydicom.config.replace_un_with_known_vr = False
    try:
        yield
    finally:
        pydicom.config.replace_un_with_known_vr = before
