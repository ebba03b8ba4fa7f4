"""The rules of test_static.py: each walks a syntax tree and yields sentences about faults."""

import ast
import re
from collections.abc import Iterator, Sequence

from tests.source import dotted

FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "tempfile", "yaml"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("builtins.eval", "builtins.exec", "builtins.compile"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("asyncio.create_subprocess_shell", "create_subprocess_shell"),
}
FORBIDDEN_NAMES = {"os.system", "os.popen", "asyncio.create_subprocess_shell"}
SQL = re.compile(r"\b(SELECT\s|INSERT\s+INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b)")
EVERYTHING = {"Exception", "BaseException"}


def dangerous_calls(tree: ast.AST) -> Iterator[str]:
    """Find ways to run text as code or as a shell line, and files outside the data folder."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from _forbidden(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _forbidden([node.module or ""])
            names = {f"{node.module}.{name.name}" for name in node.names}
            yield from sorted(names & FORBIDDEN_NAMES)
        elif isinstance(node, ast.Call):
            if dotted(node.func) in FORBIDDEN_CALLS:
                yield f"line {node.lineno}: {dotted(node.func)}()"
            if any(word.arg == "shell" and not _is_false(word.value) for word in node.keywords):
                yield f"line {node.lineno}: a shell"


def _forbidden(modules: Iterator[str] | Sequence[str]) -> Iterator[str]:
    yield from (name for name in modules if name.partition(".")[0] in FORBIDDEN_MODULES)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def formatted_sql(tree: ast.AST) -> Iterator[str]:
    """Find SQL texts into which something is formatted; values belong in bound parameters."""
    for node in ast.walk(tree):
        if SQL.search(_text_put_together(node)):
            yield f"line {getattr(node, 'lineno', 0)}: formatted SQL"


def _text_put_together(node: ast.AST) -> str:
    """Return the constant text of an expression that mixes text with values, else ``""``."""
    if isinstance(node, ast.JoinedStr):
        values = (part.value for part in node.values if isinstance(part, ast.FormattedValue))
        return _constant_text(node) if any(map(_varies, values)) else ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _constant_text(node.left)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _constant_text(node) if any(map(_varies, _sum(node))) else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _constant_text(node.func.value) if node.func.attr == "format" else ""
    return ""


def _varies(node: ast.expr) -> bool:
    """Return whether a part is anything but text, a constant (``_COLUMNS``) of the module, or
    the list of parameter names that ``placeholders(...)`` writes for an ``IN``.
    """
    if isinstance(node, ast.Name):
        return not node.id.isupper()
    if isinstance(node, ast.Call) and dotted(node.func) == "placeholders":
        return False
    return not isinstance(node, ast.Constant | ast.JoinedStr)


def _sum(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _sum(node.left)
        yield from _sum(node.right)
    else:
        yield node


def _constant_text(node: ast.AST) -> str:
    parts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return " ".join(part for part in parts if isinstance(part, str))


def broad_handlers_that_swallow(tree: ast.AST) -> Iterator[str]:
    """Find ``except:``, and ``except Exception`` that only passes, returns or goes on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield f"line {node.lineno}: bare except"
            elif _catches_everything(node.type) and all(map(_does_nothing, node.body)):
                yield f"line {node.lineno}: swallows {ast.unparse(node.type)}"
        elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "suppress":
            yield from (f"line {arg.lineno}" for arg in node.args if _catches_everything(arg))


def _catches_everything(node: ast.expr) -> bool:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(dotted(name).rpartition(".")[2] in EVERYTHING for name in names)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass | ast.Return | ast.Continue | ast.Break)
