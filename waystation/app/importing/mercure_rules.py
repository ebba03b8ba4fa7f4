"""mercure's rules in our words.

Contract: a rule takes an object only if it took it there.  Discarding rules come first and stop,
because to mercure they beat all others; the fallback comes last and asks that none of the others
holds.  What cannot be said is written disabled, with the reason beside it, and makes
`Rules.complete` False.
"""

from dataclasses import dataclass, field

from waystation.app.importing.foreign import Source
from waystation.app.importing.mercure_expression import Said, Unsayable, translate
from waystation.app.importing.page import Page, plain, plain_names
from waystation.model.errors import ConfigError
from waystation.rules.expression import expression

OFF_PEAK = "off-peak"
PRIORITIES = {"normal": "", "urgent": "stat", "offpeak": "low"}
TRANSLATED = frozenset(
    {
        *("rule", "target", "disabled", "fallback", "action", "action_trigger", "priority"),
        *("study_trigger_condition", "study_trigger_series", "study_force_completion_action"),
        *("comment", "contact", "tags", "processing_module", "processing_settings"),
        "processing_retain_images",
    }
)
NOTICES = "notifications are those of [alert] and [report.*]"


@dataclass(slots=True)
class Rule:
    """One rule while it is translated.  why_off: why it is not in force, "" if it is.

    says: its expression, None if `if` cannot say it.  lost: those targets that are not to be had.
    """

    label: str
    source: Source
    says: Said | None = None
    why_off: str = ""
    targets: list[str] = field(default_factory=list)
    send: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def action(self) -> str:
        return self.source.text("action", "route")

    @property
    def fallback(self) -> bool:
        return self.source.flag("fallback", False)

    @property
    def off_peak(self) -> bool:
        return self.source.text("priority", "normal") == "offpeak"


class Rules:
    """All rules that mercure would have asked, and what is to be said of them."""

    def __init__(self, rules: list[Rule], names: dict[str, str]) -> None:
        self._rules = rules
        self._names = names
        both = plain_names([*names.values(), *(f"{label}\n{OFF_PEAK}" for label in names)])
        slow = both[len(names) :]
        self._slow = dict(zip(names, slow, strict=True))
        for rule in rules:
            rule.send = [self._lane(rule, label) for label in rule.targets if label in names]

    def _lane(self, rule: Rule, label: str) -> str:
        mixed = len(self.lanes_of(label)) > 1
        return self._slow[label] if rule.off_peak and mixed else self._names[label]

    @property
    def complete(self) -> bool:
        """True if every rule is in force with all its targets."""
        return not any(rule.why_off or rule.lost for rule in self._rules)

    @property
    def off_peak(self) -> bool:
        return any(rule.off_peak for rule in self._routing())

    def only_off_peak(self, label: str) -> bool:
        """True if a target is sent to by off-peak rules alone."""
        users = [rule for rule in self._routing() if label in rule.targets]
        return bool(users) and all(rule.off_peak for rule in users)

    def lanes_of(self, label: str) -> list[str]:
        """Return the destinations that a target becomes: a second one if it has two paces."""
        name = self._names[label]
        users = [rule for rule in self._routing() if label in rule.targets]
        mixed = any(rule.off_peak for rule in users) and not self.only_off_peak(label)
        return [name, self._slow[label]] if mixed else [name]

    def write(self, page: Page) -> None:
        """Write the rules: discarding ones, the others in their order, the fallback."""
        discarding = [rule for rule in self._rules if rule.action == "discard"]
        others = [rule for rule in self._rules if rule.action != "discard"]
        for rule in sorted([*discarding, *others], key=lambda rule: rule.fallback):
            self._write(page, rule)

    def _routing(self) -> list[Rule]:
        return [rule for rule in self._rules if rule.action in ("route", "both")]

    def _write(self, page: Page, rule: Rule) -> None:
        source, report = rule.source, rule.source.report
        if rule.action == "notification":
            page.gap()
            page.comment(f"{rule.label}: a notification only. {NOTICES}.")
            report.dropped(source.where("action"), f"rule {plain(rule.label)}: {NOTICES}")
            return
        page.rule(because=_remarks(source))
        page.set("name", rule.label or "unnamed")
        says, why_off = self._condition(rule)
        rule.why_off = why_off
        if why_off:
            page.set("enabled", False, why_off)
            page.comment(f"was: {source.text('rule')}")
            report.changed(source.where(), f"rule {plain(rule.label)} is disabled: {why_off}")
        elif says:
            page.set("if", says)
        self._fate(page, rule)
        self._pace(page, rule)
        if not why_off:
            if rule.says is not None and rule.says.names:
                report.changed(
                    source.where("rule"), f"{plain(rule.label)}: names compare without case"
                )
            note = report.changed if rule.lost else report.kept
            lost = f", without {', '.join(rule.lost)}" if rule.lost else ""
            note(source.where(), f"rule {plain(rule.label)}{lost}")

    def _condition(self, rule: Rule) -> tuple[str, str]:
        """Return the expression, "" for always, and why the rule is off, "" if it is on."""
        if rule.why_off or rule.says is None:
            return "", rule.why_off
        if not rule.fallback:
            return rule.says.text, ""
        others = [one for one in self._rules if one is not rule and not one.fallback]
        if any(one.says is None for one in others):
            return "", "it takes what the others leave, and not all of them could be translated"
        if not others:
            return "", ""
        taken = " or ".join(f"({one.says.text or 'True'})" for one in others if one.says)
        own = rule.says.text or "True"
        said = f"not ({taken})" if own == "False" else f"({own}) or not ({taken})"
        try:
            expression(said, "if")
        except ConfigError as error:
            return "", f"what the others leave is too much to say: {error.problem}"
        return said, ""

    def _fate(self, page: Page, rule: Rule) -> None:
        if rule.action == "discard":
            page.set("then", "discard")
            page.set("stop", True)
        elif rule.send:
            page.set("send", rule.send)
            for name in rule.lost:
                page.comment(f"Not sent to {name}: there is no such destination yet.")
        else:
            page.set("then", "hold", "until its destination is there")

    def _pace(self, page: Page, rule: Rule) -> None:
        source = rule.source
        if rule.action != "discard" and rule.send:
            page.set("trigger", "study" if _by_study(source) else "series")
            page.set("take", "whole")
            if source.text("study_force_completion_action") == "discard":
                page.set("on_force", "hold", "mercure discarded what was incomplete")
                source.report.changed(
                    source.where("study_force_completion_action"),
                    f"{plain(rule.label)}: incomplete studies are held, not discarded",
                )
        priority = PRIORITIES.get(source.text("priority", "normal"))
        if priority is None:
            source.fault("priority", "expected normal, urgent or offpeak")
        elif priority:
            page.set("priority", priority)


