"""Tables and queries of databases, through SQLAlchemy's core.

A password is never shown: messages name the database by `without_password` and are searched for the password.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

import polars as pl

from handrail.data.columns.names import name_all, refuse_patterns
from handrail.data.finding import Finding
from handrail.data.raw_files import kind_of, missing_file
from handrail.data.sources.cells import column_or_nested, frame_of, typed_table
from handrail.data.sources.duplicates import report_duplicates
from handrail.data.sources.sql_guard import check_query, connect_sqlite
from handrail.data.table import Table
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import ReadOptions
from handrail.tools.words import is_secret, secrets_in, without_password

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_CHUNK = 50_000
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_INSTALL = {"psycopg": 'install it with: pip install "handrail[postgresql]"'}


def is_url(source: str) -> bool:
    """Whether a text is a URL such as `sqlite:///data.db`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+_]*://", source) is not None


def parse_url(url: str) -> "URL":
    """SQLAlchemy's URL, with psycopg for PostgreSQL by default. Raises: `DataError` for another text."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DataError(
            f"the database URL {without_password(url)} cannot be understood; expected one such as "
            "sqlite:///file.db or postgresql://user@host:5432/database."
        ) from error
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def engine_of(url: str, **options: Any) -> "Engine":
    """An engine without open connections. Raises: `DataError` for an unknown database or missing driver."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    parsed = parse_url(url)
    try:
        return create_engine(parsed, poolclass=NullPool, **options)
    except NoSuchModuleError as error:
        raise DataError(
            f"{without_password(url)}: no kind of database is called '{parsed.drivername}'."
            + did_you_mean(parsed.drivername, ("sqlite", "postgresql", "mysql", "mariadb", "mssql", "oracle"))
        ) from error
    except ImportError as error:
        driver = error.name or str(error)
        advice = f"install the package that holds {driver}, or name another driver in the URL"
        text = f"the driver '{driver}' is not installed; {_INSTALL.get(driver, advice)}."
        raise DataError(f"{without_password(url)}: {text}") from error
    except (ArgumentError, TypeError, ValueError) as error:
        raise DataError(f"{without_password(url)}: {reason(error, url)}.") from error


def reason(error: BaseException, url: str) -> str:
    """What the database says, in one line and without the password."""
    lines = [line.strip() for line in str(getattr(error, "orig", None) or error).splitlines()]
    text = " ".join(line for line in lines if line and not set(line) <= {"^", " "})[:400].rstrip(".")
    with contextlib.suppress(DataError):
        parsed = parse_url(url)
        secrets = {str(parsed.password or ""), *secrets_in(url)}
        secrets |= {str(value) for key, value in parsed.query.items() if is_secret(key)}
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            for form in (secret, quote(secret, safe=""), quote_plus(secret)):
                text = text.replace(form, "***")
    return text


@contextlib.contextmanager
def connection(url: str, *, name: str | None = None, **options: Any) -> Iterator["Connection"]:
    """A connection, with everything that the database refuses turned into a `DataError`.

    Arguments:
        name: what messages call the database; by default its URL without the password.
        options: of SQLAlchemy's `create_engine`.
    """
    from sqlalchemy.exc import SQLAlchemyError

    engine, name = engine_of(url, **options), name or without_password(url)
    try:
        database = engine.connect()
    except SQLAlchemyError as error:
        raise DataError(
            f"the database {name} cannot be reached: {reason(error, url)}. Check host, port, user and "
            "password, and that the server runs."
        ) from error
    with database:
        try:
            yield database
        except SQLAlchemyError as error:
            raise DataError(f"{name}: {reason(error, url)}.") from error
        except UnicodeDecodeError as error:
            found = error.object[error.start : error.end].hex()
            raise DataError(
                f"{name}: a name in it is not UTF-8 (bytes {found}); the database is damaged. Restore it "
                "from a copy, or write its tables anew."
            ) from error


