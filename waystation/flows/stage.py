"""Two buffers per association: one fills while the other is written.

They are made once and used again for every object, because fresh memory costs the kernel a page
fault for every 4 KiB, and they begin on a page, so that they can be written past the page cache.
"""

import mmap

# A CT slice of half a megabyte fits, so that it lies in one piece when it is sent on.
PIECE = 640 * 1024
# So much of it is written at once while the rest still comes: little is left for the end, and a
# disk likes few large writes better than many small ones.
EARLY = 320 * 1024
BLOCK = 4096


class Stage:
    """A buffer of fixed size with marks how far it is filled and handed out for writing."""

    __slots__ = ("_view", "handed", "size")

    def __init__(self, capacity: int) -> None:
        self._view = memoryview(mmap.mmap(-1, capacity))
        self.size = 0
        self.handed = 0

    def put(self, data: bytes | memoryview) -> None:
        """Append ``data``; it must fit."""
        end = self.size + len(data)
        self._view[self.size : end] = data
        self.size = end

    def filled(self) -> memoryview:
        """Return what was put in; valid until `clear`."""
        return self._view[: self.size]

    @property
    def full(self) -> bool:
        return self.size >= PIECE

    def early(self) -> memoryview | None:
        """Return whole blocks that were not handed out, if there are many of them."""
        if self.size - self.handed < EARLY:
            return None
        return self._hand(self.size // BLOCK * BLOCK)

    def split(self, other: "Stage") -> memoryview:
        """Return all whole blocks left, and move what is behind them to ``other``."""
        whole = self.size // BLOCK * BLOCK
        other.put(self._view[whole : self.size])
        self.size = whole
        return self._hand(whole)

    def rest(self) -> memoryview:
        """Return everything that was not handed out."""
        return self._hand(self.size)

    def _hand(self, end: int) -> memoryview:
        begin, self.handed = self.handed, end
        return self._view[begin:end]

    def clear(self) -> None:
        """Begin anew."""
        self.size = 0
        self.handed = 0


class Stages:
    """The two buffers of one association; the second is made when a big object needs it.

    Each holds a piece, one read from the socket and a few blocks, so that what came with one
    read always fits behind a piece that is not full yet.
    """

    def __init__(self, longest_read: int) -> None:
        self._capacity = PIECE + longest_read + 4 * BLOCK
        self._spare: list[Stage] = []
        self._out = 0

    def take(self) -> Stage:
        """Return an empty stage; `spare` must be True."""
        self._out += 1
        stage = self._spare.pop() if self._spare else Stage(self._capacity)
        stage.clear()
        return stage

    def give_back(self, stage: Stage) -> None:
        """The stage's bytes are written or not wanted any more."""
        self._out -= 1
        self._spare.append(stage)

    @property
    def spare(self) -> bool:
        """True if another stage can be taken."""
        return self._out < 2
