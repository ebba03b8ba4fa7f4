"""SQL is written once; values are bound, on both dialects."""

import sqlite3

import pytest

from waystation.db.statement import Transaction, compiled, placeholders


def test_sqlite_takes_the_text_as_it_is() -> None:
    assert compiled("SELECT :a, :b", "sqlite") == "SELECT :a, :b"


def test_postgresql_gets_the_names_of_its_driver() -> None:
    assert compiled("SELECT x FROM t WHERE a = :a AND b = :b", "postgresql") == (
        "SELECT x FROM t WHERE a = %(a)s AND b = %(b)s"
    )


def test_a_list_becomes_one_name_for_each_value() -> None:
    assert placeholders("id", 3) == ":id0, :id1, :id2"
    assert placeholders("id", 0) == ""


@pytest.mark.req("S-39")
@pytest.mark.parametrize("text", ["'; DROP TABLE t; --", "\\", "%", "\0", "Ω", "$(id)"])
def test_a_value_is_never_read_as_sql(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    transaction = Transaction(connection.cursor(), "sqlite")
    transaction.run("CREATE TABLE t (v TEXT)")
    assert transaction.run("INSERT INTO t VALUES (:v)", {"v": text}) == 1
    assert transaction.one("SELECT v FROM t WHERE v = :v", {"v": text}) == (text,)
    transaction.many("INSERT INTO t VALUES (:v)", [{"v": text}, {"v": text}])
    assert list(transaction.rows("SELECT v FROM t")) == [(text,)] * 3
    connection.close()