def rules_of(source: Source, names: dict[str, str]) -> Rules:
    """Return the enabled and disabled rules of a file.  names: target → destination."""
    table = source.table("rules")
    found: list[Rule] = []
    for label, _ in table.node.items() if table else ():
        inner = table.table(label) if table else None
        if inner is None:
            continue
        if inner.flag("disabled", False):
            inner.report.dropped(inner.where("disabled"), f"rule {plain(label)}: was disabled")
            continue
        found.append(_rule(label, inner, names))
    return Rules(found, names)


def _rule(label: str, source: Source, names: dict[str, str]) -> Rule:
    rule = Rule(label, source)
    try:
        rule.says = translate(source.text("rule", "False"))
    except Unsayable as reason:
        rule.why_off = plain(str(reason))
    if rule.action in ("process", "both"):
        rule.why_off = "its processing module does not run here"
        source.report.dropped(
            source.where("processing_module"), f"{plain(label)}: processing modules"
        )
    elif rule.action not in ("route", "discard", "notification"):
        source.fault("action", "expected route, both, process, discard or notification")
    if _by_study(source) and source.text("study_trigger_condition") == "received_series":
        rule.why_off = rule.why_off or "it waits for series by their names"
    rule.targets = _targets(source)
    rule.lost = [plain(target) for target in rule.targets if target not in names]
    if rule.action == "route" and not rule.targets:
        source.report.changed(source.where(), f"rule {plain(label)} has no target: it holds here")
    _list_rest(source, label)
    return rule


def _by_study(source: Source) -> bool:
    return source.text("action_trigger", "series") == "study"


def _targets(source: Source) -> list[str]:
    node = source.node.get("target")
    if node is None:
        return []
    words = [node.value] if isinstance(node.value, str) else [one.value for one in node.entries()]
    if not all(isinstance(word, str) for word in words):
        source.fault("target", "expected the name of a target, or a list of them")
        return []
    return [word for word in words if word]


def _list_rest(source: Source, label: str) -> None:
    for key, node in source.node.items():
        if key in TRANSLATED or node.value in ("", None, False) or key.startswith("notification"):
            continue
        source.report.dropped(node.where, f"rule {plain(label)}: {plain(key)} has no counterpart")
    notices = [key for key in ("notification_email", "notification_webhook") if source.text(key)]
    for key in notices:
        source.report.dropped(source.where(key), f"rule {plain(label)}: {NOTICES}")


def _remarks(source: Source) -> str:
    said = [source.text(key) for key in ("comment", "contact", "tags")]
    return "; ".join(part for part in said if part)
