"""The answer of ``explain`` as people read it.

Contract: the text is made of the JSON document alone, in local time; control characters never
reach the terminal.  It may change; scripts use ``--json``.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from waystation.cli.tables import plain
from waystation.dicom.uids import name_of

Document = Mapping[str, Any]
NAME_WIDTH = 20
IN = "   "
DEEP = " " * 21
WITHOUT_RULE = {"built-in", "otherwise", "replay"}
PLAIN_FATES = {
    "unplanned": "waiting for a plan",
    "gathering": "gathering",
    "kept": "in the cache: fetched from a PACS for a reader, no rule was asked",
}
STATES = ("done", "sending", "waiting", "held", "discarded")
ASKED = {
    "open": "not confirmed yet",
    "verified": "verified",
    "failed": "not confirmed",
    "off": "not asked for any more",
}


def lines(document: Document) -> Iterator[str]:
    """Yield the lines."""
    yield _head(document)
    patient = document["patient"]
    if patient is not None:
        yield f"patient {plain(patient['id'])}  {plain(patient['name'])}"
    for gather in document["gathers"]:
        if gather["state"] == "open":
            yield from _gather(gather, document["at"])
    placed: set[int] = set()
    for rule in document["rules"]:
        yield from _rule(rule)
        for number, way in enumerate(document["ways"]):
            if rule["rule"] in way["rules"][:1]:
                placed.add(number)
                yield from _way(way, document)
        yield from _gathered(rule, document)
    rest = [way for number, way in enumerate(document["ways"]) if number not in placed]
    for way in rest:
        known = way["origin"] != "rule" or set(way["rules"]) & WITHOUT_RULE
        note = "" if known else "(no rule of that configuration)"
        yield f"{_padded('by ' + ', '.join(way['rules']))}{note}".rstrip()
        yield from _way(way, document)
    for fate in document["fates"]:
        yield _fate(fate)
    for note in document["notes"]:
        yield f"note: {plain(note)}"


def _head(document: Document) -> str:
    parts = [f"{document['level']} {plain(document['uid'])}"]
    if document["level"] not in ("study", "file"):
        parts.append(f"of study {plain(document['study'])}")
    parts.append(plain(" ".join(document["modalities"])) or "no modality")
    parts.append(_objects(document["objects"]))
    if document["arrivals"] > document["objects"]:
        parts.append(f"received {document['arrivals']} times")
    senders = document["senders"]
    names = [_sender(sender) for sender in senders]
    if len(senders) > 1:
        names = [
            f"{text}: {sender['objects']}" for text, sender in zip(names, senders, strict=True)
        ]
    parts.append("from " + ", ".join(names))
    if document["hypothetical"]:
        parts.append(f"if it came {_moment(document['at'])}")
        return "  ".join(parts)
    parts.append(_span(document["first_at"], document["last_at"], document["at"]))
    for gather in document["gathers"]:
        if gather["state"] != "open" and gather["generation"] == 1:
            whole = "" if gather["level"] == "study" else f"{gather['level']} "
            parts.append(f"{whole}complete by {plain(gather['evidence'])}")
    return "  ".join(dict.fromkeys(parts))


def _sender(sender: Document) -> str:
    name = plain(sender["peer"] or sender["calling_ae"] or "nobody in particular")
    more = [sender["calling_ae"] if sender["peer"] else "", sender["address"]]
    more += [sender["way_in"]] if sender["way_in"] != "dimse" else []
    known = ", ".join(plain(text) for text in more if text)
    return f"{name} ({known})" if known else name


def _objects(n: int) -> str:
    return f"{n:,} object{'' if n == 1 else 's'}"


def _gather(gather: Document, at: float) -> Iterator[str]:
    since = _clock(gather["opened_at"], at)
    yield (
        f"gathering for rule {plain(gather['rule'])}: {_objects(gather['objects'])} since {since},"
        f" last {_clock(gather['last_at'], at)}"
    )
    for words in gather["waits_for"]:
        yield f"{IN}{plain(words)}"


def _gathered(rule: Document, document: Document) -> Iterator[str]:
    """Yield what goes out once it is complete."""
    n = sum(
        gather["objects"]
        for gather in document["gathers"]
        if gather["rule"] == rule["rule"] and gather["state"] != "done"
    )
    if n:
        to = plain(", ".join(rule["send"]))
        yield f"{IN}{to:<{NAME_WIDTH - 3}} {n:,} gathering, see above"


def _rule(rule: Document) -> Iterator[str]:
    n, matched = rule["objects"], rule["matched"]
    if not n:
        answer = "not asked"
    elif rule["failed"]:
        answer = f"failed ({rule['failed']} of {n})"
    elif matched == n:
        answer = "match"
    elif matched:
        answer = f"match {matched:,} of {n:,}"
    else:
        answer = "no match"
    gathers = "" if rule["trigger"] == "instance" else f"  [each {rule['trigger']}]"
    clauses = rule["clauses"]
    first = plain(clauses[0]["clause"]) if clauses else ""
    yield f"{_padded('rule ' + rule['rule'])}{answer:<9} {first}{gathers}".rstrip()
    for clause in clauses[1:]:
        word = "match" if clause["matched"] else "no match"
        yield f"{DEEP}{clause['objects']:,} {word}: {plain(clause['clause'])}"
    if rule["steps"] and matched:
        yield f"{DEEP}steps: {plain(rule['steps'])}"
    if rule["others"]:
        yield f"{DEEP}{rule['others']:,} more, with clauses of their own"


def _padded(text: str) -> str:
    return f"{plain(text):<{NAME_WIDTH}} "


def _way(way: Document, document: Document) -> Iterator[str]:
    at = document["at"]
    to = way["destination"]
    if way["group"]:
        chosen = to != way["group"]
        to = f"{way['group']}/{to}" if chosen else f"{to} (group)"
    parts = [_counts(way) if way["states"] else f"{_objects(way['objects'])} {way['would']}"]
    parts += [_note(way)]
    choice = way["choice"]
    if choice is not None and choice["member"]:
        when = f" {_clock(choice['chosen_at'], at)}" if choice["chosen_at"] is not None else ""
        parts.append(f"chosen{when}: {plain(choice['why'])}")
    elif choice is not None:
        parts.append(plain(choice["why"]))
    yield f"{IN}{plain(to):<{NAME_WIDTH - 3}} " + "   ".join(filter(None, parts))
    for text in _details(way, at):
        yield DEEP + text


def _note(way: Document) -> str:
    words = [way["origin"]] if way["origin"] != "rule" else []
    words += [] if way["priority"] == "normal" else [way["priority"]]
    words += [] if way["required"] else ["optional"]
    also = [plain(name) for name in way["rules"][1:]]
    words += [f"also by {', '.join(also)}"] if also else []
    return f"({', '.join(words)})" if words else ""


def _counts(way: Document) -> str:
    parts = []
    for state in STATES:
        n = way["states"].get(state, 0)
        if n:
            parts.append(f"{n:,} {state}{_why_so(way, state)}")
    return ", ".join(parts)


def _why_so(way: Document, state: str) -> str:
    if state == "done":
        told = [f"{n} with warning {status}" for status, n in sorted(way["statuses"].items())]
        told += [f"{n:,} {ASKED[word]}" for word, n in sorted(way.get("verified", {}).items())]
        return f" ({', '.join(told)})" if told else ""
    if state == "held":
        return _shared(way["held"])
    if state == "discarded":
        return _shared(way["discarded"])
    return ""


def _shared(counted: Mapping[str, int]) -> str:
    """Return names with their numbers, which a single one does not need."""
    if len(counted) == 1:
        return f" ({plain(next(iter(counted)))})"
    return f" ({', '.join(f'{n:,} {plain(name)}' for name, n in counted.items())})"


def _details(way: Document, at: float) -> Iterator[str]:
    for number, words in enumerate(way["why_not_now"]):
        yield f"{'why not now: ' if not number else ' ' * 13}{plain(words)}"
    if way["next_at"] is not None:
        yield f"not before {_clock(way['next_at'], at)}"
    for attempt in way["attempts"]:
        yield _attempt(attempt, at)
    for syntax, n in way["left_as"].items():
        yield f"{n:,} left as {name_of(syntax)}"
    for context in way["contexts"]:
        if not context["accepted"]:
            yield _refused(context, at)
    for text in way["helps"]:
        yield f"what helps: {plain(text)}"


def _attempt(attempt: Document, at: float) -> str:
    times = _span(attempt["first_at"], attempt["last_at"], at)
    many = f"{attempt['n']:,} × " if attempt["n"] > 1 else ""
    status = attempt["status"] or ("0000" if attempt["ok"] else "")
    words = " ".join(filter(None, (status, plain(attempt["why"]), plain(attempt["detail"]))))
    word = "delivered" if attempt["ok"] else "failed"
    return f"{many}{word} {times}  {words}".rstrip()


def _refused(context: Document, at: float) -> str:
    when = f" {_clock(context['at'], at)}" if context["at"] is not None else ""
    what = f"{name_of(context['sop_class'])} as {name_of(context['transfer_syntax'])}"
    return f"refused{when}: {plain(context['detail']) or what}"


def _fate(fate: Document) -> str:
    what = PLAIN_FATES.get(fate["what"])
    text = what or f"{fate['what']} {plain(fate['reason'])}".rstrip()
    help_text = f"   what helps: {plain(fate['help'])}" if fate["help"] else ""
    return f"{_objects(fate['objects'])} {text}{help_text}"


def _clock(instant: float, now: float) -> str:
    at = datetime.fromtimestamp(instant).astimezone()
    today = at.date() == datetime.fromtimestamp(now).astimezone().date()
    return at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def _moment(instant: float) -> str:
    return datetime.fromtimestamp(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _span(first: float, last: float, now: float) -> str:
    begin, end = _clock(first, now), _clock(last, now)
    return begin if begin == end else f"{begin} to {end}"
