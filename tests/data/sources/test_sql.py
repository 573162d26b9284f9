"""Databases: SQLite files and a real PostgreSQL server."""

import sqlite3
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from sqlalchemy import Engine, create_engine, event, text

from handrail.data.sources import read
from handrail.data.sources.sql import reason
from handrail.data.writers import convert
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import without_password

FRAME = pl.DataFrame(
    {
        "whole": [3, None, 1, 2],
        "real": [1.5, None, 1e-300, float("inf")],
        "flag": [True, False, None, True],
        "text": ["a", "ünï %(x)s :y", None, 'it\'s "quoted"'],
        "when": [datetime(2020, 1, 2, 3, 4, 5, 678), None, datetime(1900, 1, 1), datetime(2300, 1, 1)],
        "odd name %(1)s; 'x' \"y\"": [1, 2, 3, 4],
    }
)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table people (name text, age integer, note)")
        connection.executemany(
            "insert into people values (?, ?, ?)", [("Zoë ", 31, 1), ("?", None, "x"), ("Al", 5, None)]
        )
        connection.execute("create table orders (id integer primary key, price decimal)")
        connection.execute("insert into orders values (2, 3), (1, 4.5)")
        connection.execute("create view dear as select * from orders where price > 4")
    connection.close()
    return path


def test_sqlite_file_and_url_agree(database):
    by_file = read(database, options=ReadOptions(table="people"))
    by_url = read(f"sqlite:///{database}", options=ReadOptions(table="people"))
    assert (
        by_file.frame.rows() == by_url.frame.rows() == [("Zoë", 31, "1"), (None, None, "x"), ("Al", 5, None)]
    )
    assert by_file.source == "shop.db (table people)"


def test_views_and_queries(database):
    assert read(database, options=ReadOptions(table="dear")).frame.rows() == [(1, 4.5)]
    assert read(database, options=ReadOptions(query="select id from orders order by id desc")).frame[
        "id"
    ].to_list() == [2, 1]
    time_like = ReadOptions(query="select ':x' as a, '%(y)s' as b")
    assert read(database, options=time_like).frame.rows() == [(":x", "%(y)s")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"shop.db holds 3 tables: dear, orders, people; expected the name of one"),
        ({"table": "poeple"}, r"no table 'poeple'. Did you mean 'people'\?"),
        ({"table": "people", "query": "select 1"}, r"both a table and a query"),
        ({"query": "selct 1"}, r"does not only read; expected a SELECT"),
        ({"query": "delete from people"}, r"does not only read; expected a SELECT"),
        ({"query": "select * from people where age > 99"}, r"3 columns and no rows"),
        ({"table": "people", "delimiter": ";"}, r"'delimiter' would have no effect"),
    ],
)
def test_sqlite_mistakes(database, settings, message):
    with pytest.raises(DataError, match=message):
        read(database, options=ReadOptions(**settings))
    assert read(database, options=ReadOptions(table="people")).frame.height == 3


def test_a_missing_sqlite_file_is_not_made(tmp_path, database):
    for source in (tmp_path / "shap.db", f"sqlite:///{tmp_path / 'shap.db'}"):
        with pytest.raises(DataError, match=r"there is no file .*shap.db. Did you mean 'shop.db'\?"):
            read(source)
    assert not (tmp_path / "shap.db").exists()
    connection = sqlite3.connect(tmp_path / "empty.db")
    connection.execute("pragma user_version = 1")
    connection.close()
    with pytest.raises(DataError, match="holds no tables"):
        read(tmp_path / "empty.db")


def reverse_unordered(connection, _):
    connection.execute("pragma reverse_unordered_selects = on")


def test_sqlite_is_read_in_the_order_of_insertion(tmp_path):
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path)
    connection.execute("create table t (a integer, b text)")
    connection.executemany("insert into t values (?, ?)", [(5, "x"), (3, "y"), (9, "z")])
    connection.execute("create table keyed (a integer primary key, b text) without rowid")
    connection.execute("insert into keyed values (2, 'x'), (1, 'y')")
    connection.commit()
    connection.close()
    # SQLite's own means to find queries that rely on luck.
    event.listen(Engine, "connect", reverse_unordered)
    try:
        assert read(path, options=ReadOptions(table="t")).frame["a"].to_list() == [5, 3, 9]
        assert sorted(read(path, options=ReadOptions(table="keyed")).frame["a"]) == [1, 2]
    finally:
        event.remove(Engine, "connect", reverse_unordered)


