"""A run fails when our node acknowledged more than it had synced."""

import pytest

from benchmarks.audit import NotDurable, Synced, check, read_trace

TRACE = """\
71 fdatasync(14</data/blobs/6a-0c/11.dcm>) = 0
71 fdatasync(15</data/blobs/6a-0c/22.dcm>) = 0
72 fdatasync(15</data/blobs/6a-0c/22.dcm>) = 0
72 fsync(16</data/blobs/6a-0c>) = 0
73 pwrite64(9</data/intake/000001.log>, "x"..., 4096, 8192) = 4096
73 pwrite64(9</data/intake/000001.log>, "x"..., 4096, 12288) = 4096
73 pwrite64(20</data/blobs/6a-0c/33.dcm>, "x"..., 4096, 0) = 4096
74 fdatasync(7</data/journal.db-wal>) = 0
74 write(2</data/log>, "line", 4) = 4
"""


def test_a_file_counts_once_and_only_writes_that_are_syncs_count() -> None:
    assert read_trace(TRACE, {"/data/intake"}) == Synced(blobs=2, writes=2)


@pytest.mark.req("R-88")
@pytest.mark.parametrize(
    ("kind", "blobs", "writes"), [("ct", 9, 10), ("ct", 10, 9), ("small", 10, 9), ("small", 0, 0)]
)
def test_fewer_synced_than_acknowledged_ends_the_run(kind: str, blobs: int, writes: int) -> None:
    with pytest.raises(NotDurable):
        check(kind, 10, Synced(blobs, writes))


@pytest.mark.parametrize(("kind", "blobs"), [("ct", 10), ("ct", 11), ("small", 0)])
def test_a_sync_for_each_object_is_enough(kind: str, blobs: int) -> None:
    check(kind, 10, Synced(blobs, 10))
