"""The rule that Success is earned (S-4), as a walk over the syntax tree of the receiving belt.

The convention that makes it provable: a module-level function ``success`` makes the answer; it is
named once, in a call; on the straight way to that call stands an awaited journal commit, or an
``if`` with one in each branch.  An awaited commit is an ``await`` of an expression that names the
journal (``intake.append`` or ``...journal...``), of a variable that holds one, or of a coroutine of
the same file that commits before each of its endings.  A plain ``reply(command)`` elsewhere means
Success too, and stands only under a test for C-ECHO.
"""

import ast
from collections.abc import Iterable, Iterator

from tests.source import dotted, functions_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
SUCCESS_NAMES = {"SUCCESS", "Success"}


def unearned_success(tree: ast.AST) -> Iterator[str]:
    """Yield every way to answer Success that does not lie behind the awaited commit."""
    makers = [each for each in functions_of(tree) if each.name == "success"]
    if len(makers) != 1:
        yield f"{len(makers)} functions called success"
        return
    way = _Way(tree)
    inside = set(ast.walk(makers[0]))
    for node in ast.walk(tree):
        if node not in inside and _writes_success(node) and not way.answers_an_echo(node):
            yield f"line {getattr(node, 'lineno', 0)}: a Success status outside success()"
    uses = [node for node in ast.walk(tree) if _name(node) == "success"]
    if len(uses) != 1:
        yield f"success is named {len(uses)} times"
    for use in uses:
        yield from way.faults(use)


def _name(node: ast.AST) -> str:
    """Return the last part of a name that is used, or ``""``."""
    return dotted(node).rpartition(".")[2] if isinstance(node, ast.Name | ast.Attribute) else ""


def _writes_success(node: ast.AST) -> bool:
    if isinstance(node, ast.Name | ast.Attribute):
        return _name(node) in SUCCESS_NAMES
    if isinstance(node, ast.Call):
        statuses = {"reply": node.args[1:2], "RefusedError": node.args[:1]}
        status = statuses.get(_name(node.func), [])
        bare = _name(node.func) == "reply" and len(node.args) == 1 and not node.keywords
        return bare or any(map(_is_zero, status))
    if isinstance(node, ast.keyword):
        return node.arg == "status" and _is_zero(node.value)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        named = any(_name(target) == "status" for target in targets)
        return named and node.value is not None and _is_zero(node.value)
    if isinstance(node, ast.arguments):
        return any(name == "status" and _is_zero(value) for name, value in _defaults(node))
    return False


def _defaults(node: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*node.posonlyargs, *node.args]
    late = positional[len(positional) - len(node.defaults) :]
    for argument, value in zip(late, node.defaults, strict=True):
        yield argument.arg, value
    for argument, choice in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        if choice is not None:
            yield argument.arg, choice


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0 and node.value is not False


class _Way:
    """What is certain to have run before a node of ``tree`` is reached."""

    def __init__(self, tree: ast.AST) -> None:
        self._parents = {
            child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
        }
        self._functions = {each.name: each for each in functions_of(tree)}

    def _above(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield (node, parent) upwards, to the function or lambda that encloses ``node``."""
        while not isinstance(node, Function | ast.Lambda) and node in self._parents:
            yield node, self._parents[node]
            node = self._parents[node]

    def answers_an_echo(self, node: ast.AST) -> bool:
        return any(
            isinstance(parent, ast.If)
            and child in parent.body
            and isinstance(parent.test, ast.Compare)
            and isinstance(parent.test.ops[0], ast.Eq)
            and any(_name(part) == "C_ECHO_RQ" for part in ast.walk(parent.test))
            for child, parent in self._above(node)
        )

    def faults(self, use: ast.AST) -> Iterator[str]:
        line = getattr(use, "lineno", 0)
        call = self._parents[use]
        if not (isinstance(call, ast.Call) and call.func is use):
            yield f"line {line}: success is passed on instead of called"
        for node, parent in self._above(use):
            if isinstance(node, ast.ExceptHandler):
                yield f"line {line}: Success from an except handler"
            if isinstance(parent, ast.Try) and node in parent.finalbody:
                yield f"line {line}: Success from a finally block"
        if not self.behind_commit(use):
            yield f"line {line}: no awaited journal commit before Success"

    def behind_commit(self, node: ast.AST) -> bool:
        """Return whether an awaited commit lies before ``node`` in its own coroutine."""
        return any(
            self._any_commits(_statements_before(parent, child))
            for child, parent in self._above(node)
        )

    def _any_commits(self, statements: Iterable[ast.stmt]) -> bool:
        return any(map(self._commits, statements))

    def _commits(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.If):
            return self._any_commits(statement.body) and self._any_commits(statement.orelse)
        if not isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign):
            return False
        value = statement.value
        return isinstance(value, ast.Await) and self._is_commit(value.value)

    def _is_commit(self, awaited: ast.expr) -> bool:
        if isinstance(awaited, ast.Name):
            return self._holds_commit(awaited)
        if not isinstance(awaited, ast.Call) or _hides_failure(awaited):
            return False
        own = self._functions.get(_name(awaited.func))
        if own is not None and dotted(awaited.func) in {own.name, f"self.{own.name}"}:
            return self._always_commits(own)
        return _names_journal(awaited)

    def _holds_commit(self, name: ast.Name) -> bool:
        """Return whether the variable was set, in this function, to a commit under way."""
        *_, (_, function) = self._above(name)
        values = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and [_name(each) for each in node.targets] == [name.id]
        ]
        return bool(values) and all(map(_names_journal, values))

    def _always_commits(self, function: Function) -> bool:
        if not isinstance(function, ast.AsyncFunctionDef):
            return False
        endings = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
        last = function.body[-1]
        falls_through = not isinstance(last, ast.Return | ast.Raise)
        return all(map(self.behind_commit, endings)) and (
            not falls_through or self._any_commits(function.body)
        )


def _statements_before(parent: ast.AST, node: ast.AST) -> list[ast.stmt]:
    """Return the statements of ``parent`` that have run, without exception, before ``node``."""
    for name in ("body", "orelse"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and node in block:
            before: list[ast.stmt] = block[: block.index(node)]
            tried = parent.body if isinstance(parent, ast.Try) and name == "orelse" else []
            return [*tried, *before]
    return []


def _names_journal(node: ast.AST) -> bool:
    names = [dotted(part) for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)]
    return any("journal" in name or name.endswith("intake.append") for name in names)


def _hides_failure(call: ast.Call) -> bool:
    """Return whether the awaited call ends quietly although what it waits for has failed."""
    return _name(call.func) == "wait" or any(
        word.arg == "return_exceptions" for word in call.keywords
    )
