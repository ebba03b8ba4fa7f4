"""A tree gives back the bytes it came from, and a change deep inside changes nothing else."""

from collections.abc import Iterator
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dicom.building import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    OPEN,
    el,
    item,
    mark,
    nested,
    seq,
    small,
)
from tests.objects.public import public
from tests.objects.samples import in_syntax
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tree import Elem, Tree, encode, parse

FORMS = [EXPLICIT, IMPLICIT, BIG]
NAME, ID, MODALITY, CODES = 0x00100010, 0x00100020, 0x00080060, 0x00082218


def tree_of(data: bytes, syntax: str = EXPLICIT) -> Tree:
    return parse(Head.from_bytes(data, syntax))


def everything(tree: Tree) -> Iterator[Elem]:
    for elem in tree.elements:
        yield elem
        for inner in elem.items or ():
            yield from everything(inner)


def shape(tree: Tree) -> list[object]:
    """What a data set says, whatever its form and lengths are."""
    return [
        (e.tag, e.value if e.items is None else [shape(inner) for inner in e.items])
        for e in tree.elements
    ]


@pytest.mark.parametrize("name", sorted(public()))
def test_every_real_head_comes_back_as_it_was(name: str) -> None:
    stored = public()[name]
    head = Head.from_bytes(stored.data_set, stored.transfer_syntax)
    tree = parse(head)
    assert encode(tree) == head.data
    assert [e.tag for e in everything(tree)]
    assert encode(tree) == head.data


@pytest.mark.parametrize("name", sorted(public()))
def test_a_name_changed_in_a_real_head_changes_only_its_element(name: str) -> None:
    stored = public()[name]
    syntax = stored.transfer_syntax
    head = Head.from_bytes(stored.data_set, syntax)
    tree = parse(head)
    before = shape(parse(head))
    tree.put(0x00100021, "LO", b"ELSEWHERE")
    again = Head.from_bytes(
        encode(tree),
        EXPLICIT if syntax == DEFLATED else syntax,
    )
    after = shape(parse(again))
    lengths = {0x00100000, 0x00080001, 0x00100021}
    assert [row for row in after if row[0] not in lengths] == [  # type: ignore[index]
        row
        for row in before
        if row[0] not in lengths  # type: ignore[index]
    ]
    assert again.text(0x00100021) == "ELSEWHERE"


@pytest.mark.parametrize("syntax", FORMS)
@pytest.mark.parametrize("is_open", [False, True])
def test_a_change_deep_in_a_sequence_leaves_its_neighbours_as_they_are(
    syntax: str, is_open: bool
) -> None:
    odd = el(0x00090011, "LO", b"odd", syntax)
    patient = el(ID, "LO", b"OLD ", syntax)

    def data_set(inner: bytes) -> bytes:
        deep = seq(
            0x00081140,
            item(inner, syntax, is_open=is_open),
            item(odd, syntax, is_open=not is_open),
            syntax=syntax,
            is_open=is_open,
        )
        outer = seq(
            CODES,
            item(odd, syntax, is_open=True),
            item(odd + deep, syntax, is_open=is_open),
            syntax=syntax,
            is_open=not is_open,
        )
        return el(MODALITY, "CS", b"CT", syntax) + outer + odd

    tree = tree_of(data_set(patient), syntax)
    middle = (tree.get(CODES) or tree.elements[0]).items
    assert middle is not None
    deep = middle[1].elements[1].items
    assert deep is not None
    elem = deep[0].elements[0]
    assert elem.value == b"OLD "
    elem.replace(b"PSEUDONYM")
    assert encode(tree) == data_set(el(ID, "LO", b"PSEUDONYM ", syntax))
    deep[0].remove({ID})
    assert encode(tree) == data_set(b"")
    deep[0].put(ID, "LO", b"NEW1")
    assert encode(tree) == data_set(el(ID, "LO", b"NEW1", syntax))


