"""A trace: an algorithm step by step, to be read in the terminal, as data, or as a worksheet."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from handrail.errors import DataError
from handrail.tools.files import write_by_suffix
from handrail.tools.interface import argument
from handrail.traces.steps import Steps, TraceData, to_plain
from handrail.traces.terminal import as_text
from handrail.traces.text import cell_text
from handrail.traces.worksheet import worksheet


class Trace(TraceData):
    """What `handrail.trace` gives back; arguments as `TraceData`."""

    def __getitem__(self, title: str) -> Steps:
        """One of the tables, by its title. Raises: `KeyError` for one that there is not."""
        return {steps.title: steps for steps in self.steps}[title]

    @property
    def frame(self) -> pl.DataFrame:
        """The first table."""
        return self.steps[0].frame

    def to_dict(self) -> dict[str, Any]:
        """Plain data, of which JSON can be made."""
        return {
            "title": self.title,
            "subject": self.subject,
            "source": self.source,
            "remarks": list(self.remarks),
            "steps": [
                {
                    "title": steps.title,
                    "formula": steps.formula,
                    "note": steps.note,
                    "answers": [column.name for column in steps.columns if column.answer],
                    "columns": {
                        column.name: [to_plain(value) for value in column.values] for column in steps.columns
                    },
                }
                for steps in self.steps
            ],
        }

    def to_html(self, *, blank: bool = False) -> str:
        """A worksheet to be printed.

        Arguments:
            blank: leave the answers out, for a class.
        """
        return worksheet(self, blank=blank)

    def save(self, path: Path | str, *, blank: bool = False, overwrite: bool = False) -> Path:
        """Write a file by its suffix: a worksheet (.html), all tables (.json, .txt), or the first (.csv).

        Raises: `DataError` for another suffix, a file that already exists, and answers that are to be left
            out of anything but a worksheet.
        """
        if blank and Path(path).suffix.lower() != ".html":
            raise DataError(f"{argument('blank')}: answers are left out of worksheets alone (.html).")
        texts = {
            ".html": lambda: self.to_html(blank=blank),
            ".json": lambda: json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n",
            ".txt": lambda: f"{self}\n",
            ".csv": self._csv,
        }
        return write_by_suffix(path, texts, overwrite=overwrite)

    def _csv(self) -> str:
        columns = self.steps[0].columns
        texts = {column.name: [cell_text(value) for value in column.values] for column in columns}
        return pl.DataFrame(texts).write_csv()

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return as_text(self)
