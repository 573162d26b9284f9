"""The run folder: the names of its files, and how it begins."""

import json
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from handrail.errors import RunError, did_you_mean
from handrail.recipe import Recipe
from handrail.tools.files import cannot_write, write_text


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
    # The folders that had to be made for it, the outermost first: what may be removed again.
    made: tuple[Path, ...] = ()

    recipe = _Inside("recipe.yaml")  # as asked
    first_recipe = _Inside("checkpoints", "recipe.json")  # as asked when the fit began
    resolved_recipe = _Inside("resolved.yaml")  # with every default written out
    environment = _Inside("environment.json")  # versions, device, threads
    split = _Inside("split.parquet")  # the part of each row
    sealed_hashes = _Inside("sealed.parquet")  # of the test rows
    metrics = _Inside("metrics.jsonl")  # a line an epoch
    log = _Inside("log.txt")
    checkpoints = _Inside("checkpoints")  # the last and the best state of training
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


def begin(recipe: Recipe, out: str | Path | None) -> Folder:
    """Make the folder of a new run.

    Raises: `RunError` when a folder with files already exists, or it cannot be made.
    """
    path = Path(out) if out else free_path(recipe.name)
    made = tuple(reversed([folder for folder in (path, *path.parents) if not folder.exists()]))
    if not made and (not path.is_dir() or any(not inside.is_dir() for inside in path.rglob("*"))):
        raise exists_error(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in ("checkpoints/last", "checkpoints/best", "model", "predictions"):
            (path / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return Folder(path, made)


def free_path(name: str) -> Path:
    """`runs/NAME-TIME`, with a number appended if other runs began in the same second."""
    path = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    candidates = [path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000))]
    return next(candidate for candidate in candidates if not candidate.exists())


def exists_error(path: Path) -> RunError:
    """The error for a new folder that would overwrite another."""
    return RunError(
        f"'{path}' already exists; choose another --out, or continue it with: handrail resume {path}"
    )


@contextmanager
def log_to(folder: Folder) -> Iterator[None]:
    """Within the context, append what the `handrail` logger says to the run's log as well."""
    try:
        handler = logging.FileHandler(folder.log, encoding="utf-8", delay=False)
    except OSError as error:
        raise cannot_write(folder.log, error) from error
    mine = threading.get_ident()
    handler.addFilter(lambda record: record.thread == mine)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger, before = logging.getLogger("handrail"), logging.getLogger("handrail").level
    logger.addHandler(handler)
    logger.setLevel(min(before, logging.INFO) if before else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


def discard(folder: Folder) -> None:
    """Remove a run that has not begun to train, so that nothing half-written is left."""
    if (folder.checkpoints / "last" / "state.safetensors").exists():
        return
    for inside in folder.path.iterdir():
        shutil.rmtree(inside, ignore_errors=True) if inside.is_dir() else inside.unlink(missing_ok=True)
    for made in reversed(folder.made):
        with suppress(OSError):  # another run may have begun there
            made.rmdir()


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
        raise RunError(f"'{path}' is no {kind} folder: it has no {marker}.")
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
            f"there is no '{path}': the fit has not ended; continue it with: handrail resume {path.parent}"
        ) from None
    except (ValueError, OSError) as error:
        raise RunError(f"'{path}' is damaged ({error}).") from error
