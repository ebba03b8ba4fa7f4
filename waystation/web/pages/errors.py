"""An error as a page, for who looks with a browser.

Contract: says what went wrong, what to do, and the id that stands in the log; nothing from inside
(S-61).  Needs neither journal nor disk.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from waystation.web.pages.frame import Console

ADVICE: Final = {
    401: "Sign in, then try again.",
    404: "The address may be mistyped, or what it led to is gone.",
    405: "Go back and use the page's own buttons.",
    413: "Send less at once.",
    429: "Wait a little, then try again.",
    500: "Nothing that was received is lost. The log has more under the id below.",
    503: "Nothing that was received is lost. Try again in a moment.",
}


def wants_page(request: Request) -> bool:
    """Tell whether a person looks with a browser."""
    is_page = not str(request.scope["path"]).startswith(("/api/", "/health/"))
    return is_page and "text/html" in request.headers.get("accept", "")


def error_page(
    request: Request, status: int, title: str, detail: str, number: str
) -> HTMLResponse | None:
    """Return the page, None where there is no console."""
    console: Console | None = getattr(request.app.state, "console", None)
    if console is None:
        return None
    text = console.alone(
        "error.html",
        {"title": title, "detail": detail or ADVICE.get(status, ""), "number": number},
    )
    return HTMLResponse(text, status_code=status)