def test_a_full_disk_leaves_no_database(tmp_path):
    path = tmp_path / "t.db"

    def narrow(connection, _):
        connection.execute("pragma max_page_count = 8")

    event.listen(Engine, "connect", narrow)
    try:
        with pytest.raises(
            DataError, match=r"t.db: table 'data' cannot be written: database or disk is full"
        ):
            convert({"a": list(range(50_000))}, path)
    finally:
        event.remove(Engine, "connect", narrow)
    assert list(tmp_path.iterdir()) == []


def test_text_in_a_column_declared_as_time_stays(tmp_path):
    connection = sqlite3.connect(tmp_path / "t.db")
    connection.execute("create table t (a datetime, b datetime, c boolean)")
    connection.execute("insert into t values ('soon', '2020-01-02 03:04:05', 2)")
    connection.commit()
    connection.close()
    assert read(tmp_path / "t.db").frame.rows() == [("soon", datetime(2020, 1, 2, 3, 4, 5), 2)]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("postgresql://ann:secret@host:5432/db", "postgresql://ann@host:5432/db"),
        ("postgresql+psycopg://ann:p@ss:w/rd@host/db", "postgresql+psycopg://ann@host/db"),
        ("postgresql://host/db?user=ann&password=secret", "postgresql://host/db?user=ann"),
        ("postgresql://host/db?password=secret&user=ann", "postgresql://host/db?user=ann"),
        ("postgresql://ann@host/db", "postgresql://ann@host/db"),
        ("sqlite:///data.db", "sqlite:///data.db"),
    ],
)
def test_without_password(url, safe):
    assert without_password(url) == safe


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://ann:secret@127.0.0.1:1/db",
            r"the database postgresql://ann@127.0.0.1:1/db cannot be reached",
        ),
        ("postgresql://ann:secret@127.0.0.1:port/db", r"cannot be understood"),
        ("postgres+nodriver://ann:secret@h/db", r"no kind of database is called"),
        ("oracle://ann:secret@h/db", r"the driver '.*' is not installed"),
        ("postgresql://h:1/db?user=ann&password=secret", r"cannot be reached|cannot be understood"),
    ],
)
def test_databases_out_of_reach_without_showing_the_password(url, message):
    with pytest.raises(DataError, match=message) as caught:
        read(url, options=ReadOptions(table="t"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://ann:s%40cret@h/db", "postgresql://h/db?user=ann&password=s%40cret"]
)
def test_a_password_that_a_driver_repeats_is_struck_out(url):
    said = ValueError("no entry for ann, s@cret\n  at s%40cret\n  ^")
    assert reason(said, url) == "no entry for ann, *** at ***"


def test_missing_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(
        DataError,
        match=r"'psycopg' is not installed; install it with: pip install \"handrail\[postgresql\]\"",
    ):
        read("postgresql://h/db")


# ---- PostgreSQL


@pytest.mark.parametrize("name", ["plain", "Odd Näme"])
def test_postgres_gives_back_what_it_was_given(postgres_url, name):
    assert convert(FRAME, postgres_url, table=name) == without_password(postgres_url)
    assert read(postgres_url, options=ReadOptions(table=name)).frame.equals(FRAME)
    with pytest.raises(DataError, match=rf"already has a table '{name}'"):
        convert(FRAME, postgres_url, table=name)
    convert(FRAME.head(2), postgres_url, table=name, overwrite=True)
    assert read(postgres_url, options=ReadOptions(table=name)).frame.equals(FRAME.head(2))


def test_postgres_order_query_and_schema(postgres_url):
    convert(pl.DataFrame({"a": [5, 3, 9]}), postgres_url, table="ordered")
    assert read(postgres_url, options=ReadOptions(table="ordered")).frame["a"].to_list() == [5, 3, 9]
    assert read(postgres_url, options=ReadOptions(table="public.ordered")).frame["a"].to_list() == [5, 3, 9]
    assert read(postgres_url, options=ReadOptions(query="select max(a) as m from ordered")).frame.rows() == [
        (9,)
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"table": "ordrd"}, r"no table 'ordrd'"),
        ({"query": "select nothing"}, r"the query is refused: column \"nothing\" does not exist"),
        (
            {"query": "create table forbidden (a int)"},
            r"does not only read; expected a SELECT",
        ),
        ({"query": "select array[1, 2] as a"}, r"column 'a' holds nested values"),
        ({"query": "select '{\"a\": 1}'::jsonb as j"}, r"column 'j' holds nested values"),
    ],
)
def test_postgres_mistakes(postgres_url, settings, message):
    with pytest.raises(DataError, match=message):
        read(postgres_url, options=ReadOptions(**settings))


