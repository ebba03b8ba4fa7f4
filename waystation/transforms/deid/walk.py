"""The walk through one object: every element at every depth, once (D-14 to D-17, D-20).

Contract: `walk` treats a data set or item in place, and leaves its elements in the order of their
tags.  What the walk does not know it removes.
"""

from waystation.dicom.tree import Elem, Tree
from waystation.transforms.deid import choice as choices
from waystation.transforms.deid import codes, effects
from waystation.transforms.deid.choice import DUMMY, KEEP, REMOVE, TEXT, Choice, Place
from waystation.transforms.deid.effects import EFFECTS
from waystation.transforms.deid.private import (
    CHARACTERISTICS,
    CREATOR,
    GROUP,
    NONIDENTIFYING,
    STATUS,
    block_of,
    creators_of,
    numbers,
    survivors,
)
from waystation.transforms.deid.work import Work

CONCEPT, VALUE_TYPE, CODE_VALUE, NUMERIC = 0x0040A043, 0x0040A040, 0x0040A168, 0x0040A30A
TEXT_OBJECTS, GRAPHIC_OBJECTS, COMPOUND = 0x00700008, 0x00700009, 0x00700209
MEASURED = 0x0040A300
# What else the characteristics of a private block say of single elements, now perhaps gone.
CHARACTERISTIC_DETAILS = frozenset({NONIDENTIFYING, 0x00080305, 0x00080306, 0x00080310})


def walk(tree: Tree, place: Place, work: Work) -> None:
    """Treat all elements of ``tree``, and of the items below."""
    private = (
        survivors(tree, work.profile.safe_private, work.declared) if work.keeps_private else ()
    )
    known, counts, kept = place.found, work.changed, list[Elem]()
    for elem in tree.elements:
        tag, vr = elem.tag, elem.vr
        choice = known.get((tag, vr)) or place.choice(tag, vr)
        kind = choice.kind
        if kind == REMOVE or (tag & 0x10000 and tag & 0xFFFF > 0xFF and tag not in private):
            key = "X", choice.by, tag
            counts[key] = counts.get(key, 0) + 1
        elif kind == KEEP:
            kept.append(elem)
        elif kind in EFFECTS:
            if EFFECTS[kind](work, tree, elem, choice):
                kept.append(elem)
        elif structure(work, tree, elem, choice, place):
            kept.append(elem)
    if work.keeps_private:
        kept = without_creators(tree, kept, work)
    if len(kept) != len(tree.elements):
        tree.retain(kept)
    tree.sort()


def structure(work: Work, tree: Tree, elem: Elem, choice: Choice, place: Place) -> bool:
    """Treat what has items, or belongs to a group that stays or goes as a whole."""
    kind = choice.kind
    if kind == choices.OVERLAY:
        return overlay(work, tree, elem, choice)
    if kind == DUMMY and elem.vr != "SQ":
        return effects.dummy(work, tree, elem, choice)
    items = elem.items
    if items is None:
        return effects.fall_back(work, tree, elem, choice)
    below, before = place.inside(elem.tag), len(items)
    if kind == choices.CODES:
        items[:] = [item for item in items if code_stays(item)]
        if before and not items and choice.fallback == DUMMY:
            items.append(dummy_code(elem.inner_form))
            work.count(choice, elem.tag)
    elif kind == choices.CONTENT:
        items[:] = [item for item in items if content_stays(item, work)]
    elif kind == choices.GRAPHICS:
        items[:] = [item for item in items if graphics_stay(item)]
    elif kind == DUMMY and not items and choice.needed:
        items.append(Tree(elem.inner_form, tree.charset))
    for item in items:
        walk(item, below, work)
        if kind == DUMMY and codes.hide(item):
            work.count(choice, elem.tag)
    if len(items) != before:
        work.count(choice, elem.tag)
    if before and not items:
        # Without annotations there is no module of them, whose sequence would need an item.
        is_optional = kind == choices.GRAPHICS or (choice.fallback == DUMMY and not choice.needed)
        end = effects.remove if is_optional else effects.fall_back
        return end(work, tree, elem, choice)
    return True


