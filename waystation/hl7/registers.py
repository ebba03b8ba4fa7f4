"""What was said about an order or a patient, so kept that the order of messages does not matter.

Contract: pure.  Each attribute is a register: the value said last, by MSH-7, with the field it came
from; so is the state of an order, and the merge of a patient.  Absorbing the same messages in any
order gives the same registers, as long as no two of them carry the same MSH-7; of those the one
that is absorbed later counts.  `steps_of` tells which steps an order has, and what they say.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from waystation.hl7.mapping import Given, Value
from waystation.hl7.news import OrderNews, PatientKey, Verb

# keyword → instant (MSH-7), value, origin.
Registers = dict[str, tuple[str, Value, str]]


def absorb(registers: Registers, values: Mapping[str, Given], at: str) -> None:
    """Take in what was said at an instant."""
    for word, given in values.items():
        before = registers.get(word)
        if before is None or before[0] <= at:
            registers[word] = (at, given.value, given.origin)


def joined(*several: Registers) -> Registers:
    """Return what was said last of each attribute; of equals the first of ``several`` counts."""
    found: Registers = {}
    for registers in several:
        for word, one in registers.items():
            before = found.get(word)
            if before is None or before[0] < one[0]:
                found[word] = one
    return found


@dataclass(slots=True)
class Order:
    """All that was said about one order.

    wanted: whether a message was enough to make steps of.  nameless: whether one spoke of the
    order without naming a step.  verb: the state it was put in last, and when.
    rows: step of the worklist by name, "" for the only one.  told: what each row was last given.
    """

    keys: set[str] = field(default_factory=set)
    wanted: bool = False
    nameless: bool = False
    verb: tuple[str, Verb] = ("", "nothing")
    common: Registers = field(default_factory=dict)
    steps: dict[str, Registers] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    told: dict[str, dict[str, Value]] = field(default_factory=dict)
    put: dict[str, str] = field(default_factory=dict)

    def absorb(self, news: OrderNews, at: str) -> None:
        """Take in one message's part about this order."""
        self.keys |= set(news.keys)
        if news.verb not in ("change", "nothing") and self.verb[0] <= at:
            self.verb = (at, news.verb)
        absorb(self.common, news.common, at)
        for step in news.steps:
            absorb(self.steps.setdefault(step.id, {}), step.values, at)
        if news.wanted:
            self.wanted = True
            self.nameless |= not news.steps

    def join(self, other: "Order") -> None:
        """Take in another order that turned out to be this one."""
        self.keys |= other.keys
        self.wanted |= other.wanted
        self.nameless |= other.nameless
        self.verb = max(self.verb, other.verb)
        self.common = joined(self.common, other.common)
        for name, registers in other.steps.items():
            self.steps[name] = joined(self.steps.get(name, {}), registers)
        for name, row in other.rows.items():
            if self.rows.setdefault(name, row) == row:
                self.told.setdefault(name, other.told.get(name, {}))
                self.put.setdefault(name, other.put.get(name, ""))

    @property
    def patient(self) -> PatientKey:
        """Return whose order it was last said to be; merges apart."""
        _, number, _ = self.common.get("PatientID", ("", "", ""))
        _, issuer, _ = self.common.get("IssuerOfPatientID", ("", "", ""))
        return PatientKey(str(number), str(issuer))

    @property
    def patient_said_at(self) -> str:
        """Return when that was said."""
        return self.common.get("PatientID", ("", "", ""))[0]

    def steps_of(self, patient: "Patient | None" = None) -> dict[str, Registers]:
        """Return the steps of this order by name, with all that is said of each."""
        if not self.wanted:
            return {}
        names: Iterable[str] = sorted(self.steps) if self.steps else [""]
        around = [self.common]
        if patient is not None:
            around.insert(0, patient.said)
        return {name: joined(self.steps.get(name, {}), *around) for name in names}

    def adopt(self) -> None:
        """Let the first named step have the row of the nameless one (it was named later)."""
        if "" in self.rows and self.steps:
            first = min(self.steps)
            if first not in self.rows:
                self.rows[first] = self.rows.pop("")
                self.told[first] = self.told.pop("", {})
                self.put[first] = self.put.pop("", "")

    def text(self) -> str:
        """Return it as it is kept."""
        return json.dumps(
            {
                "keys": sorted(self.keys),
                "wanted": self.wanted,
                "nameless": self.nameless,
                "verb": self.verb,
                "common": self.common,
                "steps": self.steps,
                "rows": self.rows,
                "told": self.told,
                "put": self.put,
            },
            ensure_ascii=False,
        )

    @staticmethod
    def read(text: str) -> "Order":
        """Return what `text` gave."""
        kept = json.loads(text)
        return Order(
            keys=set(kept["keys"]),
            wanted=kept["wanted"],
            nameless=kept["nameless"],
            verb=tuple(kept["verb"]),
            common=_registers(kept["common"]),
            steps={name: _registers(one) for name, one in kept["steps"].items()},
            rows=kept["rows"],
            told={
                name: {word: _value(value) for word, value in one.items()}
                for name, one in kept["told"].items()
            },
            put=kept["put"],
        )


@dataclass(slots=True)
class Patient:
    """All that was said about one patient.  into: where the ID went, and when."""

    said: Registers = field(default_factory=dict)
    into: tuple[str, str, str] | None = None

    def merge(self, into: PatientKey, at: str) -> None:
        """Note that this ID ended."""
        if self.into is None or self.into[0] <= at:
            self.into = (at, into.id, into.issuer)

    def text(self) -> str:
        """Return it as it is kept."""
        return json.dumps({"said": self.said, "into": self.into}, ensure_ascii=False)

    @staticmethod
    def read(text: str) -> "Patient":
        """Return what `text` gave."""
        kept = json.loads(text)
        into = kept["into"]
        return Patient(_registers(kept["said"]), None if into is None else tuple(into))


def _registers(kept: Mapping[str, Any]) -> Registers:
    return {word: (at, _value(value), origin) for word, (at, value, origin) in kept.items()}


def _value(kept: Any) -> Value:
    return tuple(kept) if isinstance(kept, list) else str(kept)


def plain(registers: Registers) -> dict[str, Value]:
    """Return the values alone."""
    return {word: value for word, (_, value, _) in registers.items()}


def difference(before: Mapping[str, Value], after: Mapping[str, Value]) -> dict[str, Value]:
    """Return what to say so that who knows ``before`` knows ``after``."""
    return {word: value for word, value in after.items() if before.get(word) != value}
