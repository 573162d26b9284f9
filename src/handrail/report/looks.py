"""What a view or an audit found: in the terminal, on a page of its own, or as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handrail.components import find, resolve_arguments
from handrail.components.look import Look
from handrail.errors import DataError
from handrail.report.figures.named import named_picture
from handrail.report.page import fill_template
from handrail.report.wording import align, number
from handrail.tools.files import write_by_suffix
from handrail.views import Seen, ViewData

_MOST_LINES = 200  # of a table on a page


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ShownLook(Look):
    """A `Look` that can be shown.

    Arguments:
        run: the name of the run.
    """

    run: str = ""
    kind = "look"
    verdict = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.title}', run='{self.run}')"

    def to_html(self) -> str:
        """A page that needs no network."""
        figures = [named_picture(picture, f"look-{place}") for place, picture in enumerate(self.pictures)]
        return fill_template("look.html.j2", look=self, figures=figures, rows=self._rows(), most=_MOST_LINES)

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path:
        """Write a file by its suffix: a page (.html) or the table (.csv).

        Raises: `DataError` for another suffix, a table where there is none, and a file that already exists.
        """
        texts = {".html": self.to_html, ".csv": self._csv}
        return write_by_suffix(path, texts, overwrite=overwrite)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, of which JSON can be made."""
        told = {"title": self.title, "note": self.note, "source": self.source}
        return {**told, "rows": self.table.to_dicts()}

    def _csv(self) -> str:
        if self.table.is_empty():
            raise DataError(f"{self.title}: has pictures and no table; expected a name that ends in .html.")
        return self.table.write_csv()

    def _rows(self) -> list[list[str]]:
        return [[_text(cell) for cell in row] for row in self.table.rows()]

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.run}", *([self.verdict] if self.verdict else [])]
        if not self.table.is_empty():
            lines += ["", *align([self.table.columns, *self._rows()])]
        drawn = ", ".join(picture.title for picture in self.pictures)
        lines += ["", self.note] if self.note else []
        lines += [f"Drawn on the page (-o NAME.html): {drawn}."] if drawn else []
        return "\n".join([*lines, f"Source: {self.source}"])

    def _repr_html_(self) -> str:
        return self.to_html()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class View(ViewData, ShownLook):
    """What `Run.view` gives back: arrays, a table and pictures, which a notebook shows."""

    kind = "view"


def view(name: str, seen: Seen, settings: Mapping[str, Any], *, run: str) -> View:
    """One of the views. Raises: `RecipeError` for a view or a setting that there is not; as the view."""
    entry = find("view", name)
    found = entry.target(seen, **resolve_arguments(entry, settings, name))
    return View(**vars(found), run=run)


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else number(value)
