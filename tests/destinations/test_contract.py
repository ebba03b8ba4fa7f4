"""What every kind of destination promises (`destinations.base`, R-54): one test for all kinds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.destinations.making import Way, load_of, outcomes_of, way_of
from tests.destinations.making_archive import archive_way
from tests.destinations.making_remote import REMOTE_WAYS
from tests.destinations.making_ways import command_way, stow_way
from tests.objects.samples import study
from waystation.model.delivery import HoldReason
from waystation.model.outcome import Deferred, Delivered, Fault, Refused

WAYS = {"archive": archive_way, "stow": stow_way, "command": command_way, **REMOTE_WAYS}


@pytest.fixture(params=["dicom", "folder", *WAYS])
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Way]:
    own = WAYS.get(request.param)
    async with own(tmp_path) if own else way_of(request.param, tmp_path) as made:
        yield made


@pytest.mark.req("R-54")
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
async def test_each_delivery_has_one_outcome_in_order_and_its_bytes(
    way: Way, in_pieces: bool
) -> None:
    objects = study(5)
    batch, cargo = load_of(objects)
    cargo.in_pieces = in_pieces
    found = await outcomes_of(way, batch, cargo)
    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    assert all(isinstance(outcome, Delivered) for _, outcome in found)
    assert way.arrived() == {one.sop_instance: one.data_set for one in objects}


@pytest.mark.req("R-54", "S-7")
async def test_what_is_there_already_counts_as_delivered(way: Way) -> None:
    objects = study(2)
    batch, cargo = load_of(objects)
    for _ in range(2):
        found = await outcomes_of(way, batch, cargo)
        assert [type(outcome) for _, outcome in found] == [Delivered, Delivered]
    assert way.arrived() == {one.sop_instance: one.data_set for one in objects}


@pytest.mark.req("R-54", "S-13", "O9")
async def test_a_damaged_object_is_refused_and_no_byte_of_it_leaves(way: Way) -> None:
    objects = study(3)
    batch, cargo = load_of(objects)
    cargo.corrupt = {2}
    found = dict(await outcomes_of(way, batch, cargo))
    assert isinstance(found[1], Delivered)
    assert isinstance(found[3], Delivered)
    refused = found[2]
    assert isinstance(refused, Refused)
    assert refused.reason is HoldReason.CORRUPT
    assert objects[1].sop_instance not in way.arrived()


@pytest.mark.req("R-54", "O9")
async def test_an_object_that_breaks_while_it_is_read_is_refused_and_not_kept(way: Way) -> None:
    objects = study(3)
    batch, cargo = load_of(objects)
    cargo.in_pieces = True
    cargo.breaks = {2}
    found = dict(await outcomes_of(way, batch, cargo))
    assert isinstance(found[2], Refused)
    assert isinstance(found[3], Delivered)
    assert sorted(way.arrived()) == sorted([objects[0].sop_instance, objects[2].sop_instance])


@pytest.mark.req("R-54")
async def test_when_the_way_fails_it_says_so_once_and_stops(way: Way) -> None:
    batch, cargo = load_of(study(4))
    await way.break_down()
    found = await outcomes_of(way, batch, cargo)
    assert [number for number, _ in found] == [1]
    outcome = found[0][1]
    assert isinstance(outcome, Deferred)
    assert outcome.fault is Fault.TRANSIENT
    assert way.arrived() == {}


async def test_an_empty_batch_has_no_outcome(way: Way) -> None:
    _, cargo = load_of([])
    assert await outcomes_of(way, [], cargo) == []


async def test_whoever_stops_listening_stops_the_sending(way: Way) -> None:
    batch, cargo = load_of(study(5))
    sending = way.destination.send(batch, cargo)
    first, outcome = await anext(sending)
    await sending.aclose()
    assert (first.id, type(outcome)) == (1, Delivered)
    assert len(way.arrived()) <= 2


async def test_a_probe_of_an_open_way_says_nothing(way: Way) -> None:
    assert await way.destination.probe() is None
    assert way.arrived() == {}


async def test_two_studies_do_not_mix(way: Way) -> None:
    objects = [*study(2), *study(2, seed="other")]
    batch, cargo = load_of(objects)
    batch[2:] = [replace(one, study_uid="1.9", series_uid="1.9.1") for one in batch[2:]]
    for part in (batch[:2], batch[2:]):
        found = await outcomes_of(way, part, cargo)
        assert all(isinstance(outcome, Delivered) for _, outcome in found)
    assert way.arrived() == {one.sop_instance: one.data_set for one in objects}
