"""``/``: one plain page that says what this is and how the lanes are.

Contract: no script, no file from elsewhere; every value is escaped.  The console comes later.
"""

from html import escape

from waystation.web import shapes
from waystation.web.view import QueueView, StatusView

CSS = """
:root { color-scheme: light dark; --line: #8886; --dim: #888; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; }
p.note { border-left: .25rem solid #c80; padding-left: .75rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; }
footer { color: var(--dim); margin-top: 2rem; }
"""

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Waystation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/site.css"></head><body>
"""
_COLUMNS = ("destination", "state", "waiting", "sending", "held", "done", "oldest", "last problem")
_NUMBERS = {"waiting", "sending", "held", "done", "oldest"}


def age_text(seconds: float | None) -> str:
    """Return an age in its largest fitting unit."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def front_page(status: StatusView, queue: QueueView) -> str:
    """Return the page."""
    shaped = shapes.queue(queue)
    held = ", ".join(f"{reason} {n}" for reason, n in sorted(shaped.held.items()))
    parts = [
        _HEAD,
        f"<h1>{escape(status.name)}</h1>",
        f"<p>Waystation {escape(status.version)}, a DICOM gateway. It listens as"
        f" {escape(status.ae_title)} on {escape(status.dicom)}.</p>",
        '<p class="note">No users are configured: this page and the API are open to everyone who'
        " can reach this address.</p>",
        _problems(status),
        _table(shaped.lanes),
        f"<p>Held for a person: {escape(held) or 'nothing'}.</p>",
        "<footer>The console comes later; until then <code>waystation queue</code> and the"
        ' <a href="/api/v1/openapi.json">API</a> show and do more.</footer></body></html>',
    ]
    return "\n".join(parts)


def _problems(status: StatusView) -> str:
    found = []
    if not status.config_ok:
        found.append(f"The last configuration was not taken: {status.config_problem}")
    if status.intake_stopped:
        found.append(f"New associations are refused: {status.intake_stopped}")
    if status.unaccounted:
        found.append(f"{status.unaccounted} rows of the journal do not add up")
    return "\n".join(f'<p class="note">{escape(text)}</p>' for text in found)


def _table(lanes: list[shapes.Lane]) -> str:
    head = "".join(_cell("th", name, name) for name in _COLUMNS)
    rows = "".join(f"<tr>{_row(lane)}</tr>" for lane in lanes)
    body = rows or f'<tr><td colspan="{len(_COLUMNS)}">no destinations yet</td></tr>'
    return (
        f"<table><caption>Lanes</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _row(lane: shapes.Lane) -> str:
    values = {
        "destination": lane.destination,
        "state": lane.state,
        "waiting": str(lane.waiting),
        "sending": str(lane.sending),
        "held": str(lane.held),
        "done": str(lane.done),
        "oldest": age_text(lane.oldest_s),
        "last problem": lane.why,
    }
    return "".join(_cell("td", name, value) for name, value in values.items())


def _cell(kind: str, column: str, text: str) -> str:
    style = ' class="n"' if column in _NUMBERS else ""
    return f"<{kind}{style}>{escape(text)}</{kind}>"
