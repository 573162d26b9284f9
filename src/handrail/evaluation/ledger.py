"""The ledger of sealed test rows: who opened them, when, and with what result.

One SQLite file for all projects of a user. A set of test rows is known by its fingerprint, so a new run,
recipe or folder does not make old test rows new again; the rows' hashes are stored too, so that a set which
only shares rows with an opened one is found as well. The file holds no data, only hashes. An opening is
written, complete and on disk, before anything is measured.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt64

from handrail.data.split import hash_sets
from handrail.errors import SealError
from handrail.tools.files import sweep_beside, temporary_beside
from handrail.tools.interface import argument
from handrail.tools.moved import forward

__getattr__ = forward(__name__)

SAME = 0.5  # a set that shares this part of its rows with an opened one counts as opened
_FORECAST = "mase"  # a figure that only forecasts have
_WAIT = 30.0  # seconds that another process may hold the ledger
_VERSION = 1
_TABLES = (
    """CREATE TABLE IF NOT EXISTS openings (
        id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, "when" TEXT NOT NULL, run TEXT NOT NULL,
        recipe TEXT NOT NULL, recipe_hash TEXT NOT NULL, rows INTEGER NOT NULL, again INTEGER NOT NULL,
        figures TEXT)""",
    "CREATE INDEX IF NOT EXISTS openings_of ON openings (fingerprint)",
    """CREATE TABLE IF NOT EXISTS row_hashes (
        fingerprint TEXT PRIMARY KEY, thinning INTEGER NOT NULL, hashes BLOB NOT NULL)""",
    f"PRAGMA user_version = {_VERSION}",
)
# Which openings of forecasts are known by the rows of their table; former versions knew them by windows.
_MOMENTS = "CREATE TABLE IF NOT EXISTS moments (fingerprint TEXT PRIMARY KEY)"
_NEEDED = {
    "openings": {"id", "fingerprint", "when", "run", "recipe", "recipe_hash", "rows", "again", "figures"},
    "row_hashes": {"fingerprint", "thinning", "hashes"},
}
_COLUMNS = '"when", run, recipe, recipe_hash, rows, again, figures'
_INSERT = f"INSERT INTO openings (fingerprint, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)"  # noqa: S608


@dataclass(frozen=True)
class Opening:
    """One opening of a set of test rows; `figures` is None where the measurement never finished."""

    when: str
    run: str
    recipe: str
    recipe_hash: str
    rows: int
    again: bool
    figures: dict[str, Any] | None


@dataclass(frozen=True)
class OpeningTicket:
    """Permission to measure once.

    number: of the openings of these very rows. shared: former openings of other sets that hold some of them,
    with their share. unknown: former openings of forecasts that cannot be compared with these rows.
    """

    identifier: int
    fingerprint: str
    when: str
    number: int
    shared: tuple[tuple[Opening, float], ...] = ()
    unknown: int = 0

    @property
    def again(self) -> bool:
        """Whether these rows had been opened before."""
        return self.number > 1


def default_folder() -> Path:
    """The ledger's folder: `HANDRAIL_HOME`, or `handrail` in the user's data folder. Read at each call."""
    if home := os.environ.get("HANDRAIL_HOME"):
        return Path(home).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "handrail"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "handrail"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "handrail"


class Ledger:
    """The openings of all sealed test rows.

    Arguments:
        folder: of `ledger.sqlite`; None for `default_folder()`, looked up at each call.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The ledger's file, which need not exist yet."""
        return (self._folder or default_folder()) / "ledger.sqlite"

    def openings(self, fingerprint: str) -> list[Opening]:
        """The openings of these rows, oldest first. Creates nothing.

        Raises: `SealError` when the ledger cannot be read.
        """
        with self._connect() as connection:
            return _openings(connection, fingerprint) if connection else []

    def check_seal(self, fingerprint: str) -> None:
        """Raises: `SealError` when these rows have been opened before."""
        before = self.openings(fingerprint)
        if before:
            raise SealError(_refusal(before))

    def open_seal(
        self,
        fingerprint: str,
        *,
        run: str,
        recipe: str,
        recipe_hash: str,
        rows: int,
        row_hashes: UInt64[np.ndarray, " rows"],
        window_hashes: UInt64[np.ndarray, " windows"] | None = None,
        again: bool = False,
    ) -> OpeningTicket:
        """Record an opening and permit to measure. Of several processes at once, one is first.

        Arguments:
            window_hashes: of a forecast, by which former versions knew its rows.
            again: open rows that have been opened before; the ticket then says so.

        Raises: `SealError` when the rows, or at least half of them, have been opened before and `again` is
            not set, or the opening cannot be written. Nothing may be measured then.
        """
        thinning, hashes = hash_sets.thin(row_hashes)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction("The seal stays closed and nothing was measured.") as connection:
            before = _openings(connection, fingerprint)
            if before and not again:
                raise SealError(_refusal(before))
            shared, unknown = _overlap(connection, row_hashes), 0
            if window_hashes is not None:
                shared += _overlap(connection, window_hashes, itself=True)
                unknown = _note_moments(connection, fingerprint, [opening for opening, _ in shared])
            if not again:
                refuse_shared(shared, len(row_hashes))
            entry = (fingerprint, when, str(run), recipe, recipe_hash, int(rows), bool(before))
            cursor = connection.execute(_INSERT, entry)
            connection.execute(
                "INSERT OR IGNORE INTO row_hashes VALUES (?, ?, ?)", (fingerprint, thinning, hashes.tobytes())
            )
            number = int(cursor.lastrowid or 0)
            return OpeningTicket(number, fingerprint, when, len(before) + 1, tuple(shared), unknown)

    def record(self, ticket: OpeningTicket, figures: Mapping[str, Any]) -> None:
        """Add the metrics to an opening; a number that is not finite becomes null.

        Raises: `SealError` when they cannot be written or the opening is missing; it counts all the same.
        """
        text = json.dumps(_plain(figures), allow_nan=False)
        with self._transaction("The opening counts, but its figures are not in the ledger.") as connection:
            cursor = connection.execute(
                "UPDATE openings SET figures = ? WHERE id = ? AND fingerprint = ?",
                (text, ticket.identifier, ticket.fingerprint),
            )
            if cursor.rowcount != 1:
                raise SealError(
                    f"The ledger {self.path} does not hold the opening of {ticket.when} whose figures were "
                    "to be recorded; it has been replaced or changed since. Restore the former file."
                )

    def overlap(self, row_hashes: UInt64[np.ndarray, " rows"]) -> list[tuple[Opening, float]]:
        """Other opened sets that share rows with these: the latest opening of each, and its share of them.

        The largest share comes first. The same set (the same fingerprint) is not included; see `openings`.
        Sets above 2,000,000 rows are stored, and compared, by a sample of their hashes.

        Raises: `SealError` when the ledger cannot be read.
        """
        with self._connect() as connection:
            return _overlap(connection, row_hashes) if connection else []

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to read an existing ledger, or None where there is none."""
        with self._explain("Whether the test rows were opened before is not known."):
            if not self.path.exists():
                yield None
                return
            # Not "ro": a journal left by a killed process must be played back first.
            address = f"{self.path.resolve().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, timeout=_WAIT)) as connection:
                _check(connection, self.path)
                yield connection

    @contextmanager
    def _transaction(self, consequence: str) -> Iterator[sqlite3.Connection]:
        """A connection to write inside one exclusive transaction; any error undoes it."""
        with self._explain(consequence):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep_beside(self.path)
            if not self.path.exists():
                _create(self.path)
            address = f"{self.path.resolve().as_uri()}?mode=rw"
            options: Any = {"uri": True, "isolation_level": None, "timeout": _WAIT}
            with closing(sqlite3.connect(address, **options)) as connection:
                connection.execute("PRAGMA synchronous = EXTRA")  # on disk before anything is measured
                connection.execute("BEGIN IMMEDIATE")
                try:
                    _check(connection, self.path)
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    @contextmanager
    def _explain(self, consequence: str) -> Iterator[None]:
        """Errors of SQLite and of the file system as a `SealError`."""
        try:
            yield
        except sqlite3.OperationalError as error:
            advice = "Make its folder writable, free disk space, or let HANDRAIL_HOME name another folder."
            if "locked" in str(error):
                advice = "Another process holds it; try again when that one has ended."
            raise SealError(
                f"The ledger {self.path} cannot be used ({error}). {consequence} {advice}"
            ) from error
        except (sqlite3.DatabaseError, IndexError, ValueError) as error:
            if isinstance(error, SealError):
                raise
            raise SealError(
                f"The ledger {self.path} is damaged ({error}). {consequence} Put a copy of it back; if "
                "there is none, move the file away, and say in your report that former openings are unknown."
            ) from error
        except OSError as error:
            raise SealError(
                f"The ledger {self.path} cannot be used ({error.strerror or error}). {consequence} "
                "Make its folder writable, or let HANDRAIL_HOME name another folder."
            ) from error


def _openings(connection: sqlite3.Connection, fingerprint: str) -> list[Opening]:
    query = f"SELECT {_COLUMNS} FROM openings WHERE fingerprint = ? ORDER BY id"  # noqa: S608
    return [
        Opening(*facts, again=bool(again), figures=None if figures is None else json.loads(figures))
        for *facts, again, figures in connection.execute(query, (fingerprint,))
    ]


def _overlap(
    connection: sqlite3.Connection, row_hashes: np.ndarray, *, itself: bool = False
) -> list[tuple[Opening, float]]:
    """The latest opening of each other set that shares rows with these, and its share of them.

    Arguments:
        itself: count the same set, too.
    """
    own = hash_sets.sort_hashes(row_hashes)
    name = "" if itself else hash_sets.fingerprint(row_hashes)
    shares: list[tuple[Opening, float]] = []
    query = "SELECT fingerprint, thinning, hashes FROM row_hashes WHERE fingerprint != ?"
    for other, thinning, blob in connection.execute(query, (name,)):
        share = hash_sets.share(hash_sets.sample(own, thinning), np.frombuffer(blob, dtype="<u8"))
        if share > 0:
            shares.append((_openings(connection, other)[-1], share))
    return sorted(shares, key=lambda pair: -pair[1])


def refuse_shared(shared: Sequence[tuple[Opening, float]], rows: int) -> None:
    """Raises: `SealError` when at least half of the rows have been opened before in another set."""
    for opening, share in shared:
        if share >= SAME:
            raise SealError(
                f"{share:.0%} of these {rows:,} test rows have been opened before in another "
                f"set, at {opening.when} by the recipe '{opening.recipe}' in the run '{opening.run}'. "
                f"`{argument('again')}` measures once more and marks the figures."
            )


def _note_moments(connection: sqlite3.Connection, fingerprint: str, shared: Sequence[Opening]) -> int:
    """Note that a forecast is known by the rows of its table.

    Returns: how many openings of forecasts are known by windows alone and are none of `shared`: whether they
    had these rows cannot be told, since windows of another history or horizon have other hashes.
    """
    connection.execute(_MOMENTS)
    known = {name for (name,) in connection.execute("SELECT fingerprint FROM moments")}
    rows = connection.execute('SELECT fingerprint, "when", run, figures FROM openings').fetchall()
    compared = {(opening.when, opening.run) for opening in shared}
    by_windows = {
        name
        for name, when, run, figures in rows
        if name not in known and (when, run) not in compared and _FORECAST in json.loads(figures or "{}")
    }
    connection.execute("INSERT OR IGNORE INTO moments VALUES (?)", (fingerprint,))
    return len(by_windows)


def _create(path: Path) -> None:
    """A ledger without openings, whole from the start: an empty file means damage."""
    temporary = temporary_beside(path)
    try:
        with closing(sqlite3.connect(temporary, timeout=_WAIT)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")  # nobody else knows it; a kill leaves one file
            for statement in _TABLES:
                connection.execute(statement)
            connection.commit()
        try:
            os.link(temporary, path)  # unlike a rename, never in the place of another's
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not path.exists():
                temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises: `SealError` for a newer version, SQLite's error for a file that is not whole."""
    if path.stat().st_size == 0:
        raise sqlite3.DatabaseError("it is empty")
    _check_version(connection, path)
    for table, needed in _NEEDED.items():
        columns = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        if not columns:
            raise sqlite3.DatabaseError(f"it has no table '{table}'")
        if not columns >= needed:
            raise sqlite3.DatabaseError(f"its table '{table}' lacks {', '.join(sorted(needed - columns))}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(str(verdict).replace("\n", " "))


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise SealError(
            f"The ledger {path} is of version {version}, written by a newer handrail; "
            f"this one knows version {_VERSION}. Update handrail."
        )


def _refusal(before: list[Opening]) -> str:
    times = "once" if len(before) == 1 else f"{len(before)} times"
    last = before[-1]
    unfinished = "" if last.figures is not None else " That measurement recorded no figures."
    return (
        f"These {last.rows} test rows have been opened {times} before, the last time at {last.when} by the "
        f"recipe '{last.recipe}' ({last.recipe_hash[:12]}) in the run '{last.run}'.{unfinished} "
        f"`{argument('again')}` measures once more and marks the figures as those of rows that are no longer "
        "unseen."
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