@pytest.mark.parametrize("syntax", FORMS)
def test_a_new_element_goes_where_its_tag_belongs(syntax: str) -> None:
    low, high = el(MODALITY, "CS", b"CT", syntax), el(0x00181030, "LO", b"P ", syntax)
    name, patient = el(NAME, "PN", b"A ", syntax), el(ID, "LO", b"B ", syntax)
    tree = tree_of(low + high, syntax)
    tree.put(ID, "LO", b"B")
    tree.put(NAME, "PN", b"A")
    tree.put(0x00204000, "LT", b"C")
    assert encode(tree) == low + name + patient + high + el(0x00204000, "LT", b"C ", syntax)
    tree.put(ID, "LO", b"D")
    assert (tree.get(ID) or tree.elements[0]).value == b"D"
    tree.remove([ID, NAME, 0x00204000])
    assert encode(tree) == low + high


def test_no_occurrence_of_a_repeated_element_survives_a_change() -> None:
    one, two = el(NAME, "PN", b"One "), el(NAME, "PN", b"Two ")
    data = one + el(0x0040A124, "UI", b"1.2\0") + two
    assert encode(tree_of(data)) == data
    tree = tree_of(data)
    tree.remove({NAME})
    assert encode(tree) == el(0x0040A124, "UI", b"1.2\0")
    tree = tree_of(data)
    tree.put(NAME, "PN", b"X ")
    assert encode(tree) == el(NAME, "PN", b"X ") + el(0x0040A124, "UI", b"1.2\0")


def test_group_lengths_of_touched_groups_go_and_others_stay() -> None:
    lengths = [el(group << 16, "UL", b"\x10\0\0\0") for group in (0x0008, 0x0010, 0x0018)]
    rows = [
        *(lengths[0], el(0x00080001, "UL", b"\0\1\0\0"), el(MODALITY, "CS", b"CT")),
        *(lengths[1], el(ID, "LO", b"X "), lengths[2], el(0x00180015, "CS", b"HEAD")),
    ]
    tree = tree_of(b"".join(rows))
    tree.put(ID, "LO", b"Y ")
    assert encode(tree) == rows[0] + rows[2] + el(ID, "LO", b"Y ") + rows[5] + rows[6]


@pytest.mark.parametrize("is_open", [False, True])
def test_items_inside_un_are_implicit_and_stay_so(is_open: bool) -> None:
    def data_set(value: bytes) -> bytes:
        inner = item(el(ID, "LO", value, IMPLICIT), IMPLICIT, is_open=is_open)
        return seq(0x00091010, inner, is_open=is_open, vr="UN") + el(ID, "LO", b"A ")

    tree = tree_of(data_set(b"OLD "))
    elem = tree.elements[0]
    assert (elem.vr, elem.written) == ("SQ", "UN")
    items = elem.items
    assert items is not None
    assert items[0].elements[0].vr == "LO"
    items[0].put(ID, "LO", b"CHANGED ")
    assert encode(tree) == data_set(b"CHANGED ")


def test_un_has_the_meaning_that_the_dictionary_gives_it() -> None:
    creator = el(0x00091010, "LO", b"x", IMPLICIT)
    data = el(0x00080020, "UN", b"20200101") + el(0x00090010, "LO", b"GEMS_IDEN_01")
    tree = tree_of(data + el(0x00091001, "UN", b"text") + el(0x000B1001, "UN", creator))
    assert [e.vr for e in tree.elements] == ["DA", "LO", "LO", "UN"]
    tree.elements[0].replace(b"19000101")
    assert encode(tree).startswith(el(0x00080020, "DA", b"19000101"))


def test_what_only_looks_like_a_sequence_is_a_plain_value() -> None:
    fake = mark(0xFFFEE000, 4) + b"\0\1\2\3"
    for syntax, tag in ((IMPLICIT, 0x00091010), (EXPLICIT, 0x00091010), (IMPLICIT, CODES)):
        data = el(tag, "UN", fake, syntax) + el(ID, "LO", b"A ", syntax)
        tree = tree_of(data, syntax)
        assert (tree.elements[0].vr, tree.elements[0].value) == ("UN", fake)
        tree.put(ID, "LO", b"B ")
        assert encode(tree) == el(tag, "UN", fake, syntax) + el(ID, "LO", b"B ", syntax)
        inside = seq(CODES, item(data, syntax), syntax=syntax)
        items = tree_of(inside, syntax).elements[0].items
        assert items is not None
        assert items[0].elements[0].value == fake