def overlay(work: Work, tree: Tree, elem: Elem, choice: Choice) -> bool:
    """Keep an overlay or curve of an object whose pixels were looked at, else let it go."""
    data = elem.tag >> 16 << 16 | 0x3000
    if not work.pixels.cleaned or data not in tree:
        return effects.remove(work, tree, elem, choice)
    if choice.fallback == TEXT:
        return effects.text(work, tree, elem, Choice(TEXT, choice.by, REMOVE))
    return True


def code_stays(item: Tree) -> bool:
    """Tell whether an item may stay: no coded entry, or one of a registered scheme."""
    code = codes.code_of(item)
    return code is None or codes.is_registered(code)


def dummy_code(form: int) -> Tree:
    """Return a coded entry that says nothing, where the IOD wants one."""
    rows = ((codes.VALUES[0], "SH"), (codes.SCHEME, "SH"), (codes.MEANING, "LO"))
    texts = (effects.WORD, b"99" + effects.WORD, effects.WORD)
    elements = [Elem.new(tag, vr, text, form) for (tag, vr), text in zip(rows, texts, strict=True)]
    return Tree(form, elements=elements)


def content_stays(item: Tree, work: Work) -> bool:
    """Tell whether a content item may stay, by its concept and by its coded value."""
    concept, value = _code_in(item, CONCEPT), _code_in(item, CODE_VALUE)
    if not all(code is None or codes.is_registered(code) for code in (concept, value)):
        return False
    scheme, code = concept or ("", "")
    if scheme != "DCM":
        return True
    if code in codes.IDENTIFYING:
        return False
    if code in codes.DEVICES:
        return work.profile.has("retain_device_identity")
    if code in codes.CHARACTERISTICS:
        retained = work.profile.has("retain_patient_characteristics")
        return retained and (code != codes.AGE or is_young(item))
    return True


def is_young(item: Tree) -> bool:
    """Tell whether a content item gives an age of at most 89; an unreadable one is none."""
    elem = item.get(MEASURED)
    texts = [inner.text(NUMERIC) for inner in (elem.items if elem else None) or ()]
    return bool(texts) and all(one.isdigit() and int(one) <= effects.OLDEST for one in texts)


def _code_in(item: Tree, tag: int) -> tuple[str, str] | None:
    elem = item.get(tag)
    found = [codes.code_of(inner) for inner in (elem.items if elem else None) or ()]
    return found[0] if found else None


def graphics_stay(item: Tree) -> bool:
    """Take the text objects out of an item; tell whether anything is left to show."""
    item.remove({TEXT_OBJECTS, COMPOUND})
    elem = item.get(GRAPHIC_OBJECTS)
    return bool(elem and elem.items)


def without_creators(tree: Tree, kept: list[Elem], work: Work) -> list[Elem]:
    """Return ``kept`` without the creators of blocks of which nothing is left."""
    blocks = set()
    for elem in kept:
        if elem.tag & 0x10000 and elem.tag & 0xFFFF > 0xFF:
            blocks.add(block_of(elem.tag))
            work.private_kept += 1
    there = {(name, block >> 8) for block, name in creators_of(tree).items() if block in blocks}
    return [
        elem
        for elem in kept
        if (
            elem.tag >> 16 << 8 | elem.tag & 0xFF in blocks
            if elem.tag & 0x10000 and elem.tag & 0xFFFF <= 0xFF
            else elem.tag != CHARACTERISTICS or rewrite_characteristics(elem, there)
        )
    ]


def rewrite_characteristics(elem: Elem, there: set[tuple[str, int]]) -> bool:
    """Let (0008,0300) speak only of the blocks that are left, and call them harmless.

    there: (creator, group).  False: nothing is left to speak of.
    """
    items = elem.items or []
    left = []
    for item in items:
        if (item.text(CREATOR), (numbers(item, GROUP) or [0])[0]) in there:
            item.remove(CHARACTERISTIC_DETAILS)
            item.put(STATUS, "CS", b"SAFE")
            left.append(item)
    items[:] = left
    return bool(left)
