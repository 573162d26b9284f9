"""Which rows of the list of cases a test is about, and what a command answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

ROWS: dict[str, str] = {}  # file or folder, beneath the cases, to the test that covers it


def rows(*names: str) -> Callable[[Any], Any]:
    """A test that runs once for each of these files or folders, which become its `name` and its id."""

    def mark(test: Any) -> Any:
        for name in names:
            ROWS[name] = test.__name__
        return pytest.mark.parametrize("name", names)(test)

    return mark


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Standard output as one line, so that sentences can be looked for."""
        return " ".join(self.out.split())

    @property
    def json(self) -> Any:
        """What `--json` printed."""
        assert self.code in (0, 1), self.err
        return json.loads(self.out)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each input."""
        return {column["name"]: column["kind"] for column in self.json["columns"]}

    @property
    def findings(self) -> list[dict[str, Any]]:
        """All findings."""
        return self.json["findings"]

    def said(self, *texts: str) -> str:
        """The finding that holds all these texts, which a fit prints as well; there must be one."""
        told = [each for each in self.findings if each["level"] != "note" or each["decided"]]
        sentences = [f"{each['seen']} {each['why']} {each['action']}" for each in told]
        found = [sentence for sentence in sentences if all(text in sentence for text in texts)]
        assert found, f"nothing says {texts} in {sentences}"
        return found[0]

    def said_nothing_of(self, *texts: str) -> None:
        """No finding holds all these texts."""
        for each in self.findings:
            sentence = f"{each['seen']} {each['why']} {each['action']}"
            assert not all(text in sentence for text in texts), sentence

    def refused(self, *texts: str) -> str:
        """The one message of a refusal, which holds all these texts."""
        assert (self.code, self.out) == (2, ""), self.out
        assert self.err.startswith("handrail: ")
        assert "Traceback" not in self.err
        for text in texts:
            assert text in self.err
        return self.err


@dataclass(frozen=True)
class Cli:
    """The command line, in an empty folder."""

    run: Callable[..., Answer]
    folder: Path

    def check(
        self, path: Path, target: str | int | None, *settings: str, read: tuple[str, ...] = ()
    ) -> Answer:
        """`handrail check --json`."""
        return self.run("check", path, *_options(target, settings, read), "--json")

    def fit(
        self,
        path: Path,
        target: str | int | None,
        *settings: str,
        out: str = "run",
        read: tuple[str, ...] = (),
    ) -> tuple[Mapping[str, Any], str]:
        """The summary of a fit, and what it printed in one line."""
        answer = self.run("fit", path, *_options(target, settings, read), "--out", out, "--overwrite")
        assert answer.code == 0, answer.err
        return json.loads((self.folder / out / "validation.json").read_text()), answer.text

    def read(self, path: Path, *read: str) -> pl.DataFrame:
        """The table as it is read, by `handrail convert`."""
        options = [part for option in read for part in ("--read", option)]
        answer = self.run("convert", path, "table.parquet", "--overwrite", *options)
        assert answer.code == 0, answer.err
        return pl.read_parquet(self.folder / "table.parquet")

    def numbers(self, path: Path, *read: str) -> dict[str, list[float | None]]:
        """The columns of a table as numbers."""
        table = self.read(path, *read)
        return {column.name: column.cast(pl.Float64).to_list() for column in table.iter_columns()}


def _options(target: str | int | None, settings: tuple[str, ...], read: tuple[str, ...]) -> list[str]:
    options = [] if target is None else ["--target", str(target)]
    options += [part for setting in settings for part in ("--set", setting)]
    return options + [part for option in read for part in ("--read", option)]


def metric(summary: Mapping[str, Any], name: str, baseline: str | None = None) -> float:
    """A figure on the validation rows, of the network or of a baseline."""
    figures = summary["metrics"] if baseline is None else summary["baselines"][baseline]
    return figures[name]["value"]
