"""Whether 'NA' is a word or a gap in new rows is as it was in the training rows, whatever the format."""

from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

import handrail
from handrail.data.prepare import prepare_with_test
from handrail.data.streaming import parquet
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe

TINY: dict[str, Any] = {"training.epochs": 1, "model": "linear", "evaluation.resamples": 100}
RANDOM = Random(0)
FRAME = pl.DataFrame(
    {
        "x": [RANDOM.random() for _ in range(90)],
        "land": [RANDOM.choice(("NA", "NA", "US", "EU", None)) for _ in range(90)],
        "y": [RANDOM.choice(("no", "yes")) for _ in range(90)],
    }
)


def write(frame: pl.DataFrame, folder: Path, name: str) -> str:
    path = folder / name
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return str(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, handrail.Run]:
    """Trained on the same rows: once 'NA' is a level, once it is missing."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: handrail.fit(write(FRAME, folder, name), "y", changes=TINY, out=folder / name.replace(".", "-"))
        for name in ("t.parquet", "t.csv")
    }


def answers(run: handrail.Run, source: Any, **settings: Any) -> list[float]:
    return run.predict(source, **settings).frame["probability_yes"].to_list()


@pytest.mark.parametrize("trained", ["t.parquet", "t.csv"])
def test_new_rows_are_read_by_the_rule_of_the_training_rows(runs, tmp_path: Path, trained: str) -> None:
    new = FRAME[:40]
    own, *others = [
        answers(runs[trained], source)
        for source in (
            write(new, tmp_path, f"new{Path(trained).suffix}"),
            write(new, tmp_path, "other.csv"),
            write(new, tmp_path, "other.parquet"),
            new,
        )
    ]
    assert all(other == own for other in others)
    is_na, is_gap = (new["land"] == "NA").fill_null(value=False), new["land"].is_null()
    na = answers(runs[trained], pl.DataFrame({"x": [3.0], "land": ["NA"]}))
    gap = answers(runs[trained], pl.DataFrame({"x": [3.0], "land": [None]}))
    assert is_na.any()
    assert is_gap.any()
    assert (na == gap) == (trained == "t.csv")


def test_what_is_given_for_new_rows_goes_before(runs, tmp_path: Path) -> None:
    run, source = runs["t.parquet"], write(FRAME, tmp_path, "new.csv")
    given = answers(run, source, read_options=ReadOptions(missing=["NA"]))
    assert given == answers(run, FRAME.with_columns(land=pl.col("land").replace("NA", None)))


def test_kept_columns_are_as_they_were(runs) -> None:
    from handrail.run import predict_source

    kept = predict_source(runs["t.csv"], FRAME[:10], keep=True).frame
    assert kept["land"].to_list() == FRAME["land"][:10].to_list()


def test_rows_that_are_read_in_blocks_are_read_alike(runs, tmp_path: Path, monkeypatch) -> None:
    source, run = write(FRAME, tmp_path, "new.parquet"), runs["t.csv"]
    expected = answers(run, source)
    monkeypatch.setattr(parquet, "LARGE", 0)
    assert answers(run, source) == expected


@pytest.mark.parametrize(("first", "second"), [("csv", "parquet"), ("parquet", "csv")])
def test_parts_of_several_formats_are_read_alike(tmp_path: Path, first: str, second: str) -> None:
    train, test = FRAME[:60], FRAME[60:]
    recipes = [
        DataRecipe(
            source=write(train, tmp_path, f"train.{first}"),
            test=write(test, tmp_path, f"test.{ending}"),
            target="y",
        )
        for ending in (first, second)
    ]
    (_, alike), (_, other) = map(prepare_with_test, recipes)
    assert other.features.equals(alike.features)
