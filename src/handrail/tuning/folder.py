"""The search folder: the names of its files, and how it begins."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from handrail.errors import RunError, did_you_mean
from handrail.tools.files import cannot_write


@dataclass(frozen=True)
class SearchFolder:
    """Where everything of one search is."""

    path: Path

    @property
    def recipe(self) -> Path:
        """What was asked; not named as a run's, as this is none."""
        return self.path / "search.yaml"

    @property
    def store(self) -> Path:
        """The trials."""
        return self.path / "search.sqlite"

    @property
    def work(self) -> Path:
        """Checkpoints of trials under way; removed when the search ends."""
        return self.path / "work"

    @property
    def table(self) -> Path:
        """The ranked table."""
        return self.path / "trials.csv"

    @property
    def summary(self) -> Path:
        """The table, and what it says, as JSON."""
        return self.path / "search.json"

    @property
    def winner(self) -> Path:
        """The recipe of the best trial."""
        return self.path / "winner.yaml"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def run(self) -> Path:
        """The run folder of the winner, once it was trained anew."""
        return self.path / "winner"

    def data(self, name: str) -> Path:
        """A table that was given as an object in memory: `source`, `validation` or `test`."""
        return self.path / f"data-{name}.parquet"


def begin_search(name: str, out: str | Path | None) -> SearchFolder:
    """Make the folder of a new search.

    Raises: `RunError` when a folder with files is there already, or it cannot be made.
    """
    path = Path(out) if out else _free(Path("runs") / f"{name}-search-{datetime.now():%Y%m%d-%H%M%S}")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(
            f"'{path}' is there already; choose another --out, or continue a search with: handrail resume {path}"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return SearchFolder(path)


def _free(path: Path) -> Path:
    tries = [path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000))]
    return next(candidate for candidate in tries if not candidate.exists())


def is_search(path: str | Path) -> bool:
    """Whether a search was begun there."""
    return SearchFolder(Path(path)).recipe.is_file()


def find_search(path: str | Path) -> SearchFolder:
    """The folder of a search that is there.

    Raises: `RunError` when it is not, or is no search.
    """
    folder = SearchFolder(Path(path))
    if not folder.path.is_dir():
        near = [other.parent.name for other in folder.path.parent.glob("*/search.yaml")]
        raise RunError(
            f"there is no search folder '{path}'.{did_you_mean(folder.path.name, near, listed=False)}"
        )
    if not is_search(path):
        raise RunError(f"'{path}' is no search folder: it has no search.yaml.")
    return folder