def sqlite_path(url: str, *, uris: bool = False) -> Path | None:
    """The file of an SQLite URL; `None` for other databases and for one in memory.

    Arguments:
        uris: also where SQLite's own `file:` URI names it.
    """
    parsed = parse_url(url)
    if uris and parsed.get_backend_name() == "sqlite" and str(parsed.database).startswith("file:"):
        return Path(unquote(str(parsed.database)[5:].partition("?")[0]))
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if is_file and not str(parsed.database).startswith("file:") else None


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def check_sqlite(path: Path) -> None:
    """Raises: `DataError` for a file that is missing (SQLite would make it), a folder, or not SQLite."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; expected an SQLite file.")
    if path.exists() and not path.is_file():  # a pipe would wait for a writer
        raise DataError(f"{path} is no file, but a pipe or a device; expected an SQLite file.")
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if not start:
        raise DataError(f"{path} is empty (0 bytes); expected an SQLite file.")
    if kind_of(start) != "SQLite":
        kind = kind_of(start) or "text or something unknown"
        raise DataError(f"{path} is not SQLite: it seems to be {kind}.")


def read_sql(url: str, *, options: ReadOptions, name: str | None = None) -> Table:
    """A table or the result of a query, in one go.

    A plain table of SQLite or PostgreSQL is read in the order of its rows on disk, so that reading it again
    gives the same order. Nothing can be changed by a query: it is one statement that reads, the connection is
    read-only where the database knows that, and it is never committed.

    Raises: `DataError` for a database that cannot be reached, a missing driver or table, a wrong query.
    """
    if options.table is not None and options.query is not None:
        raise DataError("both a table and a query are given; expected one of them.")
    name = name or without_password(url)
    if options.query is not None:
        check_query(options.query, name)
    path = sqlite_path(url, uris=True)
    if path is not None:
        check_sqlite(path)
    with connection(url, name=name, **_read_only(url, name)) as database:
        if _backend(url) in ("mysql", "mariadb"):
            database.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            database.rollback()
        findings: tuple[Finding, ...] = ()
        if options.query is not None:
            frame, names = _query(database, options.query, url)
            findings = () if options.names else report_duplicates(names, frame, name)
        else:
            table = _table_name(database, options.table, name)
            frame, name = _whole_table(database, table, name), f"{name} (table {table})"
    return typed_table(frame, name, options, findings=findings)


def _read_only(url: str, name: str) -> dict[str, Any]:
    """The options of an engine that only reads, where the database knows that."""
    parsed = parse_url(url)
    if _backend(url) == "postgresql":
        return {"execution_options": {"postgresql_readonly": True}}
    if _backend(url) != "sqlite":
        return {}
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise DataError(f"{name}: SQLite is read by Python's own driver; expected sqlite:///FILE.")
    return {"creator": lambda: connect_sqlite(parsed.database)}


def _backend(url: str) -> str:
    return parse_url(url).get_backend_name()


def _query(database: "Connection", query: str, url: str) -> tuple[pl.DataFrame, list[str]]:
    """The result, its columns under distinct names, and the names as the database gives them."""
    from sqlalchemy.exc import SQLAlchemyError

    name = without_password(url)
    try:
        # Straight to the driver: a colon in the query is not a parameter of ours.
        result = database.exec_driver_sql(query)
    except SQLAlchemyError as error:
        text = f"{name}: the query is refused: {reason(error, url)}. The query was: {query}"
        raise DataError(text) from error
    if not result.returns_rows:
        raise DataError(f"{name}: the query returns no rows; expected a SELECT. The query was: {query}")
    names = name_all(list(result.keys()))
    return _fetch(result, name), names


def table_names(database: "Connection") -> list[str]:
    """Tables and views that can be named without a schema."""
    from sqlalchemy import inspect

    inspector = inspect(database)
    return sorted([*inspector.get_table_names(), *inspector.get_view_names()])


def _table_name(database: "Connection", table: str | None, name: str) -> str:
    known = table_names(database)
    if table is None:
        if len(known) == 1:
            return known[0]
        tables = f"{len(known)} tables: {', '.join(known[:24])}" if known else "no tables"
        raise DataError(f"{name} holds {tables}; expected the name of one (data.read.table) or a query.")
    schema, _, plain = table.rpartition(".")
    if table not in known and not (schema and _has_table(database, plain, schema)):
        raise DataError(f"{name} has no table '{table}'.{did_you_mean(table, known)}")
    return table


def _has_table(database: "Connection", table: str, schema: str) -> bool:
    from sqlalchemy import inspect

    inspector = inspect(database)
    return inspector.has_table(table, schema=schema) or table in inspector.get_view_names(schema=schema)


# A table has no order of its own, but the same rows must come in the same order each time, and as they were
# put in where that can be known. PostgreSQL fills gaps of earlier pages with later rows, so that the place
# (ctid) alone is not the order: the transaction and the command that wrote a row come first.
_ORDERS = {"sqlite": ("rowid",), "postgresql": ("xmin::text::bigint", "cmin::text::bigint", "ctid")}


def _whole_table(database: "Connection", table: str, name: str) -> pl.DataFrame:
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    inspector, dialect = sqlalchemy.inspect(database), database.dialect
    schema, plain = (None, table) if table in table_names(database) else tuple(table.rsplit(".", 1))
    everything = sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(plain, schema=schema))
    order = _ORDERS.get(dialect.name, ())
    frame = None
    if order and plain in inspector.get_table_names(schema=schema):
        if dialect.name == "postgresql":
            keys = inspector.get_pk_constraint(plain, schema=schema)["constrained_columns"]
            order = tuple(dialect.identifier_preparer.quote(key) for key in keys) or order
        try:
            columns = (sqlalchemy.literal_column(key) for key in order)
            frame = _fetch(database.execute(everything.order_by(*columns)), name)
        except SQLAlchemyError:
            # A table without such numbers: WITHOUT ROWID, or kept on another server.
            database.rollback()
    frame = _fetch(database.execute(everything), name) if frame is None else frame
    is_sqlite = dialect.name == "sqlite"
    return _cast_as_in_schema(frame, inspector.get_columns(plain, schema=schema)) if is_sqlite else frame


def _fetch(result: Any, name: str) -> pl.DataFrame:
    """All rows as columns, a chunk at a time."""
    names = list(result.keys())
    refuse_patterns(names, name)
    columns: list[list[object]] = [[] for _ in names]
    for chunk in result.partitions(_CHUNK):
        for column, values in zip(columns, zip(*chunk, strict=True), strict=True):
            column.extend(values)
    named = zip(names, columns, strict=True)
    return frame_of([column_or_nested(key, values, name) for key, values in named], name)


def _cast_as_in_schema(frame: pl.DataFrame, declared: Sequence[Any]) -> pl.DataFrame:
    """SQLite stores booleans as 0 and 1, and times as text: take them as declared where the values fit."""
    from sqlalchemy import types

    changed = []
    for entry in declared:
        column = frame.get_column(entry["name"], default=None)
        if column is None or column.null_count() == len(column):
            continue
        kind, whole = entry["type"], column.dtype == pl.Int64
        if isinstance(kind, types.Boolean) and whole and column.drop_nulls().is_in([0, 1]).all():
            changed.append(column.cast(pl.Boolean))
        elif isinstance(kind, types.DateTime | types.Date) and column.dtype == pl.String:
            changed.append(_parse_times(column))
        elif isinstance(kind, types.Float | types.Numeric) and whole:
            changed.append(column.cast(pl.Float64))
    return frame.with_columns(changed)


def _parse_times(column: pl.Series) -> pl.Series:
    try:
        return column.str.replace(" ", "T", literal=True).str.to_datetime(time_unit="us", strict=True)
    except pl.exceptions.PolarsError:
        return column  # text in a column declared as a time: left as it is
