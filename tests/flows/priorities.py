"""Rules to one lane by who calls: ``ER`` is stat, ``BULK`` is low, ``CT1`` is normal."""

from collections.abc import Sequence

from tests.objects.files import Stored

RULES = """
[[rule]]
name = "urgent"
when = { calling_ae = "ER" }
priority = "stat"
send = ["a"]
[[rule]]
name = "bulk"
when = { calling_ae = "BULK" }
priority = "low"
send = ["a"]
[[rule]]
name = "rest"
when = { calling_ae = "CT1" }
send = ["a"]
"""


def names(objects: Sequence[Stored]) -> list[str]:
    """Return the SOP Instance UIDs."""
    return [one.sop_instance for one in objects]
