"""Deleting studies, series and instances of our own archive (W-99).

Contract: off unless the settings say so (405), and a right of its own.  204 once it is written
down; the UIDs answer 410 from then on, until they are stored again.  What is still on its way to
somebody is not deleted (409).
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.responses import Response

from waystation.dicomweb import paths
from waystation.index.deletion import Deleted
from waystation.model.errors import StorageError
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Resource
from waystation.web.wado import Store

log = structlog.get_logger()

Delete = Callable[[Mapping[str, str], str], Awaitable[Deleted]]


def delete_resources(store: Store, delete: Delete, allowed: Callable[[], bool]) -> list[Resource]:
    """Return the resources.  allowed: whether anything may be deleted over HTTP."""

    async def handler(asked: Asked) -> Response:
        if not allowed():
            raise Refusal(
                405,
                "Nothing is deleted here",
                "Deleting over DICOMweb is off: [web] delete = true allows it",
                headers={"Allow": "GET, HEAD, OPTIONS"},
            )
        await store.own(asked)
        try:
            done = await delete(asked.path, f"DICOMweb {asked.caller}".strip())
        except StorageError as error:
            raise Refusal(500, "It cannot be deleted", str(error), retryable=False) from error
        if done.why:
            raise Refusal(409, "It cannot be deleted now", done.why, retryable=True)
        log.info("deleted", objects=done.objects, address=asked.caller, **dict(asked.path.items()))
        return Response(status_code=204)

    return [
        Resource(
            method="DELETE",
            template=template,
            handler=handler,
            summary=f"Delete one {name}",
            right="delete",
        )
        for name, template in (
            ("study", paths.STUDY),
            ("series", paths.SERIES),
            ("instance", paths.INSTANCE),
        )
    ]