def test_a_character_set_reaches_into_sequences_unless_they_have_their_own() -> None:
    own = item(seq(0x00081140, item(b"")) + el(0x00080005, "CS", b"ISO_IR 192"))
    tree = tree_of(el(0x00080005, "CS", b"ISO_IR 100") + seq(CODES, own, item(b"")))
    first, second = tree.elements[1].items or []
    assert (tree.charset, first.charset, second.charset) == (
        "ISO_IR 100",
        "ISO_IR 192",
        "ISO_IR 100",
    )
    assert (first.elements[0].items or [])[0].charset == "ISO_IR 192"


def test_encapsulated_icons_pass_as_one_value() -> None:
    pixels = el(0x7FE00010, "OB", b"", size=OPEN) + mark(0xFFFEE000) + mark(0xFFFEE000, 4) + b"abcd"
    icon = seq(0x00880200, item(pixels + mark(0xFFFEE0DD) + el(0x7FE10010, "LO", b"X ")))
    tree = tree_of(icon + el(0x00880904, "LO", b"A "))
    inner = (tree.elements[0].items or [])[0]
    assert inner.elements[0].is_encapsulated
    inner.put(0x7FE10010, "LO", b"longer")
    assert encode(tree) == icon.replace(b"X ", b"longer").replace(
        pack("<I", len(icon) - 12), pack("<I", len(icon) - 8)
    ).replace(pack("<I", len(icon) - 20), pack("<I", len(icon) - 16)).replace(
        b"LO\2\0longer", b"LO\6\0longer"
    ) + el(0x00880904, "LO", b"A ")


@pytest.mark.parametrize("syntax", FORMS)
def test_items_can_be_added_and_taken_away(syntax: str) -> None:
    tree = tree_of(seq(CODES, item(b"", syntax), syntax=syntax), syntax)
    items = tree.elements[0].items
    assert items is not None
    items.append(Tree(tree.form, elements=[Elem.new(ID, "LO", b"AB", tree.form)]))
    two = seq(CODES, item(b"", syntax), item(el(ID, "LO", b"AB", syntax), syntax), syntax=syntax)
    assert encode(tree) == two
    del items[0]
    tree.put_items(0x00081140, [])
    one = seq(CODES, item(el(ID, "LO", b"AB", syntax), syntax), syntax=syntax)
    assert encode(tree) == seq(0x00081140, syntax=syntax) + one
    items.clear()
    assert encode(tree) == seq(0x00081140, syntax=syntax) + seq(CODES, syntax=syntax)


def test_sorting_keeps_what_is_sorted_untouched() -> None:
    low, high = el(MODALITY, "CS", b"CT"), el(ID, "LO", b"A ")
    tree = tree_of(high + low)
    tree.sort()
    assert encode(tree) == low + high
    tree = tree_of(el(0x00080000, "UL", b"\0\0\0\0") + low + high)
    tree.sort()
    assert encode(tree) == el(0x00080000, "UL", b"\0\0\0\0") + low + high


def test_the_tail_is_no_part_of_the_tree() -> None:
    data = small()
    head = Head.from_bytes(data, EXPLICIT)
    tree = parse(head)
    tree.put(NAME, "PN", b"Anonymous")
    again = Head.from_bytes(encode(tree) + data[head.pixel_offset :], EXPLICIT)
    assert again.text(NAME) == "Anonymous"
    assert 0x7FE00010 not in tree


@pytest.mark.parametrize("vr", ["SQ", "UN"])
@pytest.mark.parametrize("is_open", [False, True])
def test_the_deepest_nesting_that_was_received_is_read(is_open: bool, vr: str) -> None:
    syntax = IMPLICIT if vr == "UN" else EXPLICIT
    data = nested(64, syntax, is_open=is_open)
    assert len(list(everything(tree_of(data, syntax)))) == 65


