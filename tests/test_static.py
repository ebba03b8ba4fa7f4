"""What the source may never contain, read from its syntax trees.

Each rule is a function from a tree to sentences about what it found, and is tried on samples
first: a rule that cannot find anything proves nothing.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.source import PACKAGE, package_files, parse, short_name
from tests.static_rules import (
    broad_handlers_that_swallow,
    dangerous_calls,
    formatted_sql,
)
from tests.success_rule import unearned_success

RECEIVE = PACKAGE / "flows" / "receive.py"
DEPOSIT = PACKAGE / "flows" / "deposit.py"
FETCH_GET = PACKAGE / "flows" / "fetch_get.py"
Rule = Callable[[ast.AST], Iterator[str]]

EARNED = """
def success(request):
    return reply(request)

class Reception:
    async def _accept(self, request, draft):
        if draft.small:
            await self._intake.append(meta, draft.bytes)
        else:
            await self._seal(draft)
        self._answer(success(request))

    async def _seal(self, draft):
        sealed = self._loop.run_in_executor(self._disk, draft.seal)
        committed = self._intake.append(meta, draft.name)
        await asyncio.wait([sealed, committed])
        if committed.exception() is None and sealed.exception() is not None:
            await self._database.write(arrivals.withdraw(draft.name))
        await sealed
        await committed
        return draft.name

    def _echo(self, request):
        if request.field == C_ECHO_RQ:
            self._answer(reply(request))
"""
PLAIN = """
def success(request):
    return reply(request)

async def keep(self, request, blob):
    await self._journal.add(blob)
    return success(request)
