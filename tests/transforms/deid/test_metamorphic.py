"""What may not matter does not, and what was treated once stays treated (D-2, D-46)."""

import subprocess
import sys
import zlib
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dicom.building import EXPLICIT, el, mark
from tests.objects.public import public
from tests.transforms.deid.treating import (
    FORMS,
    INSTANCE,
    PRIVATE_CLASS,
    SERIES,
    STUDY,
    Row,
    done,
    encoded,
    engine,
    head_of,
    logical,
    object_of,
    said,
    tree_of,
)
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tree import Tree
from waystation.dicom.uids import DEFLATED, UNCOMPRESSED, transfer_syntaxes
from waystation.transforms.deid.engine import Deidentifier
from waystation.transforms.deid.result import Deidentified, Held
from waystation.transforms.deid_actions import OPTIONS

PROFILE: dict[str, Any] = {
    "text": {"mode": "allow-list"},
    "pseudonym": {"prefix": "LUNG-"},
    "documents": "dummy",
}
WIDE = (
    *("retain_modified_dates", "retain_patient_characteristics", "clean_descriptors"),
    *("clean_structured_content", "retain_device_identity", "clean_graphics"),
)
ROWS: list[Row] = [
    (0x00080020, "DA", "20200310"),
    (0x0008002A, "DT", "20200312101112"),
    (0x00081030, "LO", "CT Chest of Muster"),
    (0x00081140, "SQ", [[(0x00081150, "UI", "1.2.840.10008.1"), (0x00081155, "UI", INSTANCE)]]),
    (0x00082218, "SQ", [[(0x00080100, "SH", "T-1"), (0x00080102, "SH", "SCT")], []]),
    (0x00090010, "LO", "ACME"),
    (0x00091001, "LO", "Muster"),
    (0x00101010, "AS", "095Y"),
    (0x00180050, "DS", "5"),
    (0x00181000, "LO", "SN-4711"),
    (0x00280010, "US", b"\x02\x01"),
    (0x00400275, "SQ", [[(0x00401001, "SH", "RP-1"), (0x00400007, "LO", "CT Chest Muster")]]),
]
TOUCHED_AGAIN = {0x00080018, 0x0020000D, 0x0020000E, 0x00080020, 0x0008002A, 0x00100010, 0x00100020}


def result(who: Deidentifier, *rows: Row, syntax: str = EXPLICIT) -> Deidentified:
    return done(who, head_of(*rows, syntax=syntax, sop_class=PRIVATE_CLASS))


def without(tree: Tree, tags: set[int]) -> list[object]:
    """What a data set says but for UIDs, dates and pseudonyms, at every depth."""
    return [
        (e.tag, [without(one, tags) for one in e.items] if e.items is not None else e.value)
        for e in tree.elements
        if e.tag not in tags and e.vr not in ("UI", "DA", "DT")
    ]


@pytest.mark.req("D-46")
@pytest.mark.parametrize("options", [(), WIDE, ("retain_full_dates", "retain_uids")])
def test_a_second_pass_changes_nothing_but_uids_dates_and_pseudonyms(
    options: tuple[str, ...],
) -> None:
    who = engine(*options, **PROFILE)
    first = result(who, *ROWS)
    head = Head.from_bytes(first.head, EXPLICIT)
    second = done(who, head)
    again = tree_of(second, head)
    assert without(again, TOUCHED_AGAIN) == without(tree_of(first, head), TOUCHED_AGAIN)
    assert said(again, 0x00100020) != said(tree_of(first, head), 0x00100020)


@pytest.mark.req("D-46")
@pytest.mark.parametrize("name", sorted(public()))
def test_a_second_pass_over_a_real_object_finds_nothing_more(name: str) -> None:
    stored = public()[name]
    who = engine(*WIDE, missing_id="study", **PROFILE)
    head = Head.from_bytes(stored.data_set, stored.transfer_syntax)
    first = who.treat(head)
    if isinstance(first, Held):
        return
    is_deflated = stored.transfer_syntax == DEFLATED
    plain = zlib.decompress(stored.data_set, -15) if is_deflated else stored.data_set
    tail = plain[head.pixel_offset : first.tail_end]
    syntax = EXPLICIT if is_deflated else stored.transfer_syntax
    between = Head.from_bytes(first.head + tail, syntax)
    second = done(who, between)
    assert second.tail_end == len(first.head) + len(tail)
    before, after = tree_of(first, between), tree_of(second, between)
    assert without(after, TOUCHED_AGAIN) == without(before, TOUCHED_AGAIN)


@pytest.mark.req("D-46", "D-24")
def test_another_key_gives_other_uids_and_pseudonyms() -> None:
    one, two = (result(engine(*WIDE, secret=key * 32, **PROFILE), *ROWS) for key in (b"a", b"b"))
    first, second = one.identity, two.identity
    assert {first.sop_instance_uid, first.study_uid, first.series_uid}.isdisjoint(
        {second.sop_instance_uid, second.study_uid, second.series_uid}
    )
    assert first.patient_id != second.patient_id


