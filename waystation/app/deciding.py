"""What a person decides about a running node, in its audit trail."""

from typing import Any

from waystation.app.node import Node
from waystation.app.people import People
from waystation.journal.audit import Event


def decided(node: Node, by: str, decision: str, /, **what: Any) -> None:
    """Note who decided what; of ``what`` that which says something, and nothing of a patient.

    Not waited for: it is done already, and what was done stands in the journal besides.
    """
    people = node.annexes.find(People)
    if people is not None:
        said = {name: value for name, value in what.items() if value}
        people.trail.note(Event.DECIDED, by, decision=decision, **said)
