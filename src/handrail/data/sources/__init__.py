"""`read`: from anything that holds a table to a `Table`."""

import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from handrail.data.raw_files import decode, kind_of, read_bytes, unpack
from handrail.data.sources.arrays import read_npy, read_npz
from handrail.data.sources.bundled import PREFIX, read_example
from handrail.data.sources.columnar import read_arrow, read_json, read_json_lines, read_parquet
from handrail.data.sources.delimited import read_delimited
from handrail.data.sources.media import has_items, read_items, with_pictures
from handrail.data.sources.objects import from_object
from handrail.data.sources.pickles import read_pickle
from handrail.data.sources.sql import is_url, read_sql
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions

Reader = Callable[..., Table]

FORMATS: dict[str, str] = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".data", ".dat", ".tab"), "text"),
    ".json": "json",
    **dict.fromkeys((".jsonl", ".ndjson"), "json lines"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    ".npz": "npz",
    ".npy": "npy",
    **dict.fromkeys((".pkl", ".pickle"), "pickle"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "sqlite"),
}
_BY_CONTENT = {"Parquet": "parquet", "Arrow": "arrow", "Arrow stream": "arrow", "NPZ": "npz", "NPY": "npy"}
_BY_CONTENT |= {"SQLite": "sqlite", "pickle": "pickle"}
_READERS: dict[str, Reader] = {
    "json": read_json,
    "json lines": read_json_lines,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "npz": read_npz,
    "npy": read_npy,
    "pickle": read_pickle,
}
_ALWAYS = frozenset(("names", "missing"))
_USED: dict[str, frozenset[str]] = {
    "text": _ALWAYS | {"delimiter", "header", "quote", "encoding", "decimal"},
    "json": _ALWAYS | {"encoding"},
    "json lines": _ALWAYS | {"encoding"},
    "npz": _ALWAYS | {"key"},
    "pickle": _ALWAYS | {"key", "allow_pickle"},
    "sqlite": _ALWAYS | {"table", "query"},
    "sql": _ALWAYS | {"table", "query"},
    "bundled": frozenset(("names",)),
    "dictionary": _ALWAYS | {"key"},
}


def read(
    source: object, *, options: ReadOptions | None = None, cache_in: Path | None = None, labelled: bool = True
) -> Table:
    """The table that a source holds.

    Arguments:
        source: a path, a folder of pictures, sounds or texts, a pattern such as `data/*.csv` or a list of
            paths (put one below the other), a database URL, `bundled:iris`, or an object: a data frame, an
            array, a dictionary of columns, a pair (X, y).
        options: settings of reading; what they leave out is found out.
        cache_in: where decoded pictures are kept while they are used; nothing stays there.
        labelled: whether a folder of files has to say what is to be learned of them.

    Raises: `DataError` when there is no such source, when it cannot be read as a table, when it has no rows,
    and for settings that would have no effect on it.
    """
    options = options or ReadOptions()
    table = _read(source, options, cache_in, labelled)
    if table.frame.height == 0 or table.frame.width == 0:
        found = f"{table.frame.width} columns and no rows" if table.frame.width else "no columns"
        raise DataError(f"{table.source} has {found}; expected at least one row of data.")
    return table


def read_expecting(
    source: object,
    names: Sequence[str],
    *,
    options: ReadOptions | None = None,
    cache_in: Path | None = None,
    labelled: bool = True,
) -> Table:
    """As `read`, for a table that is known to have columns of these names.

    A text file whose first line was taken for data, but holds all the names, has a header.
    """
    options = options or ReadOptions()
    table = read(source, options=options, cache_in=cache_in, labelled=labelled)
    if not table.is_text or options.header is not None or options.names or not names or not len(table.frame):
        return table
    if set(names) <= set(table.frame.columns) or not set(names) <= {
        str(value) for value in table.frame.row(0)
    }:
        return table
    return read(source, options=options.model_copy(update={"header": True}))


