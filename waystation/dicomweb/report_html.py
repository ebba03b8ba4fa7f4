"""A structured report as a page that can be read (PS3.3 C.17.3, PS3.18 Table 8.7.4-1; W-67).

Contract: pure.  `page` takes the DICOM JSON of an instance and gives HTML without script, style or
link; every word of the object is escaped.  Items that repeat themselves too deeply are named as
left out: a report is never shortened without a word.  Values are shown as the object has them.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

Row = Mapping[str, Any]

DEEPEST: Final = 48
NAME, CODE, CONTENT, KIND, RELATION = "0040A043", "0040A168", "0040A730", "0040A040", "0040A010"
MEANING, CODE_VALUE, SCHEME = "00080104", "00080100", "00080102"
MEASURED, NUMBER, UNITS, QUALIFIER = "0040A300", "0040A30A", "004008EA", "0040A301"
REFERENCED, REFERENCED_CLASS, REFERENCED_UID, FRAMES = (
    "00081199",
    "00081150",
    "00081155",
    "00081160",
)
BY_REFERENCE, GRAPHIC, POINTS = "0040DB73", "00700023", "00700022"
TITLE: Final = "Structured report"
CONTAINS: Final = "CONTAINS"
# What stands at the top, by its tag.
ABOUT: Final = (
    *(("00100010", "Patient"), ("00100020", "Patient ID"), ("00100030", "Born")),
    *(("00100040", "Sex"), ("00080050", "Accession number"), ("00081030", "Study")),
    *(("00080020", "Study date"), ("00080080", "Institution"), ("00080023", "Date of content")),
    *(("0040A491", "Completion"), ("0040A493", "Verification")),
)
PLAIN: Final = {
    "TEXT": "0040A160",
    "DATE": "0040A121",
    "TIME": "0040A122",
    "DATETIME": "0040A120",
    "PNAME": "0040A123",
    "UIDREF": "0040A124",
}


def page(row: Row) -> str:
    """Return the report as HTML."""
    title = _coded(row, NAME) or TITLE
    about = "".join(
        f"<dt>{escape(words)}</dt><dd>{escape(text)}</dd>"
        for tag, words in ABOUT
        if (text := _text(row, tag))
    )
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head><body><h1>{escape(title)}</h1>"
        f"<dl>{about}</dl>{''.join(_items(row, 2))}</body></html>"
    )


def _items(row: Row, depth: int) -> Iterator[str]:
    """Yield what an item contains, each as one list entry or as a section."""
    found = _sequence(row, CONTENT)
    if not found:
        return
    if depth > DEEPEST:
        yield "<p>What is nested more deeply is not shown here.</p>"
        return
    yield "<ul>"
    for item in found:
        yield "<li>"
        yield from _item(item, depth)
        yield "</li>"
    yield "</ul>"


def _item(item: Row, depth: int) -> Iterator[str]:
    relation = _text(item, RELATION)
    if relation and relation != CONTAINS:
        yield f"<i>{escape(relation.lower())}</i> "
    name, value = _coded(item, NAME), _value(item)
    if _text(item, KIND) == "CONTAINER":
        level = min(depth, 6)
        yield f"<h{level}>{escape(name or 'Section')}</h{level}>"
    elif name:
        yield f"<b>{escape(name)}</b>: "
    yield escape(value).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")
    yield from _items(item, depth + 1)


def _value(item: Row) -> str:
    """Return the value of an item in words."""
    kind = _text(item, KIND)
    if BY_REFERENCE in item:
        return "see item " + ".".join(map(str, item[BY_REFERENCE].get("Value", ())))
    if kind in PLAIN:
        return _text(item, PLAIN[kind])
    if kind == "CODE":
        return _coded(item, CODE)
    if kind == "NUM":
        return _measured(item)
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        return "; ".join(map(_reference, _sequence(item, REFERENCED)))
    if kind.startswith(("SCOORD", "TCOORD")):
        points = len(item.get(POINTS, {}).get("Value", ()))
        return " ".join([_text(item, GRAPHIC), *([f"of {points} numbers"] if points else [])])
    return "" if kind in ("CONTAINER", "") else f"({kind})"


def _measured(item: Row) -> str:
    found = [
        " ".join(word for word in (_text(one, NUMBER), _unit(one)) if word)
        for one in _sequence(item, MEASURED)
    ]
    return "; ".join(found) or _coded(item, QUALIFIER) or "no value"


def _unit(one: Row) -> str:
    units = _sequence(one, UNITS)
    return _text(units[0], CODE_VALUE) if units and _text(units[0], CODE_VALUE) != "1" else ""


def _reference(one: Row) -> str:
    words = ["instance", _text(one, REFERENCED_UID)]
    frames = _text(one, FRAMES)
    return " ".join([*words, *((f"frame {frames}",) if frames else ())])


def _coded(row: Row, tag: str) -> str:
    """Return what a code means, else the code itself."""
    found = _sequence(row, tag)
    if not found:
        return ""
    meaning = _text(found[0], MEANING)
    return meaning or " ".join(
        word for word in (_text(found[0], CODE_VALUE), _text(found[0], SCHEME)) if word
    )


def _sequence(row: Row, tag: str) -> Sequence[Row]:
    found: Sequence[Row] = row.get(tag, {}).get("Value", ())
    return found


def _text(row: Row, tag: str) -> str:
    """Return the values of an element, "" if it has none."""
    return ", ".join(_shown(one) for one in row.get(tag, {}).get("Value", ()) if one is not None)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        names = [str(value[form]) for form in ("Alphabetic", "Ideographic") if value.get(form)]
        return " / ".join(names).replace("^", " ").strip()
    return str(value)
