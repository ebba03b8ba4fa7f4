"""Node → the API over the worklist."""

from collections.abc import Callable

from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.worklisting import Worklisting
from waystation.net.gate import title_matches
from waystation.web.api_worklist import Board

AS_IT_COMES = frozenset({"stored", "request"})


def board(node: Node, viewer: Callable[[], int] = lambda: 0) -> Board:
    """Return what the routes stand on.  viewer: the port of the web viewer, 0 without one."""
    annex = node.annexes.of(Worklisting)
    return Board(
        steps=annex.steps,
        view=annex.view,
        database=node.database,
        clock=lambda: node.clock(),
        areas=lambda: {
            name: list(area.ae_title) for name, area in node.settings.worklist.area.items()
        },
        charset=lambda station, area: charset_of(node.settings, station, area),
        viewer=viewer,
        dicomweb=node.settings.web.dicomweb,
    )


def charset_of(settings: Settings, station: str, area: str) -> str:
    """Return in which character set a station is answered, "" for that of the entry itself."""
    peers = settings.peer.values()
    own = [one.answer_charset for one in peers if title_matches(one.ae_title, station)]
    shown = settings.worklist.area.get(area)
    said = next(filter(None, own), None) or (shown and shown.answer_charset)
    found = said or settings.worklist.answer_charset
    return "" if found in AS_IT_COMES else found