@pytest.mark.req("D-46", "D-2")
def test_order_and_node_and_what_came_before_do_not_matter() -> None:
    rows = object_of(*ROWS, sop_class=PRIVATE_CLASS)
    expected = done(engine(*WIDE, **PROFILE), Head.from_bytes(encoded(rows), EXPLICIT)).head
    used = engine(*WIDE, **PROFILE)
    for seed in range(5):
        mixed = rows.copy()
        Random(seed).shuffle(mixed)
        creator = [row for row in mixed if row[0] == 0x00090010]
        mixed = creator + [row for row in mixed if row not in creator]
        assert done(used, Head.from_bytes(encoded(mixed), EXPLICIT)).head == expected


SCRIPT = """
import sys
from tests.transforms.deid.test_metamorphic import PROFILE, ROWS, WIDE, result
from tests.transforms.deid.treating import engine
sys.stdout.write(result(engine(*WIDE, **PROFILE), *ROWS).head.hex())
"""


@pytest.mark.req("D-2", "D-46")
@pytest.mark.parametrize("seed", ["4711"])
def test_another_process_gives_the_same_bytes(seed: str) -> None:
    done_elsewhere = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done_elsewhere.stdout == result(engine(*WIDE, **PROFILE), *ROWS).head.hex()


@pytest.mark.req("D-46")
@pytest.mark.parametrize("options", [(), WIDE])
def test_forms_and_lengths_give_equal_results(options: tuple[str, ...]) -> None:
    who = engine(*options, **PROFILE)
    found = []
    for syntax in FORMS:
        for is_open in (False, True):
            rows = object_of(*ROWS, sop_class=PRIVATE_CLASS)
            head = Head.from_bytes(encoded(rows, syntax, is_open=is_open), syntax)
            found.append(logical(tree_of(done(who, head), head)))
    assert all(one == found[0] for one in found)


@pytest.mark.req("D-46")
def test_all_syntaxes_of_compressed_pixels_give_the_same_head() -> None:
    who = engine(*WIDE, **PROFILE)
    plain = encoded(object_of(*ROWS, sop_class=PRIVATE_CLASS))
    fragments = el(0x7FE00010, "OB", size=0xFFFFFFFF) + mark(0xFFFEE000)
    data = plain + fragments + mark(0xFFFEE000, 4) + b"abcd" + mark(0xFFFEE0DD)
    expected = done(who, Head.from_bytes(plain, EXPLICIT)).head
    syntaxes = [uid for uid in transfer_syntaxes() if uid.startswith("1.2.840.10008.1.2.4.")][:9]
    for syntax in [uid for uid in syntaxes if uid not in UNCOMPRESSED]:
        assert done(who, Head.from_bytes(data, syntax)).head == expected


@pytest.mark.req("D-28", "D-46")
@settings(max_examples=40)
@given(st.lists(st.dates(date(1950, 1, 1), date(2050, 1, 1)), min_size=2, max_size=4))
def test_intervals_survive_over_all_objects_of_a_patient(days: list[date]) -> None:
    who = engine("retain_modified_dates", **PROFILE)
    moved = []
    for number, day in enumerate(days):
        row: Row = (0x00080020, "DA", day.strftime("%Y%m%d"))
        instance: Row = (0x00080018, "UI", f"1.2.3.4.{number}")
        head = head_of(row, instance)
        text = said(tree_of(done(who, head), head), 0x00080020)
        moved.append(date.fromisoformat(text or ""))
    assert [one - moved[0] for one in moved] == [one - days[0] for one in days]


COLUMN_OPTIONS = [
    name
    for name in OPTIONS
    if name not in ("clean_pixel_data", "clean_recognizable_visual_features", "retain_full_dates")
]


@pytest.mark.req("D-46")
@settings(max_examples=60)
@given(st.sets(st.sampled_from(COLUMN_OPTIONS)), st.sampled_from(COLUMN_OPTIONS))
def test_an_option_less_never_keeps_more(options: set[str], less: str) -> None:
    def kept(names: set[str]) -> set[tuple[int, bytes]]:
        tree = tree_of(result(engine(*sorted(names), **PROFILE), *ROWS), head_of())
        known = {row[0]: row[2] for row in object_of(*ROWS, sop_class=PRIVATE_CLASS)}
        return {
            (e.tag, e.value)
            for e in tree.elements
            if e.value and isinstance(known.get(e.tag), str)
            if e.value.strip() == known[e.tag].encode()
        }

    if less.startswith("clean_"):
        return
    assert kept(options - {less}) <= kept(options | {less})


@pytest.mark.req("D-39", "D-46")
@settings(max_examples=150)
@given(st.data())
def test_mutilated_objects_are_treated_or_held_and_nothing_else(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(FORMS))
    raw = bytearray(encoded(object_of(*ROWS, sop_class=PRIVATE_CLASS), syntax))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        head = Head.from_bytes(bytes(raw), syntax)
    except DatasetError:
        return
    found = engine(*WIDE, **PROFILE).treat(head)
    if isinstance(found, Held):
        assert "Muster" not in found.why
        assert "4711" not in found.why
    else:
        assert Head.from_bytes(found.head, syntax).text(0x00120062) == "YES"


@pytest.mark.req("D-26")
def test_identity_of_the_original_is_nowhere_in_the_result() -> None:
    for options in ((), WIDE):
        made = result(engine(*options, **PROFILE), *ROWS).head
        for secret in (INSTANCE, STUDY, SERIES, "Muster", "PID-4711", "RP-1"):
            assert secret.encode() not in made