def test_what_is_not_written_in_the_form_of_its_tree_is_refused() -> None:
    tree = tree_of(el(ID, "LO", b"A "))
    tree.elements.append(tree_of(el(ID, "LO", b"A ", IMPLICIT), IMPLICIT).elements[0])
    tree.put(NAME, "PN", b"X")
    with pytest.raises(ValueError, match="another form"):
        encode(tree)


VALUES = st.binary(max_size=12).map(lambda value: value + b" " * (len(value) % 2))
PLAIN_TAGS = st.sampled_from(
    [0x00080060, 0x00100010, 0x00091001, 0x00211002, 0x00181030, 0x0018FFF0]
)
SEQUENCE_TAGS = st.sampled_from([0x00082218, 0x00081140, 0x00400275, 0x00091002])


@st.composite
def rows(draw: st.DrawFn, depth: int = 3) -> list[tuple[int, object, bool, bool]]:
    """Elements: tag, value or items, whether the sequence and its items are open-ended."""
    found: list[tuple[int, object, bool, bool]] = []
    for _ in range(draw(st.integers(0, 4))):
        if depth and draw(st.booleans()):
            items = draw(st.lists(rows(depth - 1), max_size=3))
            found.append((draw(SEQUENCE_TAGS), items, draw(st.booleans()), draw(st.booleans())))
        else:
            found.append((draw(PLAIN_TAGS), draw(VALUES), False, False))
    return found


def written(content: list[tuple[int, object, bool, bool]], syntax: str) -> bytes:
    made: list[bytes] = []
    for tag, value, outer, inner in content:
        if isinstance(value, bytes):
            made.append(el(tag, "LO", value, syntax))
        else:
            assert isinstance(value, list)
            items = [item(written(one, syntax), syntax, is_open=inner) for one in value]
            made.append(seq(tag, *items, syntax=syntax, is_open=outer))
    return b"".join(made)


@given(rows(), st.sampled_from(FORMS))
@settings(max_examples=150)
def test_any_tree_comes_back_and_says_the_same_after_any_change(
    content: list[tuple[int, object, bool, bool]], syntax: str
) -> None:
    data = written(content, syntax)
    tree = tree_of(data, syntax)
    elements = list(everything(tree))
    assert encode(tree) == data
    plain = [e for e in elements if e.items is None]
    if plain:
        plain[len(data) % len(plain)].replace(b"changed1", "LO")
    new = encode(tree)
    assert shape(tree_of(new, syntax)) == shape(tree)


@given(st.binary(max_size=200), st.sampled_from(FORMS))
@settings(max_examples=200)
def test_any_head_gives_a_tree_or_a_dataset_error(noise: bytes, syntax: str) -> None:
    base = bytearray(written([(0x00082218, [[(ID, b"AB", False, False)]], True, False)], syntax))
    for at, byte in enumerate(noise):
        if byte % 5 == 0:
            base[at % len(base)] = byte
    try:
        head = Head.from_bytes(bytes(base), syntax)
    except DatasetError:
        return
    tree = parse(head)
    list(everything(tree))
    assert encode(tree) == head.data


@pytest.mark.parametrize("syntax", [DEFLATED, IMPLICIT, BIG])
def test_a_sample_of_ours_comes_back_in_every_coding(syntax: str) -> None:
    stored = in_syntax(syntax)
    head = Head.from_bytes(stored.data_set, stored.transfer_syntax)
    assert encode(parse(head)) == head.data


def test_what_is_implicit_under_an_explicit_syntax_stays_so() -> None:
    said = el(0x00080060, "CS", b"CT", IMPLICIT) + el(0x00100020, "LO", b"47", IMPLICIT)
    tree = parse(Head.from_bytes(said, EXPLICIT))
    tree.put(0x00100010, "PN", b"A^B ")
    tree.put_items(
        0x00081140, [Tree(tree.form, elements=[Elem.new(0x00081155, "UI", b"1.2", tree.form)])]
    )
    read = parse(Head.from_bytes(encode(tree), IMPLICIT))
    assert [elem.tag for elem in read.elements] == [0x00080060, 0x00081140, 0x00100010, 0x00100020]
    assert read.text(0x00100010) == "A^B"
