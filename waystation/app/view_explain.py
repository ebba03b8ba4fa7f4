"""`explain`, asked of a running node."""

from pathlib import Path

from waystation.app.explaining import Explainer
from waystation.app.node import Node
from waystation.app.node_reading import Read, in_thread
from waystation.app.past_rules import PastRules
from waystation.app.standing import of_node
from waystation.web.shapes_explain import Explained


async def explained(node: Node, what: str, folder: Path) -> Explained | None:
    """Return the story of a UID or of an id, without anything that tells who the patient is."""
    standing, newest = of_node(node), node.router.routing

    def job(read: Read) -> Explained | None:
        rules = PastRules(read, folder, newest)
        return Explainer(read, node.blobs, rules, standing).about(what)

    return await in_thread(node, job)