def _read(source: Any, options: ReadOptions, cache_in: Path | None, labelled: bool) -> Table:
    if isinstance(source, Table):
        refuse_idle_options(options, frozenset(), source.source)
        return source
    if isinstance(source, str) and source.startswith(PREFIX):
        refuse_idle_options(options, _USED["bundled"], source)
        return read_example(source, options=options)
    if isinstance(source, str) and is_url(source):
        return _read_url(source, options)
    if isinstance(source, str | Path):
        return _read_paths(matching(source), str(source), options, cache_in, labelled)
    if isinstance(source, list | tuple) and source and all(isinstance(part, str | Path) for part in source):
        paths = sorted({path for part in source for path in matching(part)})
        return _read_paths(paths, f"{len(paths)} files", options, cache_in, labelled)
    refuse_idle_options(
        options, _USED["dictionary"] if isinstance(source, dict) else _ALWAYS, f"a {type(source).__name__}"
    )
    return from_object(source, options=options)


def _read_paths(
    paths: Sequence[Path], name: str, options: ReadOptions, cache_in: Path | None, labelled: bool
) -> Table:
    """A folder, files of images or series, or files of tables, whose columns may name pictures."""
    if len(paths) == 1 and paths[0].is_dir():
        paths = parquet_in(paths[0]) or paths
    if has_items(paths):
        refuse_idle_options(options, frozenset({"encoding"}), paths[0].name)
        return read_items(paths, options=options, cache_in=cache_in, labelled=labelled)
    table = read_file(paths[0], options=options) if len(paths) == 1 else _read_files(paths, name, options)
    return with_pictures(table, paths[0].parent, cache_in=cache_in)


def _read_url(source: str, options: ReadOptions) -> Table:
    scheme = source.split("://", 1)[0].lower()
    if scheme in ("http", "https", "ftp", "s3", "gs"):
        raise DataError(f"{scheme} addresses are not read; download the file first and name it here.")
    if scheme == "file":
        return read_file(Path(source.split("://", 1)[1]), options=options)
    refuse_idle_options(options, _USED["sql"], "a database")
    return read_sql(source, options=options)


def refuse_idle_options(options: ReadOptions, used: frozenset[str], what: str) -> None:
    """Raises: `DataError` with every given setting that would have no effect on this source."""
    idle = [key for key in options.given() if key not in used]
    if idle:
        valid = f"; these would: {', '.join(sorted(used))}" if used else ""
        raise DataError(
            [f"the setting '{key}' would have no effect on {what}{valid}. Leave it out." for key in idle]
        )


def matching(source: str | Path) -> list[Path]:
    """The files that a path or a pattern names, sorted. A path without pattern comes back as it is.

    Raises: `DataError` when no file matches a pattern.
    """
    path = Path(source).expanduser()
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207 (absolute patterns)
    if not found:
        raise DataError(f"no file matches the pattern {source}. Check the folder and the ending.")
    return found


