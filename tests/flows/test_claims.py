"""Whose object is it?  Decided from the command, the sender's address and the study."""

from dataclasses import dataclass, field

import pytest

from waystation.dicom.head import Identity
from waystation.flows.claims import Claims
from waystation.model.arrival import Arrival, Source
from waystation.wire.commands import C_STORE_RQ, Command

HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"


@dataclass
class Fetch:
    """A claimant that says what it is told to."""

    study: str
    source: str = "old"
    moving: bool = True
    listing: bool = False
    manifest: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    pieces: int = 0
    got: list[Arrival] = field(default_factory=list)

    def sends(self, address: str) -> bool:
        return address == HERE

    def asked(self, calling_ae: str, message_id: int) -> bool:
        return calling_ae == "BROKER" and message_id in self.numbers

    def knows(self, title: str) -> bool:
        return title in ("BROKER", "OLDPACS")

    def lists(self, sop_instance_uid: str) -> bool:
        return sop_instance_uid in self.manifest

    async def listed(self) -> None:
        self.manifest |= self.later
        self.listing = False

    def touched(self) -> None:
        self.pieces += 1

    def took(self, arrival: Arrival) -> None:
        self.got.append(arrival)

    def no_room(self) -> str:
        return ""


def source(address: str = HERE) -> Source:
    return Source(peer="", calling_ae="ANY", called_ae="WAYSTATION", address=address)


def command(uid: str = "1.1", title: str = "", number: int | None = None) -> Command:
    return Command(
        field=C_STORE_RQ,
        message_id=7,
        sop_instance_uid=uid,
        move_originator_ae=title,
        move_originator_message_id=number,
    )


def found(study: str) -> Identity:
    return Identity("1.2.840.10008.5.1.4.1.1.2", "1.1", study, "1.3", "", "")


async def whose(
    claims: Claims, what: Command, study: str, address: str = HERE
) -> tuple[bool, str | None]:
    """Return whether it may be ours, and the study of the Fetch that takes it."""
    claim = claims.claim(source(address), what)
    if claim is None:
        return False, None
    taker = await claim.takes(what, found(study))
    return True, None if taker is None else taker.study


def opened(*fetches: Fetch) -> Claims:
    claims = Claims()
    for one in fetches:
        claims.open(one)
    return claims


@pytest.mark.req("W-110")
async def test_the_message_id_of_our_move_names_the_fetch() -> None:
    claims = opened(Fetch("s1", numbers={3}), Fetch("s2", numbers={4}))
    assert await whose(claims, command(title="BROKER", number=4), "s2") == (True, "s2")
    # Whatever it says, it is not the study that was asked for.
    assert await whose(claims, command(title="BROKER", number=4), "s1") == (True, None)
    assert await whose(claims, command(title="BROKER", number=4), "s9") == (True, None)


@pytest.mark.req("W-110")
async def test_without_an_originator_the_manifest_decides() -> None:
    claims = opened(Fetch("s1", manifest={"1.1"}), Fetch("s2", manifest={"1.2"}))
    assert await whose(claims, command("1.1"), "s1") == (True, "s1")
    assert await whose(claims, command("1.3"), "s1") == (False, None)
    # A manifest that is still being asked for is waited for.
    claims = opened(Fetch("s1", listing=True, later={"1.1"}), Fetch("s2", listing=True))
    assert await whose(claims, command("1.1"), "s1") == (True, "s1")
    assert await whose(claims, command("1.1"), "s2") == (True, None)


@pytest.mark.req("W-110")
async def test_the_only_study_that_is_moved_needs_no_manifest() -> None:
    one, other = Fetch("s1"), Fetch("s2", moving=False)
    claims = opened(one, other)
    assert await whose(claims, command("9.9"), "s1") == (True, "s1")
    assert await whose(claims, command("9.9"), "s2") == (True, None)
    other.moving = True
    assert await whose(claims, command("9.9"), "s1") == (False, None)
    claims.close(other)
    assert await whose(claims, command("9.9"), "s1") == (True, "s1")


@pytest.mark.req("W-110", "W-111")
async def test_what_others_asked_for_or_sent_is_not_ours() -> None:
    claims = opened(Fetch("s1", manifest={"1.1"}, numbers={3}))
    # Another application entity had the PACS send it here.
    assert await whose(claims, command("1.1", "WORKSTATION", 3), "s1") == (False, None)
    assert await whose(claims, command("1.1", "BROKER", 3), "s1", ELSEWHERE) == (False, None)
    assert await whose(opened(), command("1.1"), "s1") == (False, None)


async def test_pieces_keep_the_transfer_awake_and_the_arrival_reaches_its_fetch() -> None:
    one, idle = Fetch("s1", manifest={"1.1"}), Fetch("s2", manifest={"1.1"}, moving=False)
    claim = opened(one, idle).claim(source(), command("1.1"))
    assert claim is not None
    claim.touched()
    assert (one.pieces, idle.pieces) == (1, 0)
