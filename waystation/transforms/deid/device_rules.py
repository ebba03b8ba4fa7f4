"""Device rules as a person writes them: a list of ``[[device]]`` tables (D-33).

    [[device]]
    name         = "Ultrasound room 2"
    modality     = "US"
    manufacturer = "ACME*"               # * stands for any letters; upper and lower case are alike
    model        = ["Echo 7", "Echo 9"]
    rows         = 768
    columns      = 1024
    rectangles   = [[0, 0, 1024, 60]]    # left, top, width, height; or
    # keep       = "us-regions"          # black everything outside the ultrasound regions; or
    # keep       = [[0, 60, 1024, 708]]  # black everything outside of these; or
    # clean      = true                  # these objects show nobody

Contract: `read_devices` gives the rules in their order, or raises ValueError with one sentence
that names the rule and the key.  A rule with ``confirmed = false``, as importers write it, is read
and never used.  `offered` writes one for the device of an object that a person looked at (D-43).
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag, tag_for, vr_of
from waystation.transforms.deid.devices import COLUMNS, ROWS, DeviceRule, number, texts
from waystation.transforms.redact_job import Rectangle

WORDS = {
    "modality": 0x00080060,
    "manufacturer": 0x00080070,
    "model": 0x00081090,
    "software": 0x00181020,
    "sop_class": 0x00080016,
}
KEYS = (
    *("name", "confirmed", *WORDS, "rows", "columns", "image_type", "other"),
    *("rectangles", "keep", "clean"),
)
TEXTS = frozenset(
    {
        *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"),
        *("PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"),
    }
)
IMAGE_TYPE = 0x00080008
LARGEST = 1 << 16


def read_devices(table: Mapping[str, object]) -> tuple[DeviceRule, ...]:
    """Return the rules of a document."""
    unknown = sorted(set(table) - {"device"})
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown; device rules stand under [[device]]")
    entries = table.get("device", [])
    if not isinstance(entries, list):
        raise ValueError("device: expected a list of tables, written as [[device]]")
    return tuple(_rule(entry, number) for number, entry in enumerate(entries, 1))


def offered(head: Head, name: str, rectangles: Sequence[Rectangle]) -> str:
    """Return the text of a rule for the device and geometry of ``head``; no rectangles: clean."""
    said = {key: found[0] for key, tag in WORDS.items() if (found := texts(head, tag))}
    lines = ["[[device]]", f"name = {_quoted(name)}"]
    lines += [f"{key} = {_quoted(value)}" for key, value in said.items() if value]
    lines += [f"rows = {number(head, ROWS)}", f"columns = {number(head, COLUMNS)}"]
    image_type = [value for value in texts(head, IMAGE_TYPE) if value]
    if image_type:
        lines.append(f"image_type = [{', '.join(map(_quoted, image_type))}]")
    boxes = [list(one) for one in rectangles]
    lines.append(f"rectangles = {boxes}" if boxes else "clean = true")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A basic string of TOML is one of JSON, but for DEL.
    return json.dumps(text).replace("\x7f", "\\u007f")


def _rule(entry: object, number: int) -> DeviceRule:
    if not isinstance(entry, Mapping):
        raise ValueError(f"device {number}: expected a table")
    name = entry.get("name", f"device {number}")
    if not isinstance(name, str) or not name:
        raise ValueError(f"device {number}: name: expected a text")
    try:
        return _read(entry, name)
    except ValueError as error:
        raise ValueError(f"device {number} ({name}): {error}") from error


def _read(entry: Mapping[str, object], name: str) -> DeviceRule:
    unknown = sorted(set(entry) - set(KEYS))
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown; there are {', '.join(KEYS)}")
    where = [(tag, _texts(entry, key)) for key, tag in WORDS.items() if key in entry]
    sizes = _sizes(entry)
    image_type = _texts(entry, "image_type") if "image_type" in entry else ()
    where += _others(entry.get("other", {}))
    if not where and not sizes and not image_type:
        raise ValueError("it fits every object; say at least which modality or model")
    keep = entry.get("keep")
    if keep is not None and keep != "us-regions" and not isinstance(keep, list):
        raise ValueError('keep: expected "us-regions" or a list of rectangles')
    rectangles = _rectangles(entry.get("rectangles", []), "rectangles")
    clean = _flag(entry, "clean", otherwise=False)
    if clean is (bool(rectangles) or keep is not None):
        raise ValueError("say rectangles or keep, or clean = true, and not both")
    return DeviceRule(
        name=name,
        where=tuple(where),
        sizes=sizes,
        image_type=image_type,
        rectangles=rectangles,
        keep="us-regions" if keep == "us-regions" else "",
        keep_rectangles=_rectangles(keep, "keep") if isinstance(keep, list) else None,
        clean=clean,
        confirmed=_flag(entry, "confirmed", otherwise=True),
    )


def _flag(entry: Mapping[str, object], key: str, *, otherwise: bool) -> bool:
    found = entry.get(key, otherwise)
    if not isinstance(found, bool):
        raise ValueError(f"{key}: expected true or false")
    return found


def _texts(entry: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = entry[key]
    words = [found] if isinstance(found, str) else found
    if not isinstance(words, list) or not words or not all(isinstance(one, str) for one in words):
        raise ValueError(f"{key}: expected a text or a list of texts")
    return tuple(words)


def _others(found: object) -> Iterable[tuple[int, tuple[str, ...]]]:
    if not isinstance(found, Mapping):
        raise ValueError("other: expected a table of keyword = text")
    for word in found:
        try:
            tag = tag_for(str(word))
        except ValueError as error:
            raise ValueError(f"other.{word}: {error}") from error
        if vr_of(tag) not in TEXTS:
            raise ValueError(f"other.{word}: {format_tag(tag)} holds no text")
        try:
            yield tag, _texts(found, word)
        except ValueError as error:
            raise ValueError(f"other.{error}") from error


def _sizes(entry: Mapping[str, object]) -> tuple[tuple[int | None, int | None], ...]:
    rows, columns = (_numbers(entry, key) for key in ("rows", "columns"))
    if rows == columns == (None,):
        return ()
    return tuple((tall, wide) for tall in rows for wide in columns)


def _numbers(entry: Mapping[str, object], key: str) -> tuple[int | None, ...]:
    if key not in entry:
        return (None,)
    found = entry[key]
    numbers = found if isinstance(found, list) else [found]
    if not numbers or not all(_is_size(one) for one in numbers):
        raise ValueError(f"{key}: expected a number of pixels, or a list of them")
    return tuple(numbers)


def _is_size(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and 0 < found < LARGEST


def _rectangles(found: object, key: str) -> tuple[Rectangle, ...]:
    shape = f"{key}: expected a list of [left, top, width, height] in pixels"
    if not isinstance(found, list):
        raise ValueError(shape)
    made: list[Rectangle] = []
    for row in found:
        if not isinstance(row, list) or len(row) != 4:
            raise ValueError(shape)
        if any(not isinstance(one, int) or isinstance(one, bool) for one in row):
            raise ValueError(shape)
        rectangle = Rectangle(*row)
        if not rectangle.lies_in(LARGEST, LARGEST):
            raise ValueError(f"{key}: {row} has no area, or begins outside of an image")
        made.append(rectangle)
    if key == "keep" and not made:
        raise ValueError(shape)
    return tuple(made)
