"""Which contexts are offered (R-61) and in which order they are used (R-62)."""

import pytest

from tests.objects import public
from waystation.codecs.abilities import reads, writes
from waystation.destinations.contexts import MOST, POLICIES, Pair, choices, offer, refusal
from waystation.dicom.uids import (
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
)

IMPLICIT, EXPLICIT = public.IMPLICIT, public.EXPLICIT
VIDEO = "1.2.840.10008.1.2.4.102"
LOSSLESS = (JPEG_2000_LOSSLESS, JPEG_LS_LOSSLESS, RLE_LOSSLESS, "1.2.840.10008.1.2.4.201")


@pytest.mark.req("R-61", "R-62")
@pytest.mark.parametrize(
    ("stored", "policy", "found"),
    [
        (EXPLICIT, "never", (EXPLICIT,)),
        (EXPLICIT, "uncompressed", (EXPLICIT, IMPLICIT)),
        (IMPLICIT, "uncompressed", (IMPLICIT, EXPLICIT)),
        (public.BIG, "uncompressed", (public.BIG, EXPLICIT, IMPLICIT)),
        (public.DEFLATED, "decompress", (public.DEFLATED, EXPLICIT, IMPLICIT)),
        (EXPLICIT, "lossless", (EXPLICIT, IMPLICIT, *LOSSLESS)),
        (JPEG_BASELINE, "uncompressed", (JPEG_BASELINE,)),
        (JPEG_BASELINE, "decompress", (JPEG_BASELINE, EXPLICIT, IMPLICIT)),
        (JPEG_LS_LOSSLESS, "lossless", (JPEG_LS_LOSSLESS, EXPLICIT, IMPLICIT, *LOSSLESS)),
        (VIDEO, "lossless", (VIDEO,)),
        ("1.2.3", "lossless", ("1.2.3",)),
    ],
)
def test_what_an_object_may_be_sent_as(stored: str, policy: str, found: tuple[str, ...]) -> None:
    assert choices(stored, policy) == tuple(dict.fromkeys(found))


@pytest.mark.req("R-62")
def test_nothing_that_loses_anything_is_ever_a_choice() -> None:
    lossy = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.91"}
    for stored in (*reads(), *public.PLAIN):
        for policy in POLICIES:
            assert not set(choices(stored, policy)[1:]) & lossy
    assert not set(writes()) & lossy


def pairs(count: int) -> list[Pair]:
    return [(f"1.2.{number}", EXPLICIT) for number in range(count)]


@pytest.mark.req("R-61")
@pytest.mark.parametrize("count", [1, 2, 60, 64, 65, 127, 128, 129, 500])
def test_an_association_offers_the_first_whole_and_as_many_as_it_can(count: int) -> None:
    wanted = pairs(count)
    found = offer(wanted, "lossless")
    assert len(found) == len(set(found)) <= MOST
    assert found[: 1 + len(choices(EXPLICIT, "lossless")[1:])] == [
        ("1.2.0", syntax) for syntax in choices(EXPLICIT, "lossless")
    ]
    stored = [pair for pair in wanted if pair in found]
    assert stored == wanted[: len(stored)]
    for pair in stored[1:]:
        others = [(pair[0], syntax) for syntax in choices(EXPLICIT, "lossless")[1:]]
        offered = [other for other in others if other in found]
        assert offered in ([], others)


def test_equal_pairs_are_offered_once_and_nothing_offers_nothing() -> None:
    assert offer(pairs(1) * 3, "never") == pairs(1)
    assert offer([], "never") == []


def test_a_refusal_names_every_offer_and_its_answer() -> None:
    text = refusal(("1.2.3", EXPLICIT), "uncompressed", lambda pair: f"answer to {pair[1][-1]}")
    assert "Explicit VR Little Endian: answer to 1" in text
    assert "Implicit VR Little Endian: answer to 2" in text
    assert "passed through only" in refusal(("1.2.3", VIDEO), "decompress", lambda _: "no")
