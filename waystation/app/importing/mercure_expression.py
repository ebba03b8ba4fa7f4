"""mercure's selection rules, Python expressions over tags, as our `if`.

Contract: pure; the text is parsed to a tree and never run.  `translate` gives an expression that
holds for no object for which the rule did not hold, names compared without case apart; what
cannot be said so raises `Unsayable` with the reason.  To mercure a missing element was the empty
text, a failing ``float()`` made the whole rule false, and an element with several values was one
text with backslashes.
"""

import ast
import re
from dataclasses import dataclass

from waystation.dicom.tags import keyword_of, tag_for, vr_of
from waystation.model.errors import ConfigError
from waystation.rules.expression import expression

LONGEST = 4096
OLD_TAG = re.compile(r"@([A-Za-z0-9_]{1,64})@")
QUOTED = re.compile(r"('(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")")
# Names that are no keyword: what the receiver added, and the meta header.
SPECIAL = {
    "SenderAET": "calling_ae",
    "ReceiverAET": "called_ae",
    "SenderAddress": "address",
    "MediaStorageSOPClassUID": "SOPClassUID",
}
# mercure took these from somewhere inside a sequence.
INSIDE = ("CodeValue", "CodeMeaning")
# Elements of mercure's list that have one value at most (PS3.6).
_SINGLE = """
    Modality BodyPartExamined ProtocolName StationAETitle Manufacturer ManufacturerModelName
    StudyDescription SeriesDescription PatientName PatientID PatientBirthDate PatientSex
    AccessionNumber ReferringPhysicianName StudyID SeriesNumber SOPInstanceUID SOPClassUID
    SeriesInstanceUID StudyInstanceUID SeriesDate SeriesTime AcquisitionDate AcquisitionTime
    SequenceName MagneticFieldStrength StationName DeviceSerialNumber DeviceUID ContrastBolusAgent
    ImageComments SliceThickness InstanceNumber AcquisitionNumber InstitutionName AcquisitionType
    StudyDate StudyTime PatientAge calling_ae called_ae address
"""
SINGLE = frozenset(_SINGLE.split())
WHOLE_VALUE = ("CS", "AE", "UI")
NUMERIC = ("IS", "DS", "US", "SS", "UL", "SL", "FL", "FD")
COMPARED = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
SUMS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
METHODS = ("lower", "upper", "strip")
EDGES = ("startswith", "endswith")


class Unsayable(Exception):
    """The rule means something that `if` cannot say; the text is a reason for the operator."""


@dataclass(frozen=True, slots=True)
class Said:
    """The rule in our words; "" if it always holds.  names: person names are compared."""

    text: str
    names: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """One side of a comparison.  kind: tag, text (made from a tag), number, or constant."""

    text: str
    kind: str
    tag: str = ""
    constant: object = None


