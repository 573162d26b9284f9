"""`read`: from anything that holds a table to a `Table`.

May import tables, stores, tasks and `recipe`. A new format is a reader, entered in `FORMATS` and `_READERS`.
"""

import glob
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from handrail.data.limits import check_columns, check_file, check_holes
from handrail.data.missing_words import join_words
from handrail.data.raw_files import (
    COMPRESSED,
    as_utf8,
    decode,
    kind_of,
    read_bytes,
    refuse_special_file,
    unpack,
)
from handrail.data.sources.cells import rename_columns
from handrail.data.sources.columnar import (
    read_arrow,
    read_json,
    read_json_lines,
    read_npy,
    read_npz,
    read_parquet,
)
from handrail.data.sources.delimited import read_delimited
from handrail.data.sources.duplicates import number_names
from handrail.data.sources.layout.evidence import gather
from handrail.data.sources.layout.guessed_encoding import report_guess
from handrail.data.sources.media import has_items, read_items, with_pictures
from handrail.data.sources.media.foreign_boxes import refuse_boxes_file
from handrail.data.sources.numbers import decide, notations_of, report_decisions, write_plainly
from handrail.data.sources.objects import from_object, read_pickle
from handrail.data.sources.sql import is_url, read_sql, sqlite_url
from handrail.data.sources.toys import read_toy
from handrail.data.sources.unusable import refuse_unusable
from handrail.data.table import Table
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import BUNDLED, TOY, Limits, ReadOptions, is_named
from handrail.tools.files import expand_user

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
_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
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
_ALWAYS = frozenset(("names", "missing", "decimal", "thousands", "numbers", "notations"))
_USED: dict[str, frozenset[str]] = {
    "text": _ALWAYS | {"delimiter", "header", "skip", "comment", "rows", "quote", "encoding"},
    "json": _ALWAYS | {"encoding"},
    "json lines": _ALWAYS | {"encoding"},
    "npz": _ALWAYS | {"key"},
    "pickle": _ALWAYS | {"key", "allow_pickle"},
    "sqlite": _ALWAYS | {"table", "query"},
    "sql": _ALWAYS | {"table", "query"},
    "named": frozenset(("names",)),
    "dictionary": _ALWAYS | {"key"},
}


def read(
    source: object,
    *,
    options: ReadOptions | None = None,
    cache_in: Path | None = None,
    labelled: bool = True,
    drop: Collection[str] | None = (),
) -> Table:
    """The table that a source holds.

    Arguments:
        source: a path, a folder of pictures, sounds or texts, a pattern such as `data/*.csv` or a list of
            paths (put one below the other), a database URL, `bundled:iris`, `toy:moons`, or an object: a data
            frame, an array, a dictionary of columns, a pair (X, y).
        options: settings of reading; what they leave out is detected.
        cache_in: where decoded pictures are kept while they are used; nothing stays there.
        labelled: whether a folder of files must give their classes or other targets.
        drop: columns that may hold what no network can take (lists, records, binary values), as they are left
            out; None for all. They are empty in the table.

    Raises: `DataError` for a source that does not exist, is no table or has no rows, and for settings that
        would have no effect on it.
    """
    options = options or ReadOptions()
    table = _read(source, options, cache_in, labelled)
    refuse_unusable(table.unusable, table.source, drop=drop)
    table = table if table.is_text else _with_plain_numbers(table, options)
    check_columns(table.frame.width, table.source, options.limits)
    if table.frame.height == 0 or table.frame.width == 0:
        what = f"{table.frame.width} columns and no rows" if table.frame.width else "no columns"
        raise DataError(f"{table.source} has {what}; expected at least one row of data.")
    return table


def read_expecting(
    source: object,
    names: Sequence[str],
    *,
    options: ReadOptions | None = None,
    cache_in: Path | None = None,
    labelled: bool = True,
    drop: Collection[str] | None = (),
) -> Table:
    """As `read`, for a table that is known to have columns of these names, of use to a network.

    A text file whose first line was taken for data, but holds all the names, has a header.
    """
    options = options or ReadOptions()
    table = read(source, options=options, cache_in=cache_in, labelled=labelled, drop=None)
    refuse_unusable(table.unusable, table.source, drop=drop, needed=names)
    if not table.is_text or options.header is not None or options.names or not names or not len(table.frame):
        return table
    first = set(number_names([str(value) for value in table.frame.row(0)]))
    if set(names) <= set(table.frame.columns) or not set(names) <= first:
        return table
    return read(source, options=options.model_copy(update={"header": True}))


def as_written(options: ReadOptions) -> ReadOptions:
    """Options by which a table is kept as it is, so that it can be read again by `options`."""
    update = {"decimal": None, "thousands": None, "numbers": "plain", "notations": {}}
    return options.model_copy(update=update)


