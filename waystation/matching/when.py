"""The ``when`` of an area: which records it serves, written like the condition of a rule.

    when = { ScheduledStationAETitle = "CT*", Modality = ["CT", "MR"] }

Contract: keywords, tags or paths, each with one value or a list of which one suffices; the same
matching as for a query, so wild cards, ranges and names work alike.  ValueError says what to write
instead.  For a worklist, attributes of the procedure step are named without their sequence.
"""

from collections.abc import Mapping
from typing import Final

from waystation.dicom.paths import parse_path
from waystation.dicom.tags import vr_of
from waystation.matching.keys import FORMS, fault_of
from waystation.model.query import WORKLIST, Key, Options, Query

STEPS: Final = 0x00400100
# Attributes of the step itself (PS3.3 C.4.10); the rest of an entry lies outside it.
IN_STEP: Final = frozenset(
    {
        *(0x00080060, 0x00321070, 0x00400001, 0x00400002, 0x00400003, 0x00400004, 0x00400005),
        *(0x00400006, 0x00400007, 0x00400009, 0x00400010, 0x00400011, 0x00400012, 0x00400020),
        *(0x00400400,),
    }
)

Table = Mapping[str, "str | int | float | list[str | int | float]"]


def when_query(level: str, table: Table) -> Query:
    """Return the query that a ``when`` table means."""
    keys: list[Key] = []
    for word, wanted in table.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or not all(str(value) for value in values):
            raise ValueError(f"{word}: write a value, or leave the line out")
        path = [step.tag for step in parse_path(word)]
        if level == WORKLIST and len(path) == 1 and path[0] in IN_STEP:
            path.insert(0, STEPS)
        keys = _joined(keys, _key(word, path, tuple(str(value) for value in values)))
    return Query(level=level).with_keys(keys)


def _key(word: str, path: list[int], values: tuple[str, ...]) -> Key:
    key = Key(path[-1], vr_of(path[-1]), values)
    if key.vr == "SQ":
        raise ValueError(f"{word}: name an attribute of the sequence, as {word}.Keyword")
    if fault_of(key, Options()):
        raise ValueError(f"{word}: write {FORMS.get(key.vr, 'text, a number or a list of them')}")
    for tag in reversed(path[:-1]):
        key = Key(tag, "SQ", (), (key,))
    return key


def _joined(keys: list[Key], new: Key) -> list[Key]:
    """Return the keys with a new one; keys of one sequence speak of the same item."""
    for number, key in enumerate(keys):
        if key.tag == new.tag and key.vr == "SQ":
            inner = tuple(_joined(list(key.keys), new.keys[0]))
            return [*keys[:number], Key(key.tag, "SQ", (), inner), *keys[number + 1 :]]
    return [*keys, new]
