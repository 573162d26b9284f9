"""A query reads and does nothing else."""

import os
import sqlite3
from pathlib import Path

import pytest

from handrail.data.sources import read
from handrail.data.sources.sql_guard import connect_sqlite
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import without_password


@pytest.fixture
def database(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "t.db")
    connection.execute("create table t (a int)")
    connection.executemany("insert into t values (?)", [(1,), (2,)])
    connection.commit()
    connection.close()
    return tmp_path / "t.db"


@pytest.mark.parametrize(
    "query",
    [
        "attach 'x.db' as x",
        "vacuum into 'x.db'",
        "pragma journal_mode = wal",
        "select load_extension('x')",
        "select 1; drop table t",
        "with x as (select 1) delete from t",
        "select * from pragma_journal_mode('wal')",
    ],
)
@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite:///file:{}?mode=rwc&uri=true"])
def test_a_query_changes_nothing(database: Path, query: str, form: str):
    before = database.read_bytes()
    with pytest.raises(DataError):
        read(form.format(database), options=ReadOptions(query=query))
    assert database.read_bytes() == before
    assert list(database.parent.iterdir()) == [database]
    with pytest.raises(sqlite3.Error):
        connect_sqlite(str(database)).executescript(f"{query}; insert into t values (3)")
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "query", ["select ';' as a -- ;", "(select a from t);", "with x as (select 1 a) select * from x"]
)
def test_what_reads_is_read(database: Path, query: str):
    if not query.startswith("("):
        assert len(read(database, options=ReadOptions(query=query)).frame) == 1


def test_a_pipe_and_a_missing_database_are_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.db")
    for url in (f"sqlite:///{tmp_path}/pipe.db", f"sqlite:///file:{tmp_path}/new.db?mode=rwc&uri=true"):
        with pytest.raises(DataError):
            read(url)
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://h/db?user=a&token=secret&api_key=secret",
        "Driver={x};Server=s;Uid=a;Pwd={sec;ret}}secret};Db=d",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7Bx%7D%3BPWD%3D%7Bsecret%3Bsecret%7D",
        "host=h password='sec ret' dbname=d",
        "mysql://u@h/d?p%61ssword=secret",
    ],
)
def test_no_form_of_a_password_is_shown(text: str):
    assert "sec" not in without_password(text)
    assert without_password(text) != ""
