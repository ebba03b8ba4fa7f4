"""From `[[rule]]` tables to compiled rules.

Contract: `read_rules` takes what the TOML parser gave and returns compiled rules, every fault at
once, and warnings about what is legal but doubtful.  Rules with faults must not be used.
Steps (validate, edit, deidentify), triggers and the `if` expression are refused by name: a rule
that asks for a step which nobody carries out must not load.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from waystation.rules.classes import ClassFilter
from waystation.rules.conditions import ALWAYS, Condition, condition
from waystation.rules.faults import RuleFault, did_you_mean

PRIORITIES = ("low", "normal", "stat")
FATES = ("hold", "discard", "archive")
OTHERWISE = ("hold", "refuse", "discard", "archive")
ARCHIVE = "archive"
KEYS = ("name", "enabled", "when", "send", "then", "stop", "priority")
NOT_YET = ("if", "trigger", "validate", "edit", "deidentify")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One compiled rule: either it sends, or ``then`` says what becomes of the object."""

    name: str
    when: Condition = ALWAYS
    send: tuple[str, ...] = ()
    then: str = ""
    stop: bool = False
    enabled: bool = True
    priority: str = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All that planning needs: the rules in file order, what else, and the ways' filters."""

    rules: tuple[Rule, ...] = ()
    otherwise: str = "hold"
    filters: Mapping[str, ClassFilter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RulesRead:
    """What came of a rule file.  ``ruleset`` may be used only if ``faults`` is empty."""

    ruleset: RuleSet
    faults: tuple[RuleFault, ...] = ()
    warnings: tuple[RuleFault, ...] = ()


def read_rules(
    tables: Sequence[Mapping[str, object]],
    *,
    destinations: Collection[str],
    otherwise: object = "hold",
    filters: Mapping[str, ClassFilter] | None = None,
) -> RulesRead:
    """Return the compiled rules.  ``destinations`` are the names that `send` may use."""
    faults: list[RuleFault] = []
    ways = {*destinations, ARCHIVE}
    rules = [_Reader(table, n, ways, faults).rule() for n, table in enumerate(tables)]
    names: set[str] = set()
    for n, rule in enumerate(rules):
        if rule.name in names:
            faults.append(RuleFault(f"rule[{n}].name", f'a second rule "{rule.name}"'))
        names.add(rule.name)
    if otherwise not in OTHERWISE:
        faults.append(RuleFault("routing.otherwise", _one_of(OTHERWISE, otherwise)))
    ruleset = RuleSet(rules=tuple(rules), otherwise=str(otherwise), filters=filters or {})
    return RulesRead(ruleset, tuple(faults), tuple(_doubts(rules)))


def _one_of(words: Sequence[str], got: object) -> str:
    hint = did_you_mean(got, words) if isinstance(got, str) else ""
    return f"expected one of {', '.join(words)}, got {got!r}{hint}"


def _doubts(rules: Sequence[Rule]) -> list[RuleFault]:
    found = []
    ended_by = ""
    for n, rule in enumerate(rules):
        if not rule.enabled:
            continue
        if ended_by:
            found.append(RuleFault(f"rule.{rule.name}", f"never reached: {ended_by} always stops"))
        elif rule.stop and rule.when is ALWAYS:
            ended_by = rule.name
        if rule.then == "discard" and not rule.stop and any(r.send for r in rules[n + 1 :]):
            found.append(
                RuleFault(
                    f"rule.{rule.name}", "discards only what no other rule sends: add stop = true?"
                )
            )
    return found


class _Reader:
    """Reads one table; every wrong key adds a fault and reading goes on."""

    def __init__(
        self, table: Mapping[str, object], n: int, ways: set[str], faults: list[RuleFault]
    ) -> None:
        self._table = table
        self._ways = ways
        self._faults = faults
        name = table.get("name")
        self._name = name if isinstance(name, str) and name else ""
        self._where = f"rule.{self._name}" if self._name else f"rule[{n}]"

    def rule(self) -> Rule:
        self._keys()
        rule = Rule(
            name=self._name,
            when=self._when(),
            send=self._send(),
            then=self._choice("then", FATES, ""),
            stop=self._flag("stop", False),
            enabled=self._flag("enabled", True),
            priority=self._choice("priority", PRIORITIES, "normal"),
        )
        if "send" in self._table and "then" in self._table:
            self._fault("", "send and then exclude each other")
        if "send" not in self._table and "then" not in self._table:
            self._fault("", "does nothing: say where to send, or then = hold, discard or archive")
        return rule

    def _fault(self, key: str, problem: str) -> None:
        self._faults.append(RuleFault(f"{self._where}.{key}" if key else self._where, problem))

    def _keys(self) -> None:
        if not self._name:
            self._fault("name", "every rule needs a name")
        for key in self._table:
            if key in NOT_YET:
                self._fault(key, "not available in this version")
            elif key not in KEYS:
                self._fault(key, f'unknown key "{key}"{did_you_mean(key, KEYS)}')

    def _when(self) -> Condition:
        when = self._table.get("when", {})
        if when == {}:
            return ALWAYS
        return condition(when, f"{self._where}.when", self._faults)

    def _send(self) -> tuple[str, ...]:
        entries = self._table.get("send", [])
        if not isinstance(entries, list) or (not entries and "send" in self._table):
            self._fault("send", 'expected a list of destinations, such as ["pacs"]')
            return ()
        for entry in entries:
            if not isinstance(entry, str):
                self._fault("send", f"expected the name of a destination, got {entry!r}")
            elif entry not in self._ways:
                hint = did_you_mean(entry, self._ways)
                self._fault("send", f'no destination or group "{entry}"{hint}')
        return tuple(dict.fromkeys(entry for entry in entries if isinstance(entry, str)))

    def _flag(self, key: str, default: bool) -> bool:
        value = self._table.get(key, default)
        if not isinstance(value, bool):
            self._fault(key, f"expected true or false, got {value!r}")
            return default
        return value

    def _choice(self, key: str, words: Sequence[str], default: str) -> str:
        value = self._table.get(key, default)
        if value not in words and key in self._table:
            self._fault(key, _one_of(words, value))
            return default
        return str(value)
