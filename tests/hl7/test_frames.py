"""Messages out of a stream of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.hl7.errors import Hl7Error
from waystation.hl7.frames import Frames, framed

WHOLE = st.binary(max_size=40).map(lambda raw: raw.replace(b"\x1c\x0d", b"").replace(b"\x0b", b""))


@given(st.lists(WHOLE.filter(bool), max_size=6), st.integers(1, 7), WHOLE)
def test_pieces_of_any_size_give_the_same_messages(
    messages: list[bytes], size: int, between: bytes
) -> None:
    messages = [one.rstrip(b"\x1c") + b"." for one in messages]
    stream = b"".join(between.replace(b"\x1c", b"") + framed(one) for one in messages)
    frames, found = Frames(), []
    for at in range(0, len(stream), size):
        frames.feed(stream[at : at + size])
        while (one := frames.next()) is not None:
            found.append(one)
    assert found == messages
    assert not frames.is_open


def test_a_frame_that_is_too_long_is_refused_before_it_is_whole() -> None:
    frames = Frames(largest=100)
    frames.feed(b"\x0bMSH|" + b"x" * 90)
    assert frames.next() is None
    frames.feed(b"x" * 20)
    with pytest.raises(Hl7Error, match="more than 100 bytes"):
        frames.next()
    assert frames.begun.startswith(b"MSH|x")


def test_many_small_messages_at_once_are_taken_one_by_one() -> None:
    frames = Frames()
    frames.feed(framed(b"MSH") * 5000)
    n = 0
    while frames.next() is not None:
        n += 1
    assert n == 5000
