"""Files as bytes and text: opened, decompressed, recognised by their first bytes, decoded."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any

from handrail.data.encodings import CONTROLS, refuse_mixed, refuse_nul, wide_encoding
from handrail.errors import DataError, did_you_mean
from handrail.tools.file_kinds import special_kind

COMPRESSED = frozenset((".gz", ".bz2", ".xz", ".zip", ".zst"))

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"\xff\xff\xff\xff", "Arrow stream"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x93NUMPY", "NPY"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x89PNG\r\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"%PDF", "PDF"),
    (b"\x7fELF", "executable program"),
    (b"\x89HDF", "HDF5"),
    (b"\xd0\xcf\x11\xe0", "old Excel or Word document"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"RDX", "R data"),
    (b"X\n\0\0\0", "R data"),
    (b"<stata_dta>", "Stata file"),
    (b"$FL2", "SPSS file"),
    (b"$FL3", "SPSS file"),
    (b"HEADER RECORD*******LIBRARY HEADER RECORD", "SAS transport file"),
    (b"\0" * 12 + b"\xc2\xea\x81\x60", "SAS file"),
    *((b"\x80" + bytes([protocol]), "pickle") for protocol in range(2, 6)),
)
_TAR_PLACE = 257  # of the name of the format
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_MARKS = tuple(mark for mark, _ in _BOMS)
_BLOCK = 1 << 24  # bytes looked at together
# What a file should be called, by the kind that its first bytes show.
_ENDINGS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst", "zip": ".zip", "NPZ": ".npz"}
_ENDINGS |= {"NPY": ".npy", "Parquet": ".parquet", "Arrow": ".arrow", "Arrow stream": ".arrow"}
_SPREADSHEET = "Save the sheet with the table as CSV first, and name that file."
_UNPACK = "Unpack it, and name the table that was in it."
_WAYS = {
    **dict.fromkeys(("Excel workbook", "OpenDocument spreadsheet"), _SPREADSHEET),
    "Word document": "Save its table as CSV first, with a spreadsheet.",
    "old Excel or Word document": "If it is a spreadsheet, save the sheet with the table as CSV first.",
    **dict.fromkeys(("tar archive", "7-Zip archive", "RAR archive"), _UNPACK),
    "HDF5": "Save its table as Parquet or CSV first (with pandas: read_hdf, to_parquet).",
    "R data": "Save its table as CSV first (in R: write.csv(readRDS(file), 'table.csv', row.names = FALSE)).",
    "Stata file": "Save it as Parquet or CSV first (with pandas: read_stata, to_parquet).",
    "SPSS file": "Save it as CSV first (with pandas: read_spss, to_csv).",
    **dict.fromkeys(
        ("SAS file", "SAS transport file"),
        "Save it as Parquet or CSV first (with pandas: read_sas, to_parquet).",
    ),
}
_ENDINGS |= {"SQLite": ".db", "pickle": ".pkl"}


def kind_of(data: bytes) -> str | None:
    """What the first bytes say: 'Parquet', 'SQLite', 'NPZ', 'PNG image' …; `None` for text or the unknown."""
    for start, kind in _MAGIC:
        if data.startswith(start):
            return _INSIDE[kind](data) if kind in _INSIDE else kind
    return "tar archive" if data[_TAR_PLACE : _TAR_PLACE + 5] == b"ustar" else None


def _kind_of_gzip(data: bytes) -> str:
    """What is packed, where that is no table: R's data and archives are packed so."""
    try:
        packed = zlib.decompressobj(31).decompress(data[:4096], 512)
    except zlib.error:
        return "gzip"
    inner = kind_of(packed) if packed[:2] != b"\x1f\x8b" else None
    return inner if inner in ("tar archive", "R data") else "gzip"


def _kind_of_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError):  # it seeks before the beginning
        return "zip"
    if any(name.startswith("xl/") for name in names):
        return "Excel workbook"
    if data[30:38] == b"mimetype" and b"opendocument.spreadsheet" in data[38:120]:
        return "OpenDocument spreadsheet"
    if any(name.startswith("word/") for name in names):
        return "Word document"
    return "NPZ" if names and all(name.endswith(".npy") for name in names) else "zip"


_INSIDE = {"zip": _kind_of_zip, "gzip": _kind_of_gzip}


def missing_file(path: Path) -> DataError:
    """The error for a file that is not there, with the nearest name in its folder."""
    if not path.parent.is_dir():
        return DataError(f"there is no file {path}: the folder {path.parent} does not exist. Check the path.")
    try:
        siblings = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        siblings = []
    return DataError(f"there is no file {path}.{did_you_mean(path.name, siblings, listed=False)}")


def read_bytes(path: Path, limits: Any = None) -> bytes:
    """The whole file.

    Arguments:
        limits: `handrail.recipe.reading.Limits`; the usual ones by default.

    Raises: `DataError` for a missing file, a folder, a lack of permission, an empty file; and, before it is
        opened, for devices, pipes and sockets, and for a file that is too large or mostly holes.
    """
    from handrail.data.limits import check_file  # not above: workers that decode pictures need none of it

    try:
        refuse_special_file(path)
        if path.is_file():
            check_file(path, limits)
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path) from None
    except IsADirectoryError:
        raise DataError(
            f"{path} is a folder; expected a file. For all files in it: '{path}/*.csv'."
        ) from None
    except PermissionError:
        raise DataError(
            f"{path} cannot be read: permission is denied. Ask its owner for the right to read it."
        ) from None
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if not data:
        raise DataError(f"{path} is empty (0 bytes); expected a table.")
    return data


