"""Node → the API over files and HL7 messages."""

from waystation.app.hl7_port import Hl7Port
from waystation.app.node import Node
from waystation.app.step_folders import StepFolders
from waystation.app.worklisting import Worklisting
from waystation.web.api_worklist_ways import Ways


def worklist_ways(node: Node) -> Ways:
    """Return what the routes stand on."""
    return Ways(
        steps=node.annexes.of(Worklisting).steps,
        feed=lambda: node.annexes.of(Hl7Port).feed,
        database=node.database,
        folders=lambda: list(node.annexes.of(StepFolders).folders.values()),
        has_area=lambda name: name in node.settings.worklist.area,
    )
