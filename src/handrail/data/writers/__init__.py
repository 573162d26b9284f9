"""`convert`: a table from any source into any format.

May import sources and `recipe`. A new format is an entry of `formats.WRITERS`.
"""

import bz2
import gzip
import io
import lzma
import warnings
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path

import polars as pl

from handrail.data.raw_files import COMPRESSED
from handrail.data.sources import FORMATS, as_written, read
from handrail.data.sources.sql import is_url, sqlite_path, sqlite_url
from handrail.data.table import Table
from handrail.data.writers.formats import WRITERS, write_table
from handrail.data.writers.sql import write_sql
from handrail.errors import DataError, did_you_mean
from handrail.recipe.reading import ReadOptions
from handrail.tools.files import expand_user, is_taken, sweep_beside, write_bytes
from handrail.tools.interface import argument
from handrail.tools.words import without_password

_WHOLE = r"^(?:0|-?[1-9]\d{0,17})$"
_NUMBER = r"(?i)^(?:-?(?:0|[1-9]\d*)(?:\.\d*)?(?:e[+-]?\d+)?|-?\.\d+(?:e[+-]?\d+)?|[+-]?inf(?:inity)?)$"
_TEXT_FORMATS = frozenset((".csv", ".tsv", ".json", ".jsonl", ".ndjson"))


def keep_table(source: object, path: Path, *, options: ReadOptions, drop: Collection[str]) -> Table:
    """Write a table that lies in memory as Parquet, with what its reader had to say, to be read again.

    Raises: as `read`.
    """
    table = read(source, options=as_written(options), drop=drop)
    write_table(table, path)
    return table


def convert(
    source: object,
    destination: str | Path,
    *,
    options: ReadOptions | None = None,
    table: str | None = None,
    overwrite: bool = False,
) -> Path | str:
    """Read a table and write it elsewhere, whole or not at all.

    The ending of the destination names the format, with .gz, .bz2, .xz, .zst or .zip after it for compressed
    text; a database URL names a database. Text becomes numbers in columns that hold nothing else.

    Arguments:
        source: anything that `read` knows.
        destination: a file, or a database URL.
        options: how to read the source.
        table: the table of a database to be written; by default the source's file name without its ending.
        overwrite: replace what the destination holds.

    Returns: the path, or the URL without its password.

    Raises: `DataError` when the source cannot be read, when the format is unknown, or when the destination
    exists; `HandrailError` when the file cannot be written. What the reader left out or guessed is a
    `UserWarning`.
    """
    written, remarks = convert_and_tell(
        source, destination, options=options, table=table, overwrite=overwrite
    )
    for remark in remarks:
        warnings.warn(remark, UserWarning, stacklevel=2)
    return written


def convert_and_tell(
    source: object,
    destination: str | Path,
    *,
    options: ReadOptions | None = None,
    table: str | None = None,
    overwrite: bool = False,
) -> tuple[Path | str, list[str]]:
    """As `convert`, with what the reader left out or guessed."""
    url = _destination_url(destination)
    if url is None and table is not None:
        advice = "it names a table of a database"
        raise DataError(f"the setting 'table' would have no effect on {destination}; {advice}.")
    path = expand_user(destination) if url is None else None
    writer = _writer(path, overwrite=overwrite) if path is not None else None
    content = read(source, options=options)
    told = [finding for finding in content.findings if finding.decided or finding.level != "note"]
    remarks = [f"{finding.seen} {finding.action}" for finding in told]
    frame = infer_types(content.frame) if content.is_text else content.frame
    if url is not None:
        write_sql(frame, url, table=table or _table_name(source, options), overwrite=overwrite)
        name = str(destination)
        return expand_user(destination) if not is_url(name) else without_password(url), remarks
    assert path is not None
    assert writer is not None
    sweep_beside(path)
    write_bytes(path, writer(frame))
    return path, remarks


def infer_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of text that are numbers throughout as integers or floats.

    Text with leading zeros or a plus sign (codes, telephone numbers) and integers above 18 digits stay text.
    """
    texts = [column for column in frame.iter_columns() if column.dtype == pl.String]
    return frame.with_columns([_infer_type(column) for column in texts])


def _infer_type(column: pl.Series) -> pl.Series:
    values = column.drop_nulls()
    if values.is_empty() or not values.str.contains(_NUMBER).all():
        return column
    if values.str.contains(_WHOLE).all():
        return column.cast(pl.Int64)
    if values.str.contains(r"^-?\d{19,}$").any() or values.str.contains(r"(?i)^[+-]?inf").all():
        return column
    return column.str.to_lowercase().cast(pl.Float64)


def _destination_url(destination: str | Path) -> str | None:
    if isinstance(destination, str) and is_url(destination):
        return destination
    path = expand_user(destination)
    return sqlite_url(path) if FORMATS.get(path.suffix.lower()) == "sqlite" else None


def _table_name(source: object, options: ReadOptions | None) -> str:
    if options is not None and options.table is not None:
        return options.table.rpartition(".")[2]
    path = None
    if isinstance(source, str) and is_url(source):
        path = sqlite_path(source) if source.startswith("sqlite") else None
    elif isinstance(source, str | Path):
        path = Path(source)
    name = path.name.split(".", 1)[0] if path else ""
    return "".join(letter if letter.isalnum() else "_" for letter in name).strip("_") or "data"


def _writer(path: Path, *, overwrite: bool) -> Callable[[pl.DataFrame], bytes]:
    """What turns the table into the file's bytes, checked before anything is read."""
    if is_taken(path) and not overwrite:
        raise DataError(f"{path} already exists; choose another name, or say {argument('overwrite')}.")
    packing = path.suffix.lower() if path.suffix.lower() in COMPRESSED else ""
    inner = Path(path.stem) if packing else path
    suffix = inner.suffix.lower()
    if suffix not in WRITERS or (packing and suffix not in _TEXT_FORMATS):
        known = sorted(_TEXT_FORMATS) if packing else [*WRITERS, ".db", ".sqlite"]
        inside = f" inside '{packing}'" if packing else ""
        text = f"{path}: a table cannot be written as '{suffix or 'a file without an ending'}'{inside}."
        raise DataError(text + did_you_mean(suffix, known))
    return lambda frame: _pack(WRITERS[suffix](frame), packing, inner.name)


def _pack(data: bytes, packing: str, name: str) -> bytes:
    """Compressed without a time stamp, so that the same table gives the same bytes."""
    if packing == ".gz":
        return gzip.compress(data, mtime=0)
    if packing == ".zst":
        import pyarrow

        sink = pyarrow.BufferOutputStream()
        with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()
    if packing == ".zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()
    return {".bz2": bz2.compress, ".xz": lzma.compress}.get(packing, lambda plain: plain)(data)
