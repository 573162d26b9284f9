"""Rows of two domains, from the table to the report: figures, the true map, commands and mistakes."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import handrail
from handrail import fit, load
from handrail.cli import main
from handrail.data.sources import read
from handrail.errors import DataError, RecipeError
from handrail.run import Run

Cli = Callable[..., tuple[int, str, str]]
SMALL = {"model": {"cyclegan": {"hidden": [16]}}, "training.epochs": 4, "evaluation.resamples": 100}


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command; answers exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["handrail", *words])
        with pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit("toy:two_domains,rows=400", changes=SMALL, out=tmp_path_factory.mktemp("domains") / "run")


def test_rows_are_judged_by_three_figures(run: Run) -> None:
    assert list(run.validation) == ["energy_score", "translation_error", "cycle_error"]
    assert list(run.summary["baselines"]) == [
        "rows as they are",
        "matched means and variances",
        "optimal transport of Gaussians",
    ]
    page = run.folder.report.read_text(encoding="utf-8")
    assert "Rows of the first domain, translated" in page
    assert (
        "Both players’ losses" in page or "Both players' losses" in page or "Both players&#39; losses" in page
    )


def test_rows_become_rows_of_the_domain_that_is_named(run: Run) -> None:
    rows = read("toy:two_domains,rows=20,seed=3").frame
    made = run.translate(rows, to="b").frame
    assert made.columns == ["x1", "x2", "domain"]
    assert made["domain"].to_list() == ["b"] * 20
    assert load(run.path).translate(rows, to="b").frame.equals(made)
    assert not run.translate(rows, to="a").frame["x1"].equals(made["x1"])


def test_answers_say_under_which_domain_a_row_is_likely(run: Run) -> None:
    answers = run.predict(read("toy:two_domains,rows=20,seed=3").frame).frame
    assert answers.columns == ["energy_score", "energy_score_a", "energy_score_b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"--to: nothing says of which 'domain' the rows are to become; expected 'a' or 'b'"),
        (["--to", "c"], r"--to: found the class 'c' of 'domain', which no training row has"),
    ],
)
def test_a_domain_has_to_be_named(run: Run, words: list[str], message: str, tmp_path: Path, cli: Cli) -> None:
    """One message and exit code 2."""
    table = tmp_path / "rows.csv"
    read("toy:two_domains,rows=20").frame.write_csv(table)
    code, out, err = cli("translate", str(run.path), str(table), *words)
    assert (code, out) == (2, "")
    assert re.search(message, err)


def test_the_command_writes_translated_rows(run: Run, tmp_path: Path, cli: Cli) -> None:
    table, out = tmp_path / "rows.csv", tmp_path / "made.csv"
    read("toy:two_domains,rows=20").frame.write_csv(table)
    assert cli("translate", str(run.path), str(table), "--to", "a", "-o", str(out))[0] == 0
    assert pl.read_csv(out)["domain"].to_list() == ["a"] * 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.label": "target"}, r"between two domains, and 'target' has 3 .*'setosa'"),
        ({}, r"between two domains, and no column tells them apart"),
    ],
)
def test_what_names_no_two_domains_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        fit(read("bundled:iris").frame, changes={**SMALL, **changes}, out=tmp_path / "run")


def test_penalties_of_the_objective_are_refused(tmp_path: Path) -> None:
    changes = {**SMALL, "objective.penalties": ["l2"]}
    with pytest.raises(RecipeError, match=r"penalties: have no effect under learning\.cycle"):
        fit("toy:two_domains,rows=100", changes=changes, out=tmp_path / "run")


def test_the_seal_is_opened_with_the_same_figures(run: Run) -> None:
    tested = run.test()
    assert list(tested["metrics"]) == ["energy_score", "translation_error", "cycle_error"]


@pytest.mark.slow
def test_the_true_map_is_found_without_pairs(tmp_path: Path) -> None:
    """systems.md, CycleGAN: unpaired translation between two generated domains with a known true map, error
    against it below a quarter of the identity's. Source: Zhu, Park, Isola & Efros 2017
    """
    for seed in range(5):
        changes = {"model": {"cyclegan": {"hidden": [32, 32]}}, "training.epochs": 40, "seed": seed}
        run = fit(
            f"toy:two_domains,rows=3000,seed={seed}",
            changes={**changes, "evaluation.resamples": 100},
            out=tmp_path / str(seed),
        )
        found = run.test()
        error = found["metrics"]["translation_error"]["value"]
        identity = found["baselines"]["rows as they are"]["translation_error"]["value"]
        best = found["baselines"]["optimal transport of Gaussians"]["translation_error"]["value"]
        assert error < identity / 4, seed
        assert error < best / 2, seed
        assert found["metrics"]["cycle_error"]["value"] < identity / 20, seed


@pytest.mark.slow
def test_pictures_are_inverted_without_pairs(tmp_path: Path) -> None:
    """Digits, and others whose pixels are inverted: far nearer to the inverted pictures than to the digits.

    Source: Zhu, Park, Isola & Efros 2017
    """
    folder = inverted_digits(tmp_path / "digits")
    changes = {"model": {"cyclegan": {"maps": 8, "blocks": 1}}, "training.epochs": 20}
    run = handrail.fit(folder, changes={**changes, "evaluation.resamples": 100}, out=tmp_path / "run")
    error, identity = inversion_error(run, folder)
    assert error < identity / 4


def inverted_digits(folder: Path, rows: int = 1000) -> Path:
    """A folder a domain; no digit stands in both."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    for place, pixels in enumerate(digits.images[:rows]):
        grey = np.clip(pixels * 16, 0, 255).astype(np.uint8)
        name = "dark" if place % 2 else "light"
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey if place % 2 else 255 - grey).save(folder / name / f"{place}.png")
    return folder


def inversion_error(run: Run, folder: Path) -> tuple[float, float]:
    """The mean absolute difference of translated pictures, and of the pictures, from the inverted ones."""
    made = run.translate(folder / "dark", to="light")
    from PIL import Image

    own = [np.asarray(Image.open(folder / "dark" / name)).astype(float) for name in made.frame["file"]]
    pairs = list(zip(made.maps, own, strict=True))
    errors = [np.abs(new[..., 0].astype(float) - (255 - old)).mean() for new, old in pairs]
    return float(np.mean(errors)), float(np.mean([np.abs(old - (255 - old)).mean() for old in own]))
