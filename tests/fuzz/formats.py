"""A table in every format, odd types, encodings and names of files among them."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzz.oddities import VALUES


@dataclass
class Grid:
    """A table as text."""

    names: list[str]
    rows: list[list[str]]
    target: list[str]

    def width(self) -> int:
        return len(self.names)


def as_csv(rng: Random, grid: Grid, *, delimiter: str = ",", end: str = "\n", header: bool = True) -> str:
    text = io.StringIO()
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([grid.names, *grid.rows] if header else grid.rows)
    return text.getvalue()


def _typed(text: str) -> Any:
    """A cell as a type that other formats know."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"": None, "true": True}.get(text, text)


def _columns(grid: Grid) -> dict[str, list[Any]]:
    return {name: [_typed(row[place]) if place < len(row) else None for row in grid.rows]
            for place, name in enumerate(grid.names)}  # fmt: skip


def write_text(rng: Random, grid: Grid, folder: Path) -> Path:
    ending, delimiter = rng.choice(
        (
            (".csv", ","),
            (".csv", ","),
            (".csv", ";"),
            (".tsv", "\t"),
            (".txt", " "),
            (".data", "|"),
            (".dat", ","),
        )
    )
    lines, header = rng.choice(("\n", "\n", "\r\n", "\r")), rng.random() < 0.9
    text = as_csv(rng, grid, delimiter=delimiter, end=lines, header=header)
    encoding = rng.choice(
        ("utf-8",) * 30
        + ("utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32", "utf-7", "shift_jis", "cp037")
    )
    data = text.encode(encoding, "replace")
    name = rng.choice(("table",) * 20 + ("-t", "a b", "ünï", "t[1]", "t*", "x" * 200, "😀", "a\nb")) + ending
    if rng.random() < 0.2:
        compress: dict[str, Callable[[bytes], bytes]] = {
            ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": lambda data: _zip(rng,
            name, data),
            ".zst": _zst,
        }  # fmt: skip
        ending = rng.choice(tuple(compress))
        name, data = name + ending, compress[ending](data)
    path = folder / name
    path.write_bytes(data)
    return path


