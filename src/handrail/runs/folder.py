"""The run folder: the names of its files, and how it begins."""

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from handrail.errors import HandrailError, RunError, TrainingError, VisibleFormatter, did_you_mean
from handrail.recipe import SOURCES, Recipe
from handrail.runs.lock import LOCK, hold, lock
from handrail.tools.files import cannot_write, is_temporary, open_to_append, write_text
from handrail.tools.interface import argument, argument_name, call
from handrail.training.signals import Interrupted

_PARTS = (("checkpoints", "last"), ("checkpoints", "best"), ("model",), ("predictions",))
# What lies in a folder before its recipe is written.
_WITHOUT_RECIPE = {LOCK, "log.txt", "checkpoints/recipe.json", *(f"data-{name}.parquet" for name in SOURCES)}


class _Inside:
    """The path of a file or folder of the run, as an attribute of `Folder`."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __get__(self, folder: "Folder", owner: type | None = None) -> Path:
        return folder.path.joinpath(*self._names)


@dataclass(frozen=True)
class Folder:
    """Where everything of one run is."""

    path: Path

    recipe = _Inside("recipe.yaml")  # as asked
    first_recipe = _Inside("checkpoints", "recipe.json")  # as asked when the fit began
    resolved_recipe = _Inside("resolved.yaml")  # with every default written out
    environment = _Inside("environment.json")  # versions, device, threads
    split = _Inside("split.parquet")  # the part of each row
    sealed_hashes = _Inside("sealed.parquet")  # of the test rows
    metrics = _Inside("metrics.jsonl")  # a line an epoch
    log = _Inside("log.txt")
    checkpoints = _Inside("checkpoints")  # the last and the best state of training
    course = _Inside("checkpoints", "course")  # what was made in the course of training
    model = _Inside("model")  # weights, pipeline and card
    refit = _Inside("refit")  # the model trained on training and validation rows together
    validation = _Inside("validation.json")  # figures on validation rows
    test = _Inside("test.json")  # figures on test rows, once the seal was opened
    report = _Inside("report.html")

    def data(self, name: str) -> Path:
        """A table that was given as an object in memory: `source`, `validation` or `test`."""
        return self.path / f"data-{name}.parquet"

    def predictions(self, part: str) -> Path:
        """The predictions for the rows of a part."""
        return self.path / "predictions" / f"{part}.parquet"


@contextmanager
def new_folder(recipe: Recipe, out: str | Path | None) -> Iterator[Folder]:
    """The folder of a new run, held while open; a run that ends before it trains leaves nothing behind.

    Raises: as `claim`.
    """
    with claim(recipe.name, out) as (path, made):
        folder = Folder(path)
        with discard_unless(lambda: has_begun(folder), path, made, marker=folder.recipe.name):
            for parts in _PARTS:
                path.joinpath(*parts).mkdir(parents=True, exist_ok=True)
            yield folder


@contextmanager
def claim(name: str, out: str | Path | None) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """A folder for a new run or search, held while open, and the folders that had to be made for it.

    What a run or search left that was killed before it wrote its recipe is taken over.

    Arguments:
        name: of the folder `runs/NAME-TIME` that is made where `out` is None.

    Raises: `RunError` when a folder with files already exists, or somebody else is at work there;
        `HandrailError` when it cannot be made.
    """
    path, made = _make(name, out)
    with hold(path):
        if not _is_free(path):
            raise exists_error(path)
        for file in filter(Path.is_file, list(path.rglob("*"))):
            if file.name not in (LOCK, "log.txt"):
                file.unlink()
        yield path, made


@contextmanager
def set_aside(out: str | Path | None, kind: str, marker: str, *, overwrite: bool) -> Iterator[None]:
    """While open, the old run or search at `out` is elsewhere, beside it under another name.

    It goes when the block ends well, or the new one has begun to train; else it comes back.

    Raises: `RunError` for a folder that is no run or search, which is never replaced.
    """
    path = None if out is None else Path(out)
    if overwrite and path is None:
        raise RunError("overwrite: has no effect without a folder to replace (out).")
    if not overwrite or path is None or not path.exists() or _is_free(path):
        yield
        return
    check_folder(path, kind, marker)
    aside = free_path(f"{path.name}-replaced", beside=path)
    with hold(path):
        path.rename(aside)
    try:
        yield
    finally:
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.rename(path)


def _make(name: str, out: str | Path | None) -> tuple[Path, tuple[Path, ...]]:
    """A folder without files, and those that were made; with `out` it may exist already."""
    path = Path(out) if out else free_path(name)
    while True:
        made = tuple(reversed([folder for folder in (path, *path.parents) if not folder.exists()]))
        if path.exists() and not _is_free(path):
            raise _exists(path)
        try:
            path.mkdir(parents=True, exist_ok=bool(out))
            return path, made
        except FileExistsError as error:
            if out:
                raise cannot_write(path, error) from error
            path = free_path(name)  # another run began in the same second
        except OSError as error:
            raise cannot_write(path, error) from error


def _is_free(path: Path) -> bool:
    """Whether a folder holds no files, or those alone that a run or search leaves that has no recipe yet."""
    if not path.is_dir():
        return False
    begun = (path / LOCK).is_file() or all(path.joinpath(*parts).is_dir() for parts in _PARTS)
    return all(
        not inside.is_symlink() and (inside.is_dir() or (begun and _is_leftover(inside, path)))
        for inside in path.rglob("*")
    )


def _is_leftover(file: Path, path: Path) -> bool:
    name = file.relative_to(path).as_posix()
    return file.is_file() and (name in _WITHOUT_RECIPE or is_temporary(file))


def free_path(name: str, *, beside: Path | None = None) -> Path:
    """`runs/NAME-TIME`, or `NAME-TIME` beside another path, numbered if there is one of the same second."""
    path = (Path("runs") if beside is None else beside.parent) / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    candidates = [path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000))]
    return next(candidate for candidate in candidates if not candidate.exists())


def _exists(path: Path) -> RunError:
    """The error for a new folder that would overwrite another: whether somebody is at work there."""
    if (path / LOCK).is_file():
        try:
            with lock(path):
                pass
        except RunError as busy:
            return busy
        except HandrailError:  # a folder that cannot be written to
            pass
    return exists_error(path)


def exists_error(path: Path) -> RunError:
    """The error for a new folder that would overwrite another."""
    return RunError(
        f"'{path}' already exists; choose another folder ({argument_name('out')}), replace it "
        f"({argument('overwrite')}), or continue it with: {call('resume', path)}"
    )


@contextmanager
def log_to(folder: Folder) -> Iterator[None]:
    """Within the context, append what the `handrail` logger says to the run's log as well."""
    stream, mine = open_to_append(folder.log), threading.get_ident()
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: record.thread == mine)
    handler.setFormatter(VisibleFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger, before = logging.getLogger("handrail"), logging.getLogger("handrail").level
    logger.addHandler(handler)
    logger.setLevel(min(before, logging.INFO) if before else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
        stream.close()


@contextmanager
def discard_unless(
    has_begun: Callable[[], bool], path: Path, made: tuple[Path, ...], *, marker: str
) -> Iterator[None]:
    """While open, an error before training has begun, of whatever kind, empties the folder again.

    Arguments:
        made: folders that may go with it.
        marker: the file without which there is nothing to resume.

    Raises: `Interrupted` with words of its own where nothing was kept.
    """
    try:
        yield
    except TrainingError:  # its last good weights are kept
        raise
    except BaseException as stop:
        if has_begun():
            raise
        discard(path, made, marker=marker)
        if isinstance(stop, Interrupted):
            text = "interrupted before training had begun; nothing was kept."
            raise Interrupted(text, stop.exit_code - 128) from None
        raise


def has_begun(folder: Folder) -> bool:
    """Whether a network of the run has been trained, if only for a while: there is something to resume."""
    return folder.validation.exists() or any(folder.checkpoints.rglob("state.safetensors"))


def discard(path: Path, made: tuple[Path, ...], *, marker: str) -> None:
    """Empty a folder; of links only the links go. After a kill in the middle it can be resumed or taken over.

    Arguments:
        made: folders to be removed with it, the outermost first.
        marker: the file that says what the folder is; it goes once all has gone that is of no use without it.
    """

    def order(inside: Path) -> int:
        late = [marker, *sorted(_WITHOUT_RECIPE - {LOCK}), LOCK]
        return late.index(inside.name) + 1 if inside.name in late else 0

    for inside in sorted(path.iterdir(), key=order):
        if inside.is_dir() and not inside.is_symlink():
            shutil.rmtree(inside, ignore_errors=True)
        else:
            with suppress(OSError):
                inside.unlink()
    for folder in reversed(made):
        with suppress(OSError):  # another run may have begun there
            folder.rmdir()


def find_folder(path: str | Path) -> Folder:
    """The folder of an existing run. Raises: `RunError` when there is none."""
    return Folder(check_folder(path, "run", "recipe.yaml"))


def check_folder(path: str | Path, kind: str, marker: str) -> Path:
    """The path of a folder that holds the file `marker`.

    Raises: `RunError` when it does not exist or has no such file.
    """
    folder = Path(path)
    if not folder.is_dir():
        near = [other.parent.name for other in folder.parent.glob(f"*/{marker}")]
        raise RunError(f"there is no {kind} folder '{path}'.{did_you_mean(folder.name, near, listed=False)}")
    if not (folder / marker).exists():
        text = f"'{path}' is no {kind} folder: it has no {marker}."
        if (folder / LOCK).exists() and _is_free(folder):
            again = f"begin again, into the same folder ({argument('out', str(path))})"
            text += f" It was ended before it was written; {again}."
        raise RunError(text)
    return folder


def write_yaml(path: Path, values: Any) -> None:
    """Write plain data as YAML, in the order given."""
    write_text(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120))


def write_json(path: Path, values: Any) -> None:
    """Write plain data as JSON."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a file of the run. Raises: `RunError` when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"there is no '{path}': the fit has not ended; continue it with: {call('resume', path.parent)}"
        ) from None
    except (ValueError, RecursionError, OSError) as error:
        raise RunError(f"'{path}' is damaged ({error}).") from error
