"""Node → the API over the worklist."""

from waystation.app.node import Node
from waystation.app.worklisting import Worklisting
from waystation.web.api_worklist import Board


def board(node: Node) -> Board:
    """Return what the routes stand on."""
    annex = node.annexes.of(Worklisting)
    return Board(
        steps=annex.steps,
        view=annex.view,
        database=node.database,
        clock=lambda: node.clock(),
        areas=lambda: {
            name: list(area.ae_title) for name, area in node.settings.worklist.area.items()
        },
    )
