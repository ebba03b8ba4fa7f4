"""The annexes of every node, in the order in which they start."""

from collections.abc import Callable

from waystation.app.annex import Annex
from waystation.app.brokerage import Brokerage
from waystation.app.hl7_port import Hl7Port
from waystation.app.inboxes import Inboxes
from waystation.app.node import Node
from waystation.app.people import People
from waystation.app.step_folders import StepFolders
from waystation.app.uniting import Uniting
from waystation.app.upstreaming import Upstreaming
from waystation.app.worklisting import Worklisting

MAKERS: tuple[Callable[[Node], Annex], ...] = (
    People,
    Upstreaming,
    Brokerage,
    Uniting,
    Worklisting,
    Hl7Port,
    StepFolders,
    Inboxes,
)