def translate(rule: str) -> Said:
    """Return the rule as an `if` expression.  Raises `Unsayable`."""
    if len(rule) > LONGEST:
        raise Unsayable("it is longer than 4 KiB")
    pieces = QUOTED.split(rule)
    modern = "".join(
        piece if number % 2 else OLD_TAG.sub(r'tags["\1"]', piece)
        for number, piece in enumerate(pieces)
    )
    if any(OLD_TAG.search(piece) for piece in pieces[1::2]):
        raise Unsayable("it has a tag in the middle of a text")
    try:
        tree = ast.parse(modern.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unsayable("it is no expression of Python: mercure never let it hold") from None
    translation = _Translation()
    text = translation.condition(tree)
    guards = [f"present({tag})" for tag in sorted(translation.numbers)]
    if guards:
        text = " and ".join([*guards, f"({text})"])
    try:
        expression(text, "if")
    except ConfigError as error:
        raise Unsayable(error.problem) from None
    return Said("" if text == "True" else text, translation.names)


class _Translation:
    def __init__(self) -> None:
        self.numbers: set[str] = set()
        self.names = False

    def condition(self, node: ast.expr) -> str:
        match node:
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return self._joined(word, values)
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() as op, right=right):
                if not (_is_condition(left) and _is_condition(right)):
                    raise Unsayable("| and & stand between things that are no comparisons")
                return self._joined("and" if isinstance(op, ast.BitAnd) else "or", [left, right])
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                before = len(self.numbers)
                said = self.condition(inner)
                if len(self.numbers) > before:
                    raise Unsayable("a number is compared below a not")
                return f"not ({said})"
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(left, ops, others)
            case ast.Constant(value=bool() as truth):
                return str(truth)
            case ast.Call(func=ast.Attribute(value=inner, attr=name), args=[part]) if name in EDGES:
                return self._edge(name, inner, part)
        value = self.value(node)
        if value.kind == "tag":
            return f"present({value.tag})"
        raise Unsayable("a part of it is no comparison")

    def _joined(self, word: str, nodes: list[ast.expr]) -> str:
        return f" {word} ".join(f"({self.condition(node)})" for node in nodes)

    def _edge(self, name: str, inner: ast.expr, part: ast.expr) -> str:
        whole, edge = self.value(inner), self.value(part)
        if whole.kind not in ("tag", "text") or not isinstance(edge.constant, str):
            raise Unsayable(f"{name}() is asked of something else than a tag and one text")
        if not edge.constant:
            return "True"
        return self._alone(whole, f"{name}({whole.text}, {edge.text})")

    def _alone(self, value: _Value, said: str) -> str:
        """Several values were one long text: only a single one can be compared as a whole."""
        return said if value.tag in SINGLE else f"count({value.tag}) == 1 and {said}"

    def _compared(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> str:
        if len(ops) > 1:
            return self._chain([left, *others], ops)
        (op,), (other,) = ops, others
        if isinstance(op, ast.In | ast.NotIn):
            said = self._member(left, other)
            return f"not ({said})" if isinstance(op, ast.NotIn) else said
        if type(op) not in COMPARED:
            raise Unsayable("is and is not compare no values")
        return self._pair(self.value(left), COMPARED[type(op)], self.value(other))

    def _chain(self, nodes: list[ast.expr], ops: list[ast.cmpop]) -> str:
        values = [self.value(node) for node in nodes]
        if not all(_numeric(value) for value in values) or not all(
            type(op) in COMPARED for op in ops
        ):
            raise Unsayable("a chain of comparisons of texts")
        said = values[0].text
        for op, value in zip(ops, values[1:], strict=True):
            said += f" {COMPARED[type(op)]} {value.text}"
        return said

    def _pair(self, left: _Value, sign: str, right: _Value) -> str:
        if _numeric(left) and _numeric(right):
            return f"{left.text} {sign} {right.text}"
        if left.constant is not None and right.constant is None:
            if sign not in ("==", "!="):
                raise Unsayable("a text stands to the left of < or >")
            left, right = right, left
        if left.kind not in ("tag", "text") or not isinstance(right.constant, str):
            raise Unsayable("it compares a text with something else than a text")
        if sign not in ("==", "!="):
            return self._ordered(left, sign, right)
        if right.constant == "":
            return f"absent({left.tag})" if sign == "==" else f"present({left.tag})"
        said = self._alone(left, f"{left.text} == {_literal(left, right.constant)}")
        return said if sign == "==" else f"not ({said})"

    def _ordered(self, left: _Value, sign: str, right: _Value) -> str:
        """Texts were ordered letter by letter, which for dates and times is their order."""
        if left.kind != "tag" or _vr(left.tag) not in ("DA", "TM"):
            raise Unsayable("it orders texts; wrap the tag in float() to compare numbers")
        return f"{left.text} {sign} {right.text}"

    def _member(self, left: ast.expr, other: ast.expr) -> str:
        if isinstance(other, ast.List | ast.Tuple | ast.Set):
            entries = [self.value(entry) for entry in other.elts]
            value = self.value(left)
            texts = [entry.constant for entry in entries if isinstance(entry.constant, str)]
            if value.kind not in ("tag", "text") or len(texts) < len(entries) or not all(texts):
                raise Unsayable("in is asked of something else than a tag and a list of texts")
            listed = ", ".join(_literal(value, text) for text in texts)
            return self._alone(value, f"{value.text} in [{listed}]") if texts else "False"
        part, whole = self.value(left), self.value(other)
        if not isinstance(part.constant, str) or whole.kind not in ("tag", "text"):
            raise Unsayable("in is asked of something else than a text and a tag")
        if not part.constant:
            return "True"
        if "\\" in part.constant:
            raise Unsayable("it looks for a backslash between several values")
        if _vr(whole.tag) in WHOLE_VALUE or whole.tag not in SINGLE or whole.kind == "text":
            pattern = re.sub(r"([*?\\])", r"\\\1", part.constant)
            return f"wildcard({whole.text}, {_quoted(f'*{pattern}*')})"
        return f"{part.text} in {whole.text}"

    def value(self, node: ast.expr) -> _Value:
        """Return one side of a comparison."""
        match node:
            case ast.Constant(value=str() as text):
                return _Value(_quoted(text), "constant", constant=text)
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _Value(f"{number}", "constant", constant=number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return _Value(f"-{number}", "constant", constant=-number)
            case ast.Attribute(value=ast.Name(id="tags"), attr=name):
                return self._tag(name)
            case ast.Subscript(value=ast.Name(id="tags"), slice=ast.Constant(value=str() as name)):
                return self._tag(name)
            case ast.Call(func=ast.Attribute(value=inner, attr=method), args=[], keywords=[]) if (
                method in METHODS
            ):
                value = self.value(inner)
                if value.kind not in ("tag", "text"):
                    raise Unsayable(f"{method}() is asked of something else than a tag")
                return _Value(f"{method}({value.text})", "text", value.tag)
            case ast.Call(func=ast.Name(id="str"), args=[inner], keywords=[]):
                return self.value(inner)
            case ast.Call(func=ast.Name(id="float" | "int"), args=[inner], keywords=[]):
                return self._number(self.value(inner))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SUMS:
                return self._sum(self.value(left), SUMS[type(op)], self.value(right))
        raise Unsayable(f"{type(node).__name__} has no counterpart")

    def _tag(self, name: str) -> _Value:
        word = SPECIAL.get(name, name)
        if word in INSIDE:
            raise Unsayable(f"mercure took {word} from inside a sequence")
        if word == name:
            try:
                word = keyword_of(tag_for(name)) or name
            except ValueError as error:
                raise Unsayable(str(error)) from None
            self.names = self.names or _vr(word) == "PN"
        return _Value(word, "tag", word)

    def _number(self, value: _Value) -> _Value:
        if value.kind != "tag":
            raise Unsayable("float() is asked of something else than a tag")
        if value.tag not in SINGLE:
            raise Unsayable(f"{value.tag} may have several values and is read as one number")
        self.numbers.add(value.tag)
        return _Value(f"number({value.tag})", "number", value.tag)

    def _sum(self, left: _Value, sign: str, right: _Value) -> _Value:
        if not (_numeric(left) and _numeric(right)):
            raise Unsayable("it joins texts")
        return _Value(f"({left.text} {sign} {right.text})", "number")


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        bits = isinstance(node.op, ast.BitOr | ast.BitAnd)
        return bits and _is_condition(node.left) and _is_condition(node.right)
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.Constant) and isinstance(node.value, bool)
    )


def _numeric(value: _Value) -> bool:
    constant = value.constant
    return value.kind == "number" or (isinstance(constant, int | float))


def _vr(word: str) -> str:
    return "" if word.islower() else vr_of(tag_for(word))


def _literal(value: _Value, text: str) -> str:
    """Return a text as it is compared with ``value``; beside a number it is written as one."""
    if value.kind == "tag" and _vr(value.tag) in NUMERIC:
        try:
            float(text)
        except ValueError:
            raise Unsayable(f"{value.tag} is a number and is compared with a word") from None
        return text.strip()
    return _quoted(text)


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise Unsayable("a text in it cannot be printed")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