"""


@pytest.mark.req("S-39", "N-24")
@pytest.mark.parametrize("file", package_files(), ids=short_name)
def test_no_source_file_can_run_text_as_code(file: Path) -> None:
    assert not list(dangerous_calls(parse(file)))


@pytest.mark.req("N-24")
@pytest.mark.parametrize("file", package_files(), ids=short_name)
def test_no_sql_text_is_put_together_from_values(file: Path) -> None:
    assert not list(formatted_sql(parse(file)))


@pytest.mark.parametrize("file", package_files(), ids=short_name)
def test_no_handler_swallows_everything(file: Path) -> None:
    assert not list(broad_handlers_that_swallow(parse(file)))


@pytest.mark.req("S-4", "N-2")
def test_success_is_answered_only_behind_the_awaited_commit() -> None:
    assert not list(unearned_success(parse(RECEIVE)))
    assert not list(unearned_success(parse(DEPOSIT)))
    assert not list(unearned_success(parse(FETCH_GET)))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (dangerous_calls, "import pickle"),
        (dangerous_calls, "from tempfile import mkstemp"),
        (dangerous_calls, "def f():\n    import yaml"),
        (dangerous_calls, "subprocess.run(line, shell=True)"),
        (dangerous_calls, "subprocess.run(line, shell=wanted)"),
        (dangerous_calls, "asyncio.create_subprocess_shell(line)"),
        (dangerous_calls, "os.system(line)"),
        (dangerous_calls, "from os import system"),
        (dangerous_calls, "eval(text)"),
        (dangerous_calls, "builtins.exec(text)"),
        (dangerous_calls, "code = compile(text, '', 'eval')"),
        (formatted_sql, "f'SELECT id FROM arrival WHERE id = {name}'"),
        (formatted_sql, "'DELETE FROM arrival WHERE id = %s' % name"),
        (formatted_sql, "'UPDATE arrival SET x = {}'.format(name)"),
        (formatted_sql, "'INSERT INTO arrival VALUES (' + values"),
        (formatted_sql, "'SELECT 1' ' FROM a WHERE x = ' + value + ' LIMIT 1'"),
        (broad_handlers_that_swallow, "try:\n    f()\nexcept:\n    log()\n    raise"),
        (broad_handlers_that_swallow, "try:\n    f()\nexcept Exception:\n    pass"),
        (broad_handlers_that_swallow, "try:\n    f()\nexcept (OSError, BaseException):\n    ..."),
        (
            broad_handlers_that_swallow,
            "def g():\n    try:\n        f()\n    except Exception:\n        return 0",
        ),
        (broad_handlers_that_swallow, "with contextlib.suppress(Exception):\n    f()"),
    ],
)
def test_each_rule_finds_its_sample(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (dangerous_calls, "subprocess.run([program, argument], shell=False)"),
        (dangerous_calls, "pattern = re2.compile(text)"),
        (formatted_sql, "'SELECT id FROM arrival WHERE id = :id'"),
        (formatted_sql, "'SELECT id ' + 'FROM arrival'"),
        (formatted_sql, "f'selected {count} of {total}'"),
        (formatted_sql, "'SELECT 1 FROM a WHERE id IN (' + placeholders(names) + ')'"),
        (formatted_sql, "'SELECT ' + _COLUMNS + f' FROM {TABLE} WHERE id = :id'"),
        (broad_handlers_that_swallow, "try:\n    f()\nexcept Exception as e:\n    hold(e)"),
        (broad_handlers_that_swallow, "try:\n    f()\nexcept KeyError:\n    pass"),
        (unearned_success, EARNED),
        (unearned_success, PLAIN),
        (
            unearned_success,
            PLAIN.replace(
                "self._journal.add(blob)", "gather(blob.sync(), self._journal.add(blob))"
            ),
        ),
        (unearned_success, PLAIN.replace("    return", "    if asked:\n        return")),
    ],
)
def test_no_rule_complains_without_reason(rule: Rule, source: str) -> None:
    assert not list(rule(ast.parse(source)))


def cases(whole: str, *changes: tuple[str, str]) -> list[tuple[str, str, str]]:
    return [(whole, old, new) for old, new in changes]


COMMIT = "    await self._journal.add(blob)\n"
ANSWER = "    return success(request)\n"


@pytest.mark.parametrize(
    ("whole", "old", "new"),
    cases(
        PLAIN,
        ("def success", "def fine"),
        (COMMIT, ""),
        (COMMIT, "    self._journal.add(blob)\n"),
        (COMMIT, "    await self._wake.set()\n"),
        (COMMIT, f"    if self.on:\n    {COMMIT}"),
        (COMMIT, f"    with suppress(OSError):\n    {COMMIT}"),
        (COMMIT, f"    try:\n    {COMMIT}    except OSError:\n        log()\n"),
        (COMMIT, "    await gather(self._journal.add(blob), return_exceptions=True)\n"),
        (COMMIT, "    await asyncio.wait([self._journal.add(blob)])\n"),
        (ANSWER, ANSWER * 2),
        (ANSWER, f"    try:\n        f()\n    except OSError:\n    {ANSWER}"),
        (ANSWER, f"    try:\n        f()\n    finally:\n    {ANSWER}"),
        (ANSWER, "    answer = success\n    return answer(request)\n"),
        (ANSWER, "    return lambda: success(request)\n"),
        (COMMIT, f"    status = 0x0000\n{COMMIT}"),
        (COMMIT, f"    answer = Status.SUCCESS\n{COMMIT}"),
        (COMMIT, f"    if known:\n        return Reply(request, status=0)\n{COMMIT}"),
        (COMMIT, f"    if known:\n        return reply(request)\n{COMMIT}"),
        (COMMIT, f"    if known:\n        return reply(request, 0)\n{COMMIT}"),
        (COMMIT, f"    if known:\n        raise RefusedError(0, '')\n{COMMIT}"),
        ("(self, request, blob)", "(self, request, blob, status=0)"),
    )
    + cases(
        EARNED,
        ("            await self._seal(draft)\n", "            pass\n"),
        ("            await self._seal(draft)\n", "            self._seal(draft)\n"),
        ("        else:\n", "        elif draft.large:\n"),
        ("        await committed\n", ""),
        ("        await committed\n", "        if sealed:\n            await committed\n"),
        ("        await sealed\n", "        if sealed:\n            return ''\n"),
        ("intake.append(meta, draft.name)", "other.append(meta, draft.name)"),
        ("== C_ECHO_RQ", "!= C_STORE_RQ"),
    ),
)
def test_success_that_was_not_earned_is_found(whole: str, old: str, new: str) -> None:
    changed = whole.replace(old, new)
    assert changed != whole
    assert list(unearned_success(ast.parse(changed)))