def test_postgres_types(postgres_url):
    query = """select 1.5::numeric as n, 'x'::varchar as t, '2020-01-02'::date as d, true as b,
        1.5::real as r, '2020-01-02 03:00+02'::timestamptz as z,
        '9a8b7c6d-0000-4000-8000-000000000000'::uuid as u"""
    row = read(postgres_url, options=ReadOptions(query=query)).frame.row(0)
    day = datetime(2020, 1, 2)
    assert row == (1.5, "x", day, True, 1.5, day.replace(hour=1), "9a8b7c6d-0000-4000-8000-000000000000")


def test_a_failed_write_leaves_nothing_behind(postgres_url, tmp_path):
    broken = pl.DataFrame({"a": ["x"] * 20_000 + ["nul \0 inside"]})
    with pytest.raises(DataError, match="table 'broken' cannot be written"):
        convert(broken, postgres_url, table="broken")
    with pytest.raises(DataError, match="no table 'broken'"):
        read(postgres_url, options=ReadOptions(table="broken"))
    too_large = pl.DataFrame({"a": [2**63]}, schema={"a": pl.UInt64})
    with pytest.raises(DataError, match="table 'data' cannot be written"):
        convert(too_large, tmp_path / "t.db")
    assert list(tmp_path.iterdir()) == []


def test_postgresql_is_read_in_the_order_of_insertion(postgres_url: str) -> None:
    """Rows of unequal length: the server puts short ones into the gaps of earlier pages."""
    chance = np.random.default_rng(0)
    table = pl.DataFrame(
        {"n": range(4000), "t": ["x" * int(length) for length in chance.integers(1, 400, size=4000)]}
    )
    convert(table, postgres_url, table="gaps", overwrite=True)
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as opened:
        by_place = [row[0] for row in opened.execute(text("select n from gaps order by ctid"))]
    engine.dispose()
    assert by_place != sorted(by_place), "the rows lie in order; the test shows nothing"
    assert read(postgres_url, options=ReadOptions(table="gaps")).frame["n"].to_list() == list(range(4000))


def test_postgresql_is_read_in_the_order_of_its_key(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as opened:
        opened.execute(text('create table keyed ("Key one" integer primary key, b text)'))
        opened.execute(text("insert into keyed values (3, 'x'), (1, 'y'), (2, 'z')"))
    engine.dispose()
    assert read(postgres_url, options=ReadOptions(table="keyed")).frame["Key one"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("place", ["column", "table"])
def test_names_that_are_not_utf_8_are_refused_in_words(tmp_path, place):
    path = tmp_path / "damaged.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE abcdef (ghijkl INTEGER, label INTEGER)")
        connection.execute("INSERT INTO abcdef VALUES (1, 0), (2, 1)")
    connection.close()
    name = {"column": b"ghijkl", "table": b"abcdef"}[place]
    path.write_bytes(path.read_bytes().replace(name, name[:2] + b"\xff\xfe" + name[4:]))
    with pytest.raises(DataError, match=r"damaged\.db.*UTF-8"):
        read(path, options=ReadOptions())
