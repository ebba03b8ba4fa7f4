"""Short ways to ask one thing of one record."""

from datetime import tzinfo

from tests.dicom.building import EXPLICIT, el, item, seq
from waystation.dicom.tags import tag_for, vr_of
from waystation.matching.match import Matcher
from waystation.model.query import STUDY, Key, Options, Query, Row

PLAIN = Options()


def key(word: str, *values: str, keys: tuple[Key, ...] = ()) -> Key:
    tag = tag_for(word)
    return Key(tag, vr_of(tag), values, keys)


def row(zone: int | None = None, **texts: str | list[str] | tuple[Row, ...]) -> Row:
    """A record: text, a list of several values, or a tuple of items, by keyword."""
    plain = {
        tag_for(word): tuple(value) if isinstance(value, list) else (value,)
        for word, value in texts.items()
        if isinstance(value, str | list)
    }
    items = {tag_for(word): value for word, value in texts.items() if isinstance(value, tuple)}
    return Row(plain, items, zone=zone)


def holds(
    asked: Key | list[Key],
    record: Row,
    options: Options = PLAIN,
    *,
    level: str = STUDY,
    zone: int | None = None,
    home: tzinfo | None = None,
) -> bool:
    keys = asked if isinstance(asked, list) else [asked]
    query = Query(level=level, options=options, zone=zone).with_keys(keys)
    matcher = Matcher(query, home=home)
    matched = matcher.matches(record)
    assert matcher.explain(record).matched is matched, "explain must not say something else"
    return matched


def finds(word: str, asked: str, stored: str, options: Options = PLAIN) -> bool:
    """Tell whether one value asked for finds one stored value."""
    return holds(key(word, asked), row(None, **{word: stored}), options)


def identifier(*elements: bytes) -> bytes:
    return b"".join(elements)


__all__ = ["EXPLICIT", "el", "finds", "holds", "identifier", "item", "key", "row", "seq"]