def _with_plain_numbers(table: Table, options: ReadOptions) -> Table:
    """A typed table with the numbers in its texts written plainly."""
    if table.stores or pl.String not in table.frame.dtypes:
        return table
    decisions = decide(gather(table.frame), options)
    notations = notations_of(decisions)
    findings = (*table.findings, *report_decisions(decisions))
    frame = write_plainly(table.frame, notations) if notations else table.frame
    return replace(table, frame=frame, findings=findings, notations=notations)


def _read(source: Any, options: ReadOptions, cache_in: Path | None, labelled: bool) -> Table:
    if isinstance(source, Table):
        refuse_idle_options(options, frozenset(), source.source)
        return source
    if isinstance(source, str) and is_named(source):
        refuse_idle_options(options, _USED["named"], source)
        return read_toy(source, options) if source.startswith(TOY) else _read_example(source, options)
    if isinstance(source, str) and is_url(source):
        return _read_url(source, options)
    if isinstance(source, str | Path):
        return _read_paths(matching(source), str(source), options, cache_in, labelled)
    if isinstance(source, list | tuple) and source and all(isinstance(part, str | Path) for part in source):
        paths = sorted({path for part in source for path in matching(part)})
        return _read_paths(paths, f"{len(paths)} files", options, cache_in, labelled)
    used = _USED["dictionary"] if isinstance(source, dict) else _ALWAYS
    refuse_idle_options(options, used, f"a {type(source).__name__}")
    return from_object(source, options=options)


def _read_example(source: str, options: ReadOptions) -> Table:
    """One of scikit-learn's small data sets; the last column is `target`, with the names of the classes."""
    name = source.removeprefix(BUNDLED)
    if name not in _BUNDLED:
        raise DataError(f"there is no bundled data set '{name}'.{did_you_mean(name, _BUNDLED)}")
    from sklearn import datasets

    # The diabetes data come scaled by a mean and a deviation of all rows unless we ask for them as measured.
    data = getattr(datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    columns = {str(key): data.data[:, i] for i, key in enumerate(data.feature_names)}
    plain = name in ("digits", "diabetes")
    target = data.target if plain else [str(data.target_names[i]) for i in data.target]
    frame = pl.DataFrame({**columns, "target": target})
    frame = rename_columns(frame, options.names, source)
    return Table(frame, source, target=frame.columns[-1])


def _read_paths(
    paths: Sequence[Path], name: str, options: ReadOptions, cache_in: Path | None, labelled: bool
) -> Table:
    """A folder, files of images or series, or files of tables, whose columns may name pictures."""
    if len(paths) == 1 and paths[0].is_dir():
        paths = parquet_in(paths[0]) or paths
    if has_items(paths):
        refuse_idle_options(options, frozenset({"encoding"}), paths[0].name)
        return read_items(paths, options=options, cache_in=cache_in, labelled=labelled)
    if len(paths) == 1:
        refuse_boxes_file(paths[0])
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
            [f"the setting '{k}' would have no effect on {what}{valid}. Leave it out." for k in idle]
        )


def matching(source: str | Path) -> list[Path]:
    """The files that a path or a pattern names, sorted. Raises: `DataError` when none matches a pattern."""
    path = expand_user(source)
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207 (absolute patterns)
    files = sorted(Path(name) for name in names if Path(name).is_file())
    if not files:
        raise DataError(f"no file matches the pattern {source}. Check the folder and the ending.")
    return files


def parquet_in(folder: Path) -> list[Path]:
    """The files of a folder of Parquet alone; names that begin with a point or `_` do not count."""
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    except OSError:  # reported by the reader of the folder
        return []
    is_parquet = (path.is_file() and FORMATS.get(path.suffix.lower()) == "parquet" for path in inside)
    return inside if all(is_parquet) else []


def look_at_file(path: Path, limits: Limits) -> None:
    """A look at a file from outside. Raises: `DataError` for a table that is too large, or mostly holes."""
    suffix = path.suffix.lower()
    if not path.is_file() or (suffix not in FORMATS and suffix not in COMPRESSED):
        return  # pictures and the like have limits of their own
    check = check_holes if FORMATS.get(suffix) in ("parquet", "sqlite") else check_file
    check(path, limits)


def read_file(path: Path, *, options: ReadOptions) -> Table:
    """One file, by its ending or else by its content. Raises: `DataError` as `read`."""
    refuse_special_file(path)
    if FORMATS.get(path.suffix.lower()) == "sqlite":
        return _read_sqlite(path, options)
    data, inner = unpack(read_bytes(path, options.limits), path, options.limits)
    kind = FORMATS.get(Path(inner).suffix.lower()) or _format_of(data, path, options)
    if kind == "sqlite":
        if inner != path.name:
            raise DataError(f"{path} holds a compressed SQLite file; decompress it first.")
        return _read_sqlite(path, options)
    refuse_idle_options(options, _USED.get(kind, _ALWAYS), f"{path.name} ({kind})")
    if kind == "text":
        data, encoding = as_utf8(data, path.name, encoding=options.encoding)
        table = read_delimited(data, inner, options=options)
        usual = encoding in ("utf-8", "utf-8-sig")
        notes = table.notes if usual else (f"{table.notes[0]}, encoding {encoding}",)
        guess = report_guess(data, encoding, path.name) if options.encoding is None else []
        return replace(table, source=path.name, notes=notes, findings=(*guess, *table.findings))
    return _READERS[kind](data, path.name, options=options)


