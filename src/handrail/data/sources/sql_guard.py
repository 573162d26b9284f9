"""A query may only read: how databases are opened for it, and what is refused before they see it."""

import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from handrail.errors import DataError

_BEGINNINGS = ("select", "with", "values", "table", "from")
# Texts, quoted names and comments, in which a semicolon or a word means nothing.
_QUOTED = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$""", re.DOTALL
)
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_SAVEPOINT,
}
# What SQLAlchemy asks to find tables and columns; all other pragmas can change something.
_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"}
_PRAGMAS |= {"foreign_key_list", "database_list", "reverse_unordered_selects"}
_ASKED = ("read_uncommitted", None)  # by SQLAlchemy when it connects; with a value it would be set
_REACHES_OUT = {"load_extension", "writefile", "edit", "fts3_tokenizer", "readfile"}


def check_query(query: str, name: str) -> None:
    """Raises: `DataError` for several statements, and for one that does not begin as one that reads."""
    bare = _QUOTED.sub(" ", query).strip().rstrip("; \n\t\r")
    # Where a backslash may stand before a quote, it depends on the database where a text ends.
    several = ";" in bare or (re.search(r"\\['\"`]", query) and ";" in query.rstrip("; \n\t\r"))
    if several:
        raise DataError(f"{name}: the query holds several statements; expected one. The query was: {query}")
    first = re.match(r"[\s(]*(\w*)", bare)
    if first is None or first[1].lower() not in _BEGINNINGS:
        raise DataError(f"{name}: the query does not only read; expected a SELECT. The query was: {query}")
    if re.search(r"\binto\s+(?:outfile|dumpfile)\b", bare, re.IGNORECASE):
        raise DataError(f"{name}: the query writes a file; expected a SELECT. The query was: {query}")


def connect_sqlite(database: str | None) -> sqlite3.Connection:
    """A connection that cannot change the file, make one, or reach another.

    Arguments:
        database: a path, a `file:` URI, or None for an empty database in memory.
    """
    if database in (None, "", ":memory:"):
        connection = sqlite3.connect(":memory:", check_same_thread=False)
    else:
        path = unquote(database[5:].partition("?")[0]) if database.startswith("file:") else database
        address = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_authorise)
    return connection


def _authorise(action: int, first: str | None, second: str | None, *_rest: Any) -> int:
    if action in _ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in _REACHES_OUT else sqlite3.SQLITE_OK
    pragma = (first or "").lower()
    if action == sqlite3.SQLITE_PRAGMA and (pragma in _PRAGMAS or (pragma, second) == _ASKED):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
