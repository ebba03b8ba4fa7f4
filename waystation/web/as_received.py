"""What a PACS gives by its own root is what that PACS has (T-32, W-5).

Contract: what persons corrected is a matter of our archive, and of the plain root, which shows the
archive first.  `as_received` joins resources that give corrected objects with the same ones that do
not: a search of a PACS and what is fetched of its matches then agree.
"""

from collections.abc import Iterable
from dataclasses import replace

from starlette.responses import Response

from waystation.web.asked import Asked
from waystation.web.dicomweb import ARCHIVE, Handler, Resource


def as_received(corrected: Iterable[Resource], received: Iterable[Resource]) -> list[Resource]:
    """Return resources that answer by ``received`` for a PACS by its own root."""
    both = zip(corrected, received, strict=True)
    return [replace(ours, handler=_either(ours.handler, its.handler)) for ours, its in both]


def _either(ours: Handler, its: Handler) -> Handler:
    async def answer(asked: Asked) -> Response:
        return await (ours if asked.source in ("", ARCHIVE) else its)(asked)

    return answer
