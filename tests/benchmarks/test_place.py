"""A run is refused where a sync costs nothing."""

from pathlib import Path

import pytest

from benchmarks.place import IN_MEMORY, file_system_of

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /tmp/disk xfs rw 0 0
tmpfs /var/be tmpfs rw 0 0
tmpfs /with\\040blank tmpfs rw 0 0
"""


@pytest.mark.req("R-88")
@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/bench", "ext4"),
        ("/var/be/run", "tmpfs"),
        ("/tmp/run", "tmpfs"),
        ("/tmp/disk/run", "xfs"),
        ("/with blank/run", "tmpfs"),
        ("/", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    assert file_system_of(Path(folder), MOUNTS) == kind
    assert (kind in IN_MEMORY) == (kind == "tmpfs")
