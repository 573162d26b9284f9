"""The search folder: the names of its files, and how it begins."""

from dataclasses import dataclass
from pathlib import Path

from handrail.runs.folder import check_folder, exists_error, free_path
from handrail.tools.files import cannot_write


@dataclass(frozen=True)
class SearchFolder:
    """The files of one search."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe; named differently from a run's, since this folder is none."""
        return self.path / "search.yaml"

    @property
    def store(self) -> Path:
        """The stored trials."""
        return self.path / "search.sqlite"

    @property
    def work(self) -> Path:
        """Checkpoints of trials under way; removed when the search ends."""
        return self.path / "work"

    @property
    def table(self) -> Path:
        """The ranked table of trials."""
        return self.path / "trials.csv"

    @property
    def summary(self) -> Path:
        """The table and its conclusions, as JSON."""
        return self.path / "search.json"

    @property
    def winner(self) -> Path:
        """The recipe of the best trial."""
        return self.path / "winner.yaml"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def run(self) -> Path:
        """The run folder of the winner, once it was trained again."""
        return self.path / "winner"

    def data(self, name: str) -> Path:
        """A table that was given as an object in memory: `source`, `validation` or `test`."""
        return self.path / f"data-{name}.parquet"


def begin_search(name: str, out: str | Path | None) -> SearchFolder:
    """Make the folder of a new search.

    Raises: `RunError` when the folder exists and is not empty, or it cannot be made.
    """
    path = Path(out) if out else free_path(f"{name}-search")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise exists_error(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return SearchFolder(path)


def find_search(path: str | Path) -> SearchFolder:
    """The folder of an existing search.

    Raises: `RunError` when there is none.
    """
    return SearchFolder(check_folder(path, "search", "search.yaml"))