def _read_sqlite(path: Path, options: ReadOptions) -> Table:
    refuse_idle_options(options, _USED["sqlite"], f"{path.name} (SQLite)")
    return read_sql(sqlite_url(path), options=options, name=path.name)


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
        one_a_line = text.lstrip().split("\n", 1)[0].rstrip().endswith("}") and "\n" in text.strip()
        return "json lines" if one_a_line else "json"
    return "text"


def _read_files(paths: Sequence[Path], name: str, options: ReadOptions) -> Table:
    """Several files with the same columns, one below the other."""
    tables = [read_file(path, options=options) for path in paths]
    tables = [_read_alike(path, own, tables, options) for path, own in zip(paths, tables, strict=True)]
    for path, table in zip(paths, tables, strict=True):
        if set(table.frame.columns) != set(tables[0].frame.columns):
            raise DataError(_difference(tables[0], table, paths[0], path))
    frames = [table.frame[tables[0].frame.columns] for table in tables]
    is_text = all(table.is_text for table in tables)
    aligned = _write_numbers(frames) if is_text else _align_types(frames, paths)
    frame = pl.concat(aligned, how="vertical")
    starts = [0]
    for part in frames:
        starts.append(starts[-1] + part.height)

    known = [table.without_rows() for table in tables]

    def row_name(index: int) -> str:
        part = next(i for i, end in enumerate(starts[1:]) if index < end)
        return f"{known[part].row_name(index - starts[part])} of {known[part].source}"

    words = join_words([table.words for table in tables], starts)
    notes = (f"{name}: {len(tables)} files", *(note for table in tables for note in table.notes))
    return Table(
        frame,
        name,
        notes=notes,
        findings=tuple(dict.fromkeys(finding for table in tables for finding in table.findings)),
        notations={column: notation for table in tables for column, notation in table.notations.items()},
        unusable={column: what for table in tables for column, what in table.unusable.items()},
        is_text=is_text,
        namer=row_name,
        words=words,
    )


def _read_alike(path: Path, table: Table, tables: Sequence[Table], options: ReadOptions) -> Table:
    """One of several files, read again where others show how numbers are written and it does not."""
    own = table.notations
    shown = {name: each for other in tables for name, each in other.notations.items() if each.sure}
    unsure = {name: each for name, each in shown.items() if name not in own or not own[name].sure}
    if not table.is_text or all(own.get(name) == each for name, each in unsure.items()):
        return table
    known = {"notations": {**unsure, **options.notations}}
    return read_file(path, options=options.model_copy(update=known))


def _difference(first: Table, other: Table, first_path: Path, path: Path) -> str:
    lacks = [f"'{name}'" for name in first.frame.columns if name not in other.frame.columns]
    adds = [f"'{name}'" for name in other.frame.columns if name not in first.frame.columns]
    words = (("lacks", lacks), ("has besides", adds))
    parts = [f"{word} {', '.join(names[:8])}" for word, names in words if names]
    return (
        f"{path} has other columns than {first_path}: it {' and '.join(parts)}. Files read together need the "
        "same columns."
    )


def _write_numbers(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Columns that are numbers in some text files, which were large, and text in others: as text in all."""
    schemas = [frame.schema for frame in frames]
    mixed = [name for name in schemas[0] if len({schema[name] for schema in schemas}) > 1]
    return [frame.with_columns([frame[name].cast(pl.String) for name in mixed]) for frame in frames]


def _align_types(frames: Sequence[pl.DataFrame], paths: Sequence[Path]) -> list[pl.DataFrame]:
    """Numbers of any kind as the widest; a column empty in one file takes the type it has in the others."""
    target: dict[str, Any] = {}
    for index, frame in enumerate(frames):
        for name, kind in frame.schema.items():
            known = target.get(name)
            if known is None or known == kind or _is_empty(frame, name):
                target.setdefault(name, kind)
            elif known.is_numeric() and kind.is_numeric():
                target[name] = pl.Int64() if known.is_integer() and kind.is_integer() else pl.Float64()
            elif all(_is_empty(other, name) for other in frames[:index]):
                target[name] = kind
            else:
                what = f"column '{name}' holds {kind}, and {known} in the files before it"
                raise DataError(f"{paths[index]}: {what}; expected one type.")
    return [
        frame.with_columns(
            [frame[name].cast(kind) for name, kind in target.items() if frame.schema[name] != kind]
        )
        for frame in frames
    ]


def _is_empty(frame: pl.DataFrame, name: str) -> bool:
    return frame.get_column(name).null_count() == frame.height
