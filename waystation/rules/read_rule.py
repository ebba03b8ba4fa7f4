"""One `[[rule]]` table to one compiled `Rule`; every wrong key adds a fault and reading goes on."""

from collections.abc import Collection, Mapping, Sequence

from waystation.model.errors import ConfigError
from waystation.rules.conditions import ALWAYS, Condition, all_hold, condition
from waystation.rules.expression import StudyCondition, expression, study_expression
from waystation.rules.faults import RuleFault, did_you_mean, fault_of
from waystation.rules.known import Known
from waystation.rules.rule import PRIORITIES, Gathering, Rule, Way

FATES = ("hold", "discard", "archive")
TRIGGERS = ("instance", "series", "study")
TAKES = ("matching", "whole")
LATES = ("delta", "whole", "hold")
ON_FORCE = ("send", "hold")
# Keys that only a rule that gathers may have.
GATHERING = ("take", "if_complete", "late", "late_whole_within", "force_after", "on_force")
KEYS = (
    *("name", "enabled", "when", "if", "send", "then", "stop", "priority", "trigger", "steps"),
    *GATHERING,
)


def one_of(words: Sequence[str], got: object) -> str:
    """Return the sentence about a value that is none of ``words``."""
    hint = did_you_mean(got, words) if isinstance(got, str) else ""
    return f"expected one of {', '.join(words)}, got {got!r}{hint}"


class RuleReader:
    """Reads one table.  ``n`` is its place in the file, ``ways`` the names that it may send to."""

    def __init__(
        self,
        table: Mapping[str, object],
        n: int,
        ways: Collection[str],
        known: Known,
        faults: list[RuleFault],
    ) -> None:
        self._table = table
        self._ways = ways
        self._known = known
        self._faults = faults
        name = table.get("name")
        self._name = name if isinstance(name, str) and name else ""
        self._where = f"rule.{self._name}" if self._name else f"rule[{n}]"

    def rule(self) -> Rule:
        """Return the rule; usable only if no fault was added."""
        self._keys()
        stat_if, low_if = self._priority_expressions()
        rule = Rule(
            name=self._name,
            when=self._when(),
            send=self._send(),
            then=self._choice("then", FATES, ""),
            stop=self._flag("stop", False),
            enabled=self._flag("enabled", True),
            priority="normal" if stat_if or low_if else self._fixed_priority(),
            stat_if=stat_if,
            low_if=low_if,
            gathering=self._gathering(),
            steps=self._steps(),
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
            if key not in KEYS:
                self._fault(key, f'unknown key "{key}"{did_you_mean(key, KEYS)}')

    def _when(self) -> Condition:
        parts = []
        when = self._table.get("when", {})
        if when != {}:
            parts.append(condition(when, f"{self._where}.when", self._faults, 0, self._known))
        asked = self._expression("if", self._table.get("if"))
        if asked is not None:
            parts.append(asked)
        return all_hold(parts) if parts else ALWAYS

    def _expression(self, key: str, text: object, prefix: str = "if: ") -> Condition | None:
        if text is None:
            return None
        if not isinstance(text, str):
            self._fault(key, "expected an expression as text")
            return None
        try:
            return expression(text, f"{self._where}.{key}", self._known, prefix)
        except ConfigError as error:
            self._faults.append(fault_of(error))
            return None

    def _send(self) -> tuple[Way, ...]:
        entries = self._table.get("send", [])
        if not isinstance(entries, list) or (not entries and "send" in self._table):
            self._fault("send", 'expected a list of destinations, such as ["pacs"]')
            return ()
        ways: dict[str, Way] = {}
        for entry in entries:
            way = self._way(entry)
            if way is not None:
                known = ways.get(way.to)
                ways[way.to] = way if known is None or way.required else known
        return tuple(ways.values())

    def _way(self, entry: object) -> Way | None:
        to = entry.get("to") if isinstance(entry, Mapping) else entry
        required = entry.get("required", True) if isinstance(entry, Mapping) else True
        if not isinstance(to, str):
            self._fault("send", f"expected the name of a destination, got {entry!r}")
            return None
        if not isinstance(required, bool):
            self._fault("send", f"expected required = true or false, got {required!r}")
            return None
        if to not in self._ways:
            hint = did_you_mean(to, self._ways)
            self._fault("send", f'no destination or group "{to}"{hint}')
        return Way(to=to, required=required)

    def _fixed_priority(self) -> str:
        if isinstance(self._table.get("priority"), Mapping):
            return "normal"
        return self._choice("priority", PRIORITIES, "normal")

    def _priority_expressions(self) -> tuple[Condition | None, Condition | None]:
        table = self._table.get("priority")
        if not isinstance(table, Mapping):
            return None, None
        for key in table:
            if key not in ("stat", "low"):
                self._fault(f"priority.{key}", 'write { stat = "expression", low = "expression" }')
        stat, low = (
            self._expression(f"priority.{key}", table.get(key), f"{key}: ")
            for key in ("stat", "low")
        )
        return stat, low

    def _steps(self) -> tuple[str, ...]:
        """Return the text of the recipe, made of validate, edit and deidentify before."""
        text = self._table.get("steps", "")
        if not isinstance(text, str):
            self._fault("steps", "expected the text of a recipe")
            return ()
        return (text,) if text else ()

    def _gathering(self) -> Gathering | None:
        level = self._choice("trigger", TRIGGERS, "instance")
        if level == "instance":
            for key in GATHERING:
                if key in self._table:
                    self._fault(key, 'only a rule with trigger = "series" or "study" gathers')
            return None
        if "then" in self._table:
            self._fault("trigger", "then acts on each object at once: leave trigger out")
        force, on_force = self._seconds("force_after"), self._choice("on_force", ON_FORCE, "")
        late_within = self._seconds("late_whole_within")
        return Gathering(
            level=level,
            whole=self._choice("take", TAKES, "matching") == "whole",
            if_complete=self._if_complete(),
            late=self._choice("late", LATES, "delta"),
            late_whole_within_s=86_400.0 if late_within is None else late_within,
            force_after_s=force,
            on_force=on_force or None,
        )

    def _if_complete(self) -> StudyCondition | None:
        text = self._table.get("if_complete")
        if text is None:
            return None
        if not isinstance(text, str):
            self._fault("if_complete", "expected an expression as text")
            return None
        try:
            return study_expression(text, f"{self._where}.if_complete", self._known)
        except ConfigError as error:
            self._faults.append(fault_of(error))
            return None

    def _seconds(self, key: str) -> float | None:
        value = self._table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self._fault(key, f"expected a duration above zero, got {value!r}")
            return None
        return float(value)

    def _flag(self, key: str, default: bool) -> bool:
        value = self._table.get(key, default)
        if not isinstance(value, bool):
            self._fault(key, f"expected true or false, got {value!r}")
            return default
        return value

    def _choice(self, key: str, words: Sequence[str], default: str) -> str:
        value = self._table.get(key, default)
        if value not in words and key in self._table:
            self._fault(key, one_of(words, value))
            return default
        return str(value)