def parquet_in(folder: Path) -> list[Path]:
    """The files of a folder that holds nothing but Parquet; hidden ones and those that begin with `_` do not
    count.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    except OSError:  # whoever reads the folder says so
        return []
    return (
        inside
        if all(path.is_file() and FORMATS.get(path.suffix.lower()) == "parquet" for path in inside)
        else []
    )


def read_file(path: Path, *, options: ReadOptions) -> Table:
    """One file, by its ending, or by its content where the ending says nothing.

    Raises: `DataError` as `read`.
    """
    if FORMATS.get(path.suffix.lower()) == "sqlite":
        return _read_sqlite(path, options)
    data, inner = unpack(read_bytes(path), path)
    kind = FORMATS.get(Path(inner).suffix.lower()) or _format_of(data, path, options)
    if kind == "sqlite":
        if inner != path.name:
            raise DataError(f"{path} holds a compressed SQLite file; decompress it first.")
        return _read_sqlite(path, options)
    refuse_idle_options(options, _USED.get(kind, _ALWAYS), f"{path.name} ({kind})")
    if kind == "text":
        text, encoding = decode(data, path.name, encoding=options.encoding)
        table = read_delimited(text, inner, options=options)
        notes = (
            table.notes if encoding in ("utf-8", "utf-8-sig") else (f"{table.notes[0]}, encoding {encoding}",)
        )
        return _rename_source(table, path.name, notes)
    return _READERS[kind](data, path.name, options=options)


def _read_sqlite(path: Path, options: ReadOptions) -> Table:
    from sqlalchemy import URL

    refuse_idle_options(options, _USED["sqlite"], f"{path.name} (SQLite)")
    url = URL.create("sqlite", database=str(path))
    return read_sql(url.render_as_string(hide_password=False), options=options, name=path.name)


def _rename_source(table: Table, name: str, notes: tuple[str, ...]) -> Table:
    return Table(
        table.frame, name, first_row=table.first_row, notes=notes, is_text=table.is_text, namer=table.namer
    )


def _format_of(data: bytes, path: Path, options: ReadOptions) -> str:
    """The format by content. Raises: `DataError` for binary content that is no table."""
    kind = kind_of(data)
    if kind in _BY_CONTENT:
        return _BY_CONTENT[kind]
    text, _ = decode(data, path.name, encoding=options.encoding)
    start = text.lstrip()[:1]
    if start == "[":
        return "json"
    if start == "{":
        return (
            "json lines"
            if text.lstrip().split("\n", 1)[0].rstrip().endswith("}") and "\n" in text.strip()
            else "json"
        )
    return "text"


def _read_files(paths: Sequence[Path], name: str, options: ReadOptions) -> Table:
    """Several files with the same columns, one below the other."""
    tables = [read_file(path, options=options) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if set(table.frame.columns) != set(tables[0].frame.columns):
            raise DataError(_difference(tables[0], table, paths[0], path))
    frames = [table.frame.select(tables[0].frame.columns) for table in tables]
    frame = pl.concat(_agreeing(frames, paths), how="vertical")
    starts = [0]
    for part in frames:
        starts.append(starts[-1] + part.height)

    def row_name(index: int) -> str:
        part = next(i for i, end in enumerate(starts[1:]) if index < end)
        return f"{tables[part].row_name(index - starts[part])} of {tables[part].source}"

    notes = (f"{name}: {len(tables)} files", *(note for table in tables for note in table.notes))
    return Table(frame, name, notes=notes, is_text=all(table.is_text for table in tables), namer=row_name)


def _difference(first: Table, other: Table, first_path: Path, path: Path) -> str:
    lacks = [f"'{name}'" for name in first.frame.columns if name not in other.frame.columns]
    adds = [f"'{name}'" for name in other.frame.columns if name not in first.frame.columns]
    parts = [
        f"{word} {', '.join(names[:8])}" for word, names in (("lacks", lacks), ("has besides", adds)) if names
    ]
    return f"{path} has other columns than {first_path}: it {' and '.join(parts)}. Files read together need the same columns."


def _agreeing(frames: Sequence[pl.DataFrame], paths: Sequence[Path]) -> list[pl.DataFrame]:
    """Numbers of any kind as the widest; a column that is empty in one file takes the type it has in the
    others.
    """
    target: dict[str, Any] = {}
    for frame, path in zip(frames, paths, strict=True):
        for name, kind in frame.schema.items():
            known = target.get(name)
            if known is None or known == kind or _empty(frame, name):
                target.setdefault(name, kind)
            elif known.is_numeric() and kind.is_numeric():
                target[name] = pl.Int64() if known.is_integer() and kind.is_integer() else pl.Float64()
            elif all(_empty(other, name) for other in frames[: list(paths).index(path)]):
                target[name] = kind
            else:
                raise DataError(
                    f"{path}: column '{name}' holds {kind}, and {known} in the files before it; expected one "
                    "type."
                )
    return [
        frame.cast({name: kind for name, kind in target.items() if frame.schema[name] != kind})
        for frame in frames
    ]


def _empty(frame: pl.DataFrame, name: str) -> bool:
    return frame.get_column(name).null_count() == frame.height