def refuse_special_file(path: Path) -> None:
    """Raises: `DataError` for what may have no end, or wait for ever: a device, a pipe, a socket."""
    kind = special_kind(path)
    if kind is not None:
        raise DataError(f"{path} is {kind}; expected a file. Write what comes out of it into a file first.")


def unpack(data: bytes, path: Path, limits: Any = None) -> tuple[bytes, str]:
    """The content and its name when uncompressed; files that are not compressed come back as they are.

    Raises: `DataError` for a broken archive, a zip file with several members, or far too much content.
    """
    from handrail.data.limits import read_unpacked

    suffix = path.suffix.lower()
    if suffix not in COMPRESSED:
        return data, path.name
    try:
        if suffix == ".zip":
            return _single_member(data, path, limits)
        openers = {".gz": _open_gzip, ".bz2": bz2.BZ2File, ".xz": lzma.LZMAFile}
        stream = _zstd(data) if suffix == ".zst" else openers[suffix](io.BytesIO(data))
        content = read_unpacked(stream, len(data), str(path), limits)
    except DataError:
        raise
    except (
        OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError,
    ) as error:  # fmt: skip
        kind = kind_of(data)
        seems = f" Its first bytes are those of {kind}." if kind else ""
        text = f"{path} cannot be decompressed: {error}.{seems} Check that the file is whole."
        raise DataError(text) from error
    if not content:
        raise DataError(f"{path} is empty once decompressed; expected a table.")
    return content, path.stem


def _open_gzip(file: io.BytesIO) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=file)


def _zstd(data: bytes) -> Any:
    import pyarrow

    return pyarrow.input_stream(pyarrow.BufferReader(data), compression="zstd")


def _single_member(data: bytes, path: Path, limits: Any) -> tuple[bytes, str]:
    from handrail.data.limits import check_unpacked, read_unpacked

    kind = kind_of(data)
    if kind in _WAYS:
        raise DataError(f"{path} is not a packed table: it seems to be {kind}.{_advice(kind or '')}")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        members = [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX")]
        if len(members) != 1:
            listed = f": {', '.join(members[:8])}" if members else ""
            raise DataError(
                f"{path} holds {len(members)} files{listed}; expected one table. Unpack it and name the file."
            )
        check_unpacked(archive.getinfo(members[0]).file_size, len(data), str(path), limits)
        with archive.open(members[0]) as stream:
            return read_unpacked(stream, len(data), str(path), limits), Path(members[0]).name


def as_utf8(data: bytes, source: str, *, encoding: str | None = None) -> tuple[bytes, str]:
    """As `decode`, but in UTF-8: text that is written so is not copied.

    Raises: as `decode`.
    """
    if encoding is None and not data.startswith(_MARKS) and wide_encoding(data) is None:
        _refuse_binary(data, source)
        if _is_utf8(data):
            return data, "utf-8"
    text, encoding = decode(data, source, encoding=encoding)
    try:
        return text.encode(), encoding
    except UnicodeEncodeError as error:
        line = text[: error.start].count("\n") + 1
        raise DataError(
            f"{source} is not {encoding} text: line {line} holds half of a surrogate pair, which is no "
            "character. Correct the text, or give another encoding."
        ) from None


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _BLOCK):
            decoder.decode(data[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def decode(data: bytes, source: str, *, encoding: str | None = None) -> tuple[str, str]:
    """The text and its encoding: as given, by byte order mark, UTF-16, UTF-8, or else Windows-1252.

    Raises: `DataError` for binary content (saying what it seems to be), NUL bytes, bytes outside the encoding
        and text that is UTF-8 but for some lines; the last three by line.
    """
    if encoding is not None:
        return _decode_as(data, source, encoding).removeprefix("\ufeff"), encoding
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _decode_as(data, source, name).removeprefix("\ufeff"), name
    wide = wide_encoding(data)
    if wide is not None:
        return _decode_as(data, source, wide), wide
    _refuse_binary(data, source)
    for name in ("utf-8", "cp1252"):
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            if name == "utf-8":
                refuse_mixed(data, source)
    return data.decode("latin-1"), "latin-1"


def _refuse_binary(data: bytes, source: str) -> None:
    kind = kind_of(data)
    if kind:
        raise DataError(f"{source} is not text: it seems to be {kind}.{_advice(kind)}")
    if data.startswith(_MARKS):
        return
    sample = data[:65536]
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    if b"\0" in data or controls * 100 > len(sample):
        refuse_nul(data, source)
        hint = " If it is UTF-16 text, give its encoding (encoding: utf-16-le)." if b"\0" in data else ""
        raise DataError(f"{source} is not text: it holds binary data of an unknown kind.{hint}")


def _decode_as(data: bytes, source: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        text = f"{source}: the encoding '{encoding}' is unknown; expected one such as utf-8, cp1252, utf-16."
        raise DataError(text) from None
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + 1
        text = f"{source} is not {encoding} text: line {line} holds bytes that {encoding} does not know."
        raise DataError(text) from error


def _advice(kind: str) -> str:
    if kind in _ENDINGS:
        return f" Rename it so that its name ends in {_ENDINGS[kind]}."
    return f" {_WAYS[kind]}" if kind in _WAYS else " Expected a table."
