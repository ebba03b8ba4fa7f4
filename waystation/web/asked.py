"""One DICOMweb request as its handler sees it, and how a handler refuses (W-9, W-12, W-13).

Contract: a handler takes an `Asked` and returns a response; it raises `Refusal` for anything else.
Query parameters are decoded already and stand in their order, ``accept`` apart; URLs in answers
begin with ``base`` (W-5); each fact that the caller should know besides goes to `warn`.  What must
be let go when the answer has ended, however it ends, stands in `Besides.endings`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from waystation.dicomweb.accept import Choice, Offer, choices

LONGEST_WARNING = 400


class Refusal(HTTPException):
    """An answer of 4xx or 5xx as a problem.  more: further members, never patient data."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, title, dict(headers or {}))
        self.title = title
        self.text = detail
        self.more = more


class Answered(Exception):
    """All that is to be said is a response without a body."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass(slots=True)
class Besides:
    """What belongs to an answer besides its body.

    fields: header fields.  status: in place of 200, 0 for none.  endings: run when it has ended.
    """

    fields: dict[str, str] = field(default_factory=dict)
    status: int = 0
    endings: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def dress(self, response: Response) -> None:
        """Put it on a response."""
        response.headers.update(self.fields)
        if self.status and response.status_code == 200:
            response.status_code = self.status
            if "etag" in response.headers:
                del response.headers["etag"]

    async def end(self) -> None:
        """Let go of what was held for the answer."""
        while self.endings:
            await self.endings.pop()()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request.

    template: of the resource, as it was added.  source: "" for the federated root, "archive" for
    ours alone.  base: public URL of root and source prefix, without a slash at its end.
    path: the values of the template.  params: of the query, without ``accept``.
    caller: address of the peer.  told: what the audit trail is to say besides the path.
    """

    request: Request
    template: str
    source: str
    base: str
    path: Mapping[str, str]
    params: Sequence[tuple[str, str]]
    accept: str | None = None
    caller: str = ""
    warnings: list[str] = field(default_factory=list)
    besides: Besides = field(default_factory=Besides)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> Headers:
        """The header fields."""
        return self.request.headers

    @property
    def is_head(self) -> bool:
        """Whether only the header fields are wanted; the frame drops the body by itself."""
        return self.request.method == "HEAD"

    @property
    def url(self) -> str:
        """Public URL of the resource, without a query."""
        found = self.template
        for name, value in self.path.items():
            found = found.replace("{" + name + "}", value).replace("{" + name + "*}", value)
        return self.base + found

    @property
    def study_url(self) -> str:
        """Public URL of the study of the path."""
        return f"{self.base}/studies/{self.path['study']}"

    def one(self, name: str) -> str | None:
        """Return a query parameter that may stand there once, None if it is not there."""
        found = [value for key, value in self.params if key == name]
        if len(found) > 1:
            raise Refusal(400, "The request is not understood", f"{name} is given twice")
        return found[0] if found else None

    def choices(self, offers: Sequence[Offer]) -> list[Choice]:
        """Return what the caller takes, best first; raises `Refusal` 406 if that is nothing."""
        fields = self.headers.getlist("accept")
        found = choices(offers, ", ".join(fields) if fields else None, self.accept)
        if not found:
            raise not_acceptable(offers)
        return found

    def warn(self, text: str) -> None:
        """Add a fact to the answer, as ``Warning: 299``; once is enough."""
        plain = "".join(one if " " <= one <= "~" else "?" for one in text)[:LONGEST_WARNING]
        if plain not in self.warnings:
            self.warnings.append(plain)


def not_acceptable(offers: Sequence[Offer], detail: str = "") -> Refusal:
    """Return the refusal that lists what a resource can be sent as."""
    names = list(dict.fromkeys(offer.text for offer in offers))
    return Refusal(
        406,
        "Nothing that can be sent is acceptable",
        detail or "This resource can be sent as " + ", ".join(names),
        supported=names,
    )
