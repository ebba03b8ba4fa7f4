"""From the words of an `if` expression to its tree.

    expr = and { "or" and }      and = not { "and" not }      not = [ "not" ] cmp
    cmp  = sum { ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in" ) sum }
    sum  = prod { ( "+" | "-" ) prod }      prod = unary { ( "*" | "/" | "%" ) unary }
    unary = [ "-" ] atom
    atom = NUMBER | STRING | "True" | "False" | "(" expr ")" | list | path | call
    path = KEYWORD { "." KEYWORD | "[" INT "]" }      call = NAME "(" [ expr { "," expr } ] ")"

Contract: what this grammar cannot say is a `ConfigError` with the column; nothing is looked up
here.  Brackets, lists and calls nest to a depth of 32.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from waystation.rules.expression_tokens import END, Source, Token, tokens

DEPTH_LIMIT = 32
ORDERS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Node:
    """at, end: where it stands in the text."""

    at: int
    end: int


@dataclass(frozen=True, slots=True)
class Number(Node):
    value: Decimal


@dataclass(frozen=True, slots=True)
class Text(Node):
    value: str


@dataclass(frozen=True, slots=True)
class Truth(Node):
    value: bool


@dataclass(frozen=True, slots=True)
class Path(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Many(Node):
    """A list."""

    entries: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """Two operands of ``+ - * / %``."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Minus(Node):
    inner: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """One or more links: ``operands`` is one longer than ``signs``."""

    operands: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    inner: Node


@dataclass(frozen=True, slots=True)
class Joined(Node):
    """``word`` is ``and`` or ``or``."""

    word: str
    parts: tuple[Node, ...]


def parse(source: Source) -> Node:
    """Return the tree of the expression."""
    parser = _Parser(source)
    if parser.token.kind == END:
        raise source.fault(0, "an empty expression says nothing")
    tree = parser.expression()
    if parser.token.kind != END:
        parser.lost("and, or, a comparison or the end")
    return tree


class _Parser:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._place = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._place]

    def lost(self, expected: str) -> NoReturn:
        raise self._source.fault(self.token.at, f"expected {expected}, got {self.token}")

    def _sees(self, *texts: str, ahead: int = 0) -> bool:
        place = min(self._place + ahead, len(self._tokens) - 1)
        token = self._tokens[place]
        return token.kind in ("sign", "word") and token.text in texts

    def _take(self) -> Token:
        token = self.token
        self._place += 1
        return token

    def _expect(self, sign: str) -> Token:
        if not self._sees(sign):
            self.lost(f'"{sign}"')
        return self._take()

    def _ended(self, node: Node) -> int:
        return max(node.end, self._tokens[self._place - 1].end)

    def expression(self) -> Node:
        return self._joined("or")

    def _joined(self, word: str) -> Node:
        def part() -> Node:
            return self._joined("and") if word == "or" else self._negated()

        at = self.token.at
        parts = [part()]
        while self._sees(word):
            self._take()
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return Joined(at, self._ended(parts[-1]), word, tuple(parts))

    def _negated(self) -> Node:
        if not self._sees("not"):
            return self._compared()
        at = self._take().at
        inner = self._compared()
        return Not(at, self._ended(inner), inner)

    def _compared(self) -> Node:
        at = self.token.at
        operands = [self._sum()]
        signs: list[str] = []
        while (sign := self._comparison()) is not None:
            signs.append(sign)
            operands.append(self._sum())
        if not signs:
            return operands[0]
        end = self._ended(operands[-1])
        return Compare(at, end, tuple(operands), tuple(signs))

    def _comparison(self) -> str | None:
        if self._sees(*ORDERS, "in"):
            return self._take().text
        if self._sees("not") and self._sees("in", ahead=1):
            self._take()
            self._take()
            return "not in"
        return None

    def _sum(self) -> Node:
        return self._folded(("+", "-"))

    def _folded(self, signs: tuple[str, ...]) -> Node:
        def part() -> Node:
            return self._folded(("*", "/", "%")) if "+" in signs else self._unary()

        at = self.token.at
        left = part()
        while self._sees(*signs):
            sign = self._take().text
            right = part()
            left = Sum(at, self._ended(right), sign, left, right)
        return left

    def _unary(self) -> Node:
        if not self._sees("-"):
            return self._atom()
        at = self._take().at
        inner = self._atom()
        if isinstance(inner, Number):
            return Number(at, inner.end, -inner.value)
        return Minus(at, self._ended(inner), inner)

    def _atom(self) -> Node:
        token = self.token
        if token.kind == "number":
            return self._number()
        if token.kind == "text":
            self._take()
            self._no_more("a text")
            return Text(token.at, token.end, token.text)
        if token.kind == "name":
            return self._called() if self._sees("(", ahead=1) else self._path()
        if self._sees("True", "False"):
            self._take()
            return Truth(token.at, token.end, token.text == "True")
        if not self._sees("(", "["):
            self.lost("a keyword, a fact, a number, a text or a bracket")
        return self._nested()

    def _number(self) -> Node:
        token = self._take()
        digits = token.text.lower().partition("e")[2].lstrip("+-")
        if len(digits) > 4:
            raise self._source.fault(token.at, "a number this large means nothing")
        return Number(token.at, token.end, Decimal(token.text))

    def _nested(self) -> Node:
        """Return what stands in round or square brackets."""
        opening = self._take()
        if opening.text == "(":
            self._deeper(opening)
            inner = self.expression()
            self._expect(")")
            self._depth -= 1
            self._no_more("a bracket")
            return inner
        entries = self._listed(opening, "]")
        end = self._tokens[self._place - 1].end
        self._no_more("a list")
        return Many(opening.at, end, entries)

    def _deeper(self, opening: Token) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._source.fault(opening.at, f"nested deeper than {DEPTH_LIMIT}")

    def _listed(self, opening: Token, closing: str) -> tuple[Node, ...]:
        self._deeper(opening)
        entries: list[Node] = []
        while not self._sees(closing):
            if entries:
                self._expect(",")
            entries.append(self.expression())
        self._take()
        self._depth -= 1
        return tuple(entries)

    def _called(self) -> Node:
        name = self._take()
        arguments = self._listed(self._take(), ")")
        end = self._tokens[self._place - 1].end
        self._no_more("what a function gives")
        return Call(name.at, end, name.text, arguments)

    def _path(self) -> Node:
        first = self._take()
        name = first.text
        while self._sees(".", "["):
            name += self._step()
        return Path(first.at, self._tokens[self._place - 1].end, name)

    def _step(self) -> str:
        if self._take().text == ".":
            if self.token.kind != "name":
                self.lost("a keyword")
            return f".{self._take().text}"
        if self.token.kind != "number" or not self.token.text.isdecimal():
            self.lost("a whole number from 0, as in ImageType[0]")
        number = self._take().text
        self._expect("]")
        if self._sees("["):
            raise self._source.fault(self.token.at, "one value has no values of its own")
        return f"[{int(number)}]"

    def _no_more(self, what: str) -> None:
        """Refuse ``.`` and ``[`` behind anything but a keyword."""
        if self._sees(".", "["):
            raise self._source.fault(
                self.token.at, f'{what} has no parts: "{self.token.text}" follows keywords only'
            )
