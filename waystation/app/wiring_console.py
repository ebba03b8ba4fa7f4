"""Node → the routes that its parts hang into the site.  Nothing is started here."""

from collections.abc import Callable, Sequence
from functools import partial

from waystation.app.deciding import decided
from waystation.app.deid_desk import NodeDeid
from waystation.app.node import Node
from waystation.app.people import People
from waystation.app.wiring_board import board
from waystation.app.wiring_brokered import fetches
from waystation.app.wiring_worklist_ways import worklist_ways
from waystation.web.api_deid import deid_api
from waystation.web.api_fetches import fetches_api
from waystation.web.api_users import api_users
from waystation.web.api_worklist import worklist_api
from waystation.web.api_worklist_templates import worklist_templates_api
from waystation.web.api_worklist_ways import worklist_ways_api
from waystation.web.pages.deid import deid_pages
from waystation.web.pages.deid_look import deid_look_pages
from waystation.web.pages.deid_people import deid_people_pages
from waystation.web.pages.sign_in import sign_in_pages
from waystation.web.pages.trail import trail_pages
from waystation.web.pages.users import users_pages
from waystation.web.pages.worklist import worklist_pages
from waystation.web.pages.worklist_entry import entry_pages
from waystation.web.pages.worklist_look import look_pages
from waystation.web.pages.worklist_messages import message_pages
from waystation.web.pages.worklist_templates import template_pages
from waystation.web.site import Part


def console_parts(node: Node, viewer: Callable[[], int] = lambda: 0) -> Sequence[Part]:
    """Return the routes, pages and API, of all parts that have some.

    viewer: the port of the web viewer, 0 while there is none.
    """
    accounts = node.annexes.of(People).accounts
    desk = NodeDeid(node)
    return [
        fetches_api(fetches(node), partial(decided, node)),
        worklist_api(board(node)),
        worklist_templates_api(board(node)),
        worklist_pages(board(node)),
        look_pages(board(node)),
        message_pages(worklist_ways(node)),
        template_pages(board(node)),
        entry_pages(board(node, viewer)),
        worklist_ways_api(worklist_ways(node)),
        deid_api(desk),
        deid_pages(desk),
        deid_look_pages(desk),
        deid_people_pages(desk),
        api_users(accounts),
        sign_in_pages(accounts),
        users_pages(accounts),
        trail_pages(accounts),
    ]
