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


@dataclass(frozen=True)
class Folder:
    """Where everything of one run is."""

    path: Path
    # The folders that had to be made for it, the outermost first: what may be removed again.
    made: tuple[Path, ...] = ()

    @property
    def recipe(self) -> Path:
        """What was asked."""
        return self.path / "recipe.yaml"

    @property
    def first_recipe(self) -> Path:
        """The recipe as it was when the fit began, whatever becomes of `recipe.yaml`."""
        return self.path / "checkpoints" / "recipe.json"

    @property
    def resolved_recipe(self) -> Path:
        """The recipe with every default written out."""
        return self.path / "resolved.yaml"

    @property
    def environment(self) -> Path:
        """Versions, device, threads."""
        return self.path / "environment.json"

    @property
    def split(self) -> Path:
        """The part of each row."""
        return self.path / "split.parquet"

    @property
    def sealed_hashes(self) -> Path:
        """The hashes of the test rows."""
        return self.path / "sealed.parquet"

    def data(self, name: str) -> Path:
        """A table that was given as an object in memory: `source`, `validation` or `test`."""
        return self.path / f"data-{name}.parquet"

    @property
    def metrics(self) -> Path:
        """A line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def log(self) -> Path:
        """What happened, in words."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """The last and the best state of training."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """Weights, pipeline and card."""
        return self.path / "model"

    @property
    def refit(self) -> Path:
        """The model that was trained on training and validation rows together."""
        return self.path / "refit"

    @property
    def validation(self) -> Path:
        """Figures on validation rows."""
        return self.path / "validation.json"

    @property
    def test(self) -> Path:
        """Figures on test rows, once the seal was opened."""
        return self.path / "test.json"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    def predictions(self, part: str) -> Path:
        """The answers for the rows of a part."""
        return self.path / "predictions" / f"{part}.parquet"


def begin(recipe: Recipe, out: str | Path | None) -> Folder:
    """Make the folder of a new run.

    Raises: `RunError` when a folder with files is there already, or it cannot be made.
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
    """While open, what the `handrail` logger says is also appended to the run's log."""
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
    """Remove a run that never got as far as training; nothing half-written is left."""
    if (folder.checkpoints / "last" / "state.safetensors").exists():
        return
    for inside in folder.path.iterdir():
        shutil.rmtree(inside, ignore_errors=True) if inside.is_dir() else inside.unlink(missing_ok=True)
    for made in reversed(folder.made):
        with suppress(OSError):  # another run may have begun there
            made.rmdir()


def find_folder(path: str | Path) -> Folder:
    """The folder of a run that is there.

    Raises: `RunError` when it is not, or is no run.
    """
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
    """Read a file of the run.

    Raises: `RunError` when it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"there is no '{path}': the fit has not ended; continue it with: handrail resume {path.parent}"
        ) from None
    except (ValueError, OSError) as error:
        raise RunError(f"'{path}' is damaged ({error}).") from error
