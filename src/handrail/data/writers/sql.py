"""A table into a database, whole or not at all: in one transaction, or as a new SQLite file."""

import contextlib
from typing import TYPE_CHECKING, Any

import polars as pl

from handrail.data.sources.sql import check_sqlite, connection, parse_url, reason, sqlite_path, sqlite_url
from handrail.errors import DataError
from handrail.tools.files import write_atomically
from handrail.tools.interface import argument
from handrail.tools.words import without_password

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CHUNK = 10_000


def write_sql(frame: pl.DataFrame, url: str, *, table: str, overwrite: bool) -> None:
    """Make the table and fill it.

    Raises: `DataError` when the table exists and `overwrite` is not set, and for what the database refuses;
        `HandrailError` when an SQLite file cannot be written.
    """
    path = sqlite_path(url)
    if path is None:
        _write(frame, url, table=table, overwrite=overwrite, name=without_password(url))
    elif path.exists():
        check_sqlite(path)
        _write(frame, url, table=table, overwrite=overwrite, name=str(path))
    else:
        with write_atomically(path) as temporary:
            # A folder that cannot be written to is refused by the system, in clearer words.
            temporary.touch()
            new = sqlite_url(temporary)
            _write(frame, new, table=table, overwrite=overwrite, name=str(path), is_new=True)


def _write(
    frame: pl.DataFrame, url: str, *, table: str, overwrite: bool, name: str, is_new: bool = False
) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    # SQLite's driver commits before it makes a table unless the transaction is ours from the beginning.
    by_hand = parse_url(url).get_backend_name() == "sqlite"
    with connection(url, name=name, **({"isolation_level": "AUTOCOMMIT"} if by_hand else {})) as database:
        # A new file is deleted if anything fails, but a journal on disk would remain.
        if is_new:
            database.exec_driver_sql("PRAGMA journal_mode = MEMORY")
        if by_hand:
            database.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            _fill(database, frame, table=table, overwrite=overwrite, where=name)
            database.exec_driver_sql("COMMIT") if by_hand else database.commit()
        except BaseException as error:
            # SQLite has rolled back by itself when the disk is full.
            with contextlib.suppress(SQLAlchemyError):
                database.exec_driver_sql("ROLLBACK") if by_hand else database.rollback()
            if isinstance(error, SQLAlchemyError | OverflowError):
                text = f"table '{table}' cannot be written: {reason(error, url)}"
                raise DataError(f"{name}: {text}.") from error
            raise


def _fill(database: "Connection", frame: pl.DataFrame, *, table: str, overwrite: bool, where: str) -> None:
    from sqlalchemy import Column, MetaData, Table, inspect

    schema, _, plain = table.rpartition(".")
    keys = [f"c{i}" for i in range(frame.width)]  # a column's own name may hold what a parameter's may not
    columns = [
        Column(n, _type_of(kind), key=key) for (n, kind), key in zip(frame.schema.items(), keys, strict=True)
    ]
    target = Table(plain, MetaData(), *columns, schema=schema or None)
    if inspect(database).has_table(plain, schema=schema or None):
        if not overwrite:
            advice = f"choose another name, or say {argument('overwrite')}"
            raise DataError(f"{where} already has a table '{table}'; {advice}.")
        target.drop(database)
    target.create(database)
    for part in frame.iter_slices(_CHUNK):
        database.execute(target.insert(), [dict(zip(keys, row, strict=True)) for row in part.iter_rows()])


def _type_of(kind: pl.DataType) -> Any:
    from sqlalchemy import types

    if kind.is_integer():
        return types.BigInteger()
    if kind.is_float():
        return types.Double()
    return {pl.Boolean: types.Boolean(), pl.Datetime: types.DateTime()}.get(type(kind), types.Text())
