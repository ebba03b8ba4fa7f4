"""`if`: a condition written as an expression, compiled once (R-31, R-32).

Contract: `expression` reads a text into a `Condition`, or raises `ConfigError` that names the
column and what to write instead; nothing is ever given to `eval`.  The answer is two-valued and
explained clause by clause, such as ``if: Rows 512 >= 512``.  Limits: 4 KiB, depth 32, 10,000
steps for one answer; beyond the last one `StepsError` ends the evaluation.
`study_expression` is the same over five facts of a study that is complete (R-70).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from decimal import Decimal

from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.model.errors import ConfigError
from waystation.rules.conditions import (
    STEP_LIMIT,
    Condition,
    Look,
    all_hold,
    one_holds,
    opposite,
)
from waystation.rules.expression_calls import CALLS, Called
from waystation.rules.expression_compare import comparison
from waystation.rules.expression_tokens import Source
from waystation.rules.expression_tree import (
    Call,
    Compare,
    Joined,
    Many,
    Minus,
    Node,
    Not,
    Number,
    Path,
    Sum,
    Text,
    Truth,
    parse,
)
from waystation.rules.expression_values import Operand, arithmetic, literal, path
from waystation.rules.facts import Facts, Window
from waystation.rules.faults import did_you_mean
from waystation.rules.identifying import concealed
from waystation.rules.known import NOTHING, Known
from waystation.rules.subjects import FACTS, Found, Kind, Subject, subject

Find = Callable[[str, str], Subject]


def expression(text: str, where: str, known: Known = NOTHING, prefix: str = "if: ") -> Condition:
    """Return the compiled expression over one arrival; ``prefix`` leads its words."""
    return _compiled(text, where, known, subject, prefix)


def _compiled(text: str, where: str, known: Known, find: Find, prefix: str) -> Condition:
    source = Source(text, where)
    inner = _Compiler(source, known, find).condition(parse(source))
    test, words = inner.holds, inner.explain

    def holds(seen: Look) -> bool:
        seen.steps = STEP_LIMIT
        return test(seen)

    def explain(seen: Look, held: bool) -> str:
        seen.steps = STEP_LIMIT
        return prefix + words(seen, held)

    return Condition(holds, explain, inner.claims, inner.denials)


class _Compiler:
    def __init__(self, source: Source, known: Known, find: Find) -> None:
        self._source = source
        self._known = known
        self._find = find
        self._read: list[Subject] = []

    def condition(self, node: Node) -> Condition:
        """Return a part that must say yes or no."""
        before = len(self._read)
        made = self._condition(node)
        if isinstance(node, Joined | Not):
            return made
        return replace(made, explain=concealed(made.explain, self._read[before:]))

    def _condition(self, node: Node) -> Condition:
        match node:
            case Joined(word="and", parts=parts):
                return all_hold([self.condition(part) for part in parts])
            case Joined(parts=parts):
                return one_holds([self.condition(part) for part in parts])
            case Not(inner=inner):
                return opposite(self.condition(inner))
            case Compare(operands=operands, signs=signs):
                sides = [self._with_values(self.operand(operand)) for operand in operands]
                return comparison(self._source, sides, signs)
        found = self.operand(node)
        if found.test is not None:
            return found.test
        raise self._source.fault(
            node.at, f"{found.text} is {found.kind.value}, no condition: compare it with something"
        )

    def operand(self, node: Node) -> Operand:
        """Return a part that has values."""
        text = self._source.text[node.at : node.end]
        match node:
            case Number(value=number):
                return literal(text, node.at, Kind.NUMBER, number)
            case Text(value=content):
                return literal(text, node.at, Kind.TEXT, content)
            case Truth(value=truth):
                return self._truth(text, node.at, truth)
            case Path(name=name):
                return self._path(node, name)
            case Many(entries=entries):
                return self._many(text, node, entries)
            case Minus(inner=inner):
                zero = literal("0", node.at, Kind.NUMBER, Decimal(0))
                return arithmetic(text, "-", zero, self._single(inner))
            case Sum(sign=sign, left=left, right=right):
                return arithmetic(text, sign, self._single(left), self._single(right))
            case Call(name=name, arguments=arguments):
                return self._call(text, node, name, arguments)
        return self._answer(text, node)

    def _truth(self, text: str, at: int, truth: bool) -> Operand:
        plain = literal(text, at, Kind.FLAG, truth)
        test = Condition(lambda seen: truth, lambda seen, held: text)
        return Operand(
            text=text,
            at=at,
            kind=Kind.FLAG,
            values=plain.values,
            shown=plain.shown,
            constant=truth,
            test=test,
        )

    def _answer(self, text: str, node: Node) -> Operand:
        """Return a comparison in brackets, used as a value."""
        test = self.condition(node)
        return Operand(
            text=text,
            at=node.at,
            kind=Kind.FLAG,
            values=lambda seen: (test.holds(seen),),
            shown=lambda seen: f"({text})",
            test=test,
        )

    def _path(self, node: Node, name: str) -> Operand:
        try:
            left = self._find(name, "")
        except ConfigError as error:
            problem = error.problem
            if name in CALLS:
                problem = f'"{name}" is a function: write {name}(...)'
            elif name.title() in ("True", "False"):
                problem = f'unknown keyword or fact "{name}": write {name.title()}'
            elif problem == f'unknown keyword or fact "{name}"':
                problem += f"; a text stands in quotes: '{name}'"
            raise self._source.fault(node.at, problem) from error
        self._read.append(left)
        found = path(left, node.at)
        if left.kind is not Kind.FLAG:
            return found
        test = Condition(
            lambda seen: True in found.values(seen), lambda seen, held: found.shown(seen)
        )
        return Operand(
            text=name,
            at=node.at,
            kind=Kind.FLAG,
            values=found.values,
            shown=found.shown,
            subject=left,
            found=found.found,
            test=test,
        )

    def _single(self, node: Node) -> Operand:
        """Return a side of a calculation, or an entry of a list."""
        found = self.operand(node)
        if found.every:
            raise self._source.fault(found.at, "every(...) stands beside a comparison sign")
        if found.entries:
            raise self._source.fault(found.at, "a list stands to the right of in")
        return self._with_values(found)

    def _with_values(self, found: Operand) -> Operand:
        if found.kind in (Kind.SEQUENCE, Kind.BULK):
            raise self._source.fault(
                found.at, f"{found.text} is {found.kind.value}: only present and count"
            )
        return found

    def _many(self, text: str, node: Node, entries: tuple[Node, ...]) -> Operand:
        if not entries:
            raise self._source.fault(node.at, "an empty list holds for nothing")
        compiled = tuple(map(self._single, entries))
        shown = ", ".join(
            str(one.constant) if one.constant is not None else one.text for one in compiled
        )
        return Operand(
            text=text,
            at=node.at,
            kind=Kind.UNKNOWN,
            values=lambda seen: (),
            shown=lambda seen: f"[{shown}]",
            entries=compiled,
        )

    def _call(self, text: str, node: Node, name: str, arguments: tuple[Node, ...]) -> Operand:
        if name not in CALLS:
            hint = did_you_mean(name, CALLS)
            raise self._source.fault(node.at, f'unknown function "{name}"{hint}')
        compiled = tuple(self.operand(argument) for argument in arguments)
        return CALLS[name](Called(self._source, name, text, node.at, compiled, self._known))


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """What `if_complete` is asked about: a study (or series) whose gather ends.

    complete_by: the evidence, such as ``release``.  at: Unix seconds, the moment of completion.
    """

    instances: int
    series: int
    modalities: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    complete_by: str = ""
    at: float = 0.0
    zone: tzinfo = UTC
    windows: Mapping[str, Window] = field(default_factory=dict)


STUDY = {
    "study.instances": Kind.NUMBER,
    "study.series": Kind.NUMBER,
    "study.modalities": Kind.TEXT,
    "study.peers": Kind.TEXT,
    "study.complete_by": Kind.TEXT,
}
NO_HEAD = Head.from_bytes(b"", EXPLICIT_VR_LE)


def _study_subject(name: str, where: str) -> Subject:
    if name not in STUDY:
        whose = "; a study has " + ", ".join(STUDY)
        hint = did_you_mean(name, [*STUDY, *FACTS]) or whose
        raise ConfigError(where, f'unknown word "{name}"{hint}')
    return Subject(name, STUDY[name], "")


@dataclass(frozen=True, slots=True)
class StudyCondition:
    """A compiled `if_complete`."""

    condition: Condition

    def judge(self, study: StudyFacts) -> tuple[bool, str]:
        """Return the answer and its words."""
        return self.condition.judge(_look_at(study))


def study_expression(text: str, where: str, known: Known = NOTHING) -> StudyCondition:
    """Return the compiled expression over ``study.instances`` and its like."""
    return StudyCondition(_compiled(text, where, known, _study_subject, "if_complete: "))


def _look_at(study: StudyFacts) -> Look:
    seen = Look(NO_HEAD, Facts(received_at=study.at, zone=study.zone, windows=study.windows))
    for name, value in (
        ("study.instances", study.instances),
        ("study.series", study.series),
    ):
        seen.found[name] = Found((Decimal(value),), 1, str(value))
    for name, texts in (
        ("study.modalities", study.modalities),
        ("study.peers", study.peers),
        ("study.complete_by", (study.complete_by,) if study.complete_by else ()),
    ):
        shown = ", ".join(f'"{text}"' for text in texts) or "empty"
        seen.found[name] = Found(tuple(texts), len(texts), shown)
    return seen
