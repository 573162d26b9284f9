"""Which import paths may be imported: what the user of this process names, and nothing that a file names.

Importing a module runs it, and recipes and run folders are handed from one person to another. So a path that
stands in a file is refused before anything is imported, unless the user trusts the file (`--trust`,
`trust=True`) or has named the same path: on the command line, or in Python. In Python, whoever calls is the
user; in a command and in a worker process nobody writes Python, and only what was named counts.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from inspect import isclass, isfunction
from pathlib import Path
from typing import Any

from handrail.tools.interface import argument
from handrail.tools.moved import current_path

_SAFE_PATH = "PYTHONSAFEPATH"  # as the option -P
_PATH = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


@dataclass(frozen=True)
class _Origin:
    """Where paths come from: a file, or (`naming`) the user and code that may be used."""

    name: str
    trusted: bool
    naming: bool = False


@dataclass
class _Process:
    """Of this process. named: by its user. only_named: whether all other paths come from files.

    folder: where modules are looked for, too, while a path is imported.
    """

    named: set[str] = field(default_factory=set)
    only_named: bool = False
    folder: Path | None = None


_process = _Process()
_origin: ContextVar[_Origin | None] = ContextVar("origin of import paths", default=None)


def refusal(path: str, does: str = "to import it can run any code; nothing was imported") -> str:
    """Why this path must not be imported; empty where it may be.

    Arguments:
        does: what else would be done with what stands there, if it is no import path.
    """
    origin, now = _origin.get(), current_path(path)
    if now in _process.named:
        return ""
    if origin.trusted if origin else not _process.only_named:
        if _process.only_named or (origin and origin.naming):
            _process.named.add(now)
        return ""
    where = f"in '{origin.name}'" if origin else "in a file"
    return f"'{path}' stands {where}, and {does}. If you trust whoever wrote it, add {argument('trust')}."


def name_paths(values: Any) -> None:
    """From now on, the import paths in these values count as named by the user of this process."""
    _process.named |= set(paths_in(values))


def name_one(address: str) -> None:
    """From now on, this counts as named by the user of this process, whatever it is."""
    _process.named.add(address)


def paths_in(values: Any) -> Iterator[str]:
    """The import paths of today in components as a recipe holds them, names and arguments alike."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from paths_in(key)
            yield from paths_in(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from paths_in(value)
    elif isinstance(values, str) and _PATH.fullmatch(values):
        yield current_path(values)
    elif isclass(values) or isfunction(values):
        yield f"{values.__module__}:{values.__qualname__}"


@contextmanager
def reading(file: str | Path, *, trust: bool) -> Iterator[None]:
    """While open, import paths come from this file: all are allowed with `trust`, else those named before."""
    token = _origin.set(_Origin(str(file), trust))
    try:
        yield
    finally:
        _origin.reset(token)


@contextmanager
def naming() -> Iterator[None]:
    """While open, import paths that are met count as named by the user: in settings, in defaults."""
    token = _origin.set(_Origin("", trusted=True, naming=True))
    try:
        yield
    finally:
        _origin.reset(token)


@contextmanager
def only_named(folder: Path | None) -> Iterator[None]:
    """While open, in the whole process: only what is named counts, and modules may also lie in `folder`.

    Pythons that libraries start meanwhile (torch does to compile) do not look into the current folder.
    """
    before, safe = replace(_process, named=set(_process.named)), os.environ.get(_SAFE_PATH)
    _process.only_named, _process.folder = True, folder
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        vars(_process).update(vars(before))
        if safe is None:
            os.environ.pop(_SAFE_PATH, None)
        else:
            os.environ[_SAFE_PATH] = safe


def inherit(values: Any, folder: str | None) -> None:
    """In a worker: the paths and the folder of the process that started it, which has checked them."""
    name_paths(values)
    _process.folder = Path(folder) if folder else _process.folder


def import_folder() -> str | None:
    """The folder for `inherit`; in Python without a command, the current one where Python looks there."""
    if _process.folder is None:
        return os.getcwd() if "" in sys.path else None  # noqa: PTH109 (as Python reads it)
    return str(_process.folder)


@contextmanager
def folder_on_path() -> Iterator[None]:
    """While open, Python looks for modules in the folder of the command, too, but there last."""
    folder = None if _process.folder is None else str(_process.folder)
    if folder is None or folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