def _zip(rng: Random, name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for inside in rng.choice(((name,), (name,), (), (name, "b.csv"), ("../up.csv",), ("folder/",))):
            archive.writestr(inside, data)
    return file.getvalue()


def _zst(data: bytes) -> bytes:
    import pyarrow as pa

    return pa.Codec("zstd").compress(data, asbytes=True)


def write_json_lines(rng: Random, grid: Grid, folder: Path) -> Path:
    columns = _columns(grid)
    rows = [{name: cells[row] for name, cells in columns.items()} for row in range(len(grid.rows))]
    for row in rows:
        if rng.random() < 0.1:
            row[rng.choice(list(row))] = rng.choice(VALUES)
        if rng.random() < 0.03:
            row.pop(rng.choice(list(row)))
    path = folder / f"table{rng.choice(('.jsonl', '.ndjson'))}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_json(rng: Random, grid: Grid, folder: Path) -> Path:
    columns = _columns(grid)
    rows = [{name: cells[row] for name, cells in columns.items()} for row in range(len(grid.rows))]
    whole: Any = rng.choice(
        (rows, rows, rows, columns, {"data": rows}, {"x": {"0": 1}}, [list(row) for row in grid.rows])
    )
    if rng.random() < 0.3 and isinstance(whole, list) and whole:
        whole = [rng.choice(VALUES) if rng.random() < 0.1 else row for row in whole]
    if rng.random() < 0.1:
        whole = rng.choice((*VALUES, "[" * 100_000))
    path = folder / "table.json"
    path.write_text(whole if isinstance(whole, str) and len(whole) > 9999 else json.dumps(whole))
    return path


def _arrow(rng: Random, grid: Grid) -> Any:
    """An Arrow table, some columns of which are of rarer types."""
    import pyarrow as pa

    rows = len(grid.rows)
    columns: dict[str, Any] = {}
    for name, cells in _columns(grid).items():
        try:
            columns[name] = pa.array(cells)
        except (pa.ArrowException, OverflowError, UnicodeError):
            columns[name] = pa.array([None if cell is None else str(cell) for cell in cells])
    rare: dict[str, Callable[[], Any]] = {
        "list": lambda: pa.array([[1, 2]] * rows, pa.list_(pa.int64())),
        "struct": lambda: pa.array([{"a": 1}] * rows),
        "decimal": lambda: pa.array([12] * rows, pa.decimal128(38, 5)),
        "binary": lambda: pa.array([b"\xff\0"] * rows),
        "date": lambda: pa.array([rng.choice((0, -(10**6), 2**31 - 1)) for _ in range(rows)], pa.date32()),
        "time": lambda: pa.array([1] * rows, pa.time64("ns")),
        "stamp": lambda: pa.array(
            [rng.choice((0, 2**62, -(2**62))) for _ in range(rows)], pa.timestamp("us", "UTC")
        ),
        "duration": lambda: pa.array([rng.choice((0, 2**62)) for _ in range(rows)], pa.duration("s")),
        "dictionary": lambda: pa.array(["a"] * rows).dictionary_encode(),
        "null": lambda: pa.nulls(rows),
        "half": lambda: pa.array(np.ones(rows, np.float16)),
        "unsigned": lambda: pa.array([2**64 - 1] * rows, pa.uint64()),
        "map": lambda: pa.array([[("a", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
        "large list": lambda: pa.array([[[1.0]]] * rows, pa.large_list(pa.list_(pa.float32()))),
        "fixed": lambda: pa.array([b"ab"] * rows, pa.binary(2)),
    }
    for kind in rng.sample(sorted(rare), rng.choice((0, 1, 1, 2))):
        columns[kind if rng.random() < 0.7 else grid.target[0]] = rare[kind]()
    if rng.random() < 0.9:
        return pa.table(columns)
    names = [*columns, rng.choice(list(columns))]
    return pa.Table.from_arrays([*columns.values(), columns[names[-1]]], names=names)


def write_parquet(rng: Random, grid: Grid, folder: Path) -> Path:
    import pyarrow.parquet as pq

    path = folder / f"table{rng.choice(('.parquet', '.pq'))}"
    table = _arrow(rng, grid)
    pq.write_table(
        table, path, row_group_size=rng.choice((None, 7)), compression=rng.choice(("snappy", "zstd", "none"))
    )
    return path


def write_arrow(rng: Random, grid: Grid, folder: Path) -> Path:
    import pyarrow as pa
    from pyarrow import feather

    path, table = folder / f"table{rng.choice(('.arrow', '.feather', '.ipc'))}", _arrow(rng, grid)
    how = rng.randrange(3)
    if how == 0:
        feather.write_feather(table, str(path), compression=rng.choice(("lz4", "zstd", "uncompressed")))
    else:
        make = pa.ipc.new_file if how == 1 else pa.ipc.new_stream
        with make(str(path), table.schema) as writer:
            writer.write_table(table)
    return path


def _array(rng: Random, rows: int) -> np.ndarray:
    numbers = np.array([rng.gauss(0, 1) for _ in range(rows * 3)]).reshape(rows, 3)
    return rng.choice(
        (
            lambda: numbers,
            lambda: numbers,
            lambda: numbers[:, 0],
            lambda: numbers.reshape(-1, 3, 1),
            lambda: numbers > 0,
            lambda: np.array(3.0),
            lambda: numbers.astype(complex),
            lambda: numbers.astype(str),
            lambda: numbers.astype(">f4"),
            lambda: numbers.astype("datetime64[s]"),
            lambda: np.empty((0, 3)),
            lambda: np.empty((rows, 0)),
            lambda: numbers.astype(object),
            lambda: np.zeros(rows, [("a", float), ("label", int)]),
            lambda: numbers * np.inf,
            lambda: numbers.astype("S3"),
            lambda: np.zeros(rows, [("a", float, 3), ("label", "V5")]),
            lambda: numbers * 1e300,
            lambda: np.zeros((rows, 2, 2, 2, 2)),
            lambda: numbers.astype(np.float16),
            lambda: numbers.astype("m8[D]"),
            lambda: np.asfortranarray(numbers),
            lambda: numbers.astype(np.longdouble),
            lambda: np.full(rows, 2**64 - 1, "u8"),
        )
    )()


def write_npy(rng: Random, grid: Grid, folder: Path) -> Path:
    path = folder / "table.npy"
    np.save(path, _array(rng, len(grid.rows)), allow_pickle=True)
    return path


def write_npz(rng: Random, grid: Grid, folder: Path) -> Path:
    path, rows = folder / "table.npz", len(grid.rows)
    names = rng.choice(
        (
            ("X", "y"),
            ("x_train", "y_train", "x_test", "y_test"),
            ("data", "target"),
            ("a",),
            ("x", "label"),
            (),
        )
    )
    arrays = {name: _array(rng, rows if rng.random() < 0.8 else rows + 1) for name in names}
    for name in arrays:
        if name.startswith(("y", "target", "label")) and rng.random() < 0.7:
            arrays[name] = np.array([rng.randrange(2) for _ in range(rows)])
    if arrays and rng.random() < 0.3:
        arrays[next(iter(arrays))] = np.zeros(
            (rows, 8, 8, rng.choice((1, 3, 5))), rng.choice((np.uint8, np.float32))
        )
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


def write_pickle(rng: Random, grid: Grid, folder: Path) -> Path:
    path, columns = folder / "table.pkl", _columns(grid)
    path.write_bytes(
        pickle.dumps(
            rng.choice((columns, [1, 2], (1, 2), None, {"X": [[1.0]], "y": [1]}, "text", {"a": {1}}))
        )
    )
    return path


def write_sqlite(rng: Random, grid: Grid, folder: Path) -> Path:
    path = folder / f"table{rng.choice(('.db', '.sqlite', '.sqlite3'))}"
    names = list(dict.fromkeys(name.replace("\0", "").casefold() or "_" for name in grid.names))
    with sqlite3.connect(path) as connection:
        tables = rng.choice(
            (("flowers",),) * 12 + (("flowers", "b"), (), ("a b",), ("sqlite", "-- x"), ('"',), ("select",))
        )
        for table in tables:
            quoted = table.replace('"', '""')
            listed = ", ".join(
                f'"{name.replace(chr(34), chr(34) * 2)}" {rng.choice(("", "INT", "TEXT", "DATE"))}'
                for name in names
            )
            connection.execute(f'CREATE TABLE "{quoted}" ({listed})')
            for row in grid.rows:
                cells = [_fits(rng, _typed(cell)) for cell in row[: len(names)]]
                cells += [None] * (len(names) - len(cells))
                connection.execute(f'INSERT INTO "{quoted}" VALUES ({", ".join("?" * len(names))})', cells)
        if rng.random() < 0.2:
            connection.execute(
                rng.choice(("CREATE VIEW broken AS SELECT * FROM lost", "CREATE VIEW v AS SELECT 1 AS a"))
            )
    connection.close()
    return path


def _fits(rng: Random, value: Any) -> Any:
    if rng.random() < 0.01:
        return rng.choice((b"\xff\0", b"", "text", 1.5, None))
    return str(value) if isinstance(value, int) and abs(value) >= 2**63 else value


WRITERS: dict[str, tuple[Callable[[Random, Grid, Path], Path], int]] = {
    "text": (write_text, 12),
    "json lines": (write_json_lines, 2),
    "json": (write_json, 2),
    "parquet": (write_parquet, 3),
    "arrow": (write_arrow, 2),
    "npy": (write_npy, 2),
    "npz": (write_npz, 2),
    "pickle": (write_pickle, 1),
    "sqlite": (write_sqlite, 3),
}
