"""Gaps filled from the rest of the row, and rows that are like none: uses of a density, and of codes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next import work
from sklearn.impute import IterativeImputer

import handrail
from handrail.errors import DataError, RecipeError

QUICK = {"evaluation.resamples": 100, "data.drop": ["name"]}


def related(rows: int, seed: int) -> pl.DataFrame:
    """Numbers of two factors, a word and a bit that go with them."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows))
    numbers = {
        f"x{place}": np.cos(place) * a + np.sin(place) * b + 0.1 * rng.normal(size=rows) for place in range(4)
    }
    words = np.where(a + b > 0, "high", "low")
    return pl.DataFrame(
        {"name": [f"r{row}" for row in range(rows)], **numbers, "word": words, "bit": (a > b).astype(int)}
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> handrail.Run:
    changes = {
        "model": {"vae": {"code": 3, "hidden": [32]}},
        "training.epochs": 60,
        "data.drop": ["name"],
        **QUICK,
    }
    return handrail.fit(related(1500, 0), changes=changes, out=tmp_path_factory.mktemp("related") / "run")


def with_gaps(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return frame.with_columns(
        pl.select(pl.when(pl.Series(rng.random(len(frame)) < share)).then(None).otherwise(frame[name]))
        .to_series()
        .alias(name)
        for name in frame.columns
        if name != "name"
    )


def test_gaps_are_filled_and_nothing_else_is_touched(run: handrail.Run):
    whole = related(300, 1)
    table = with_gaps(whole, 0.2, 2)
    answers = run.use("fill", table)
    filled = answers.frame
    assert filled.columns == table.columns
    assert sum(filled.null_count().row(0)) == 0
    assert answers.warnings[-1] == f"{sum(table.null_count().row(0)):,} missing values were filled in."
    for name in table.columns:
        known = table[name].is_not_null()
        assert filled[name].dtype == table[name].dtype
        assert filled[name].filter(known).cast(pl.String).to_list() == (
            table[name].filter(known).cast(pl.String).to_list()
        )
    assert run.use("fill", table).frame.equals(filled)
    assert run.use("fill", whole).warnings[-1] == "no value is missing."


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[handrail.Run, str]:
    """Rows of a file with words for yes and no, prices, counts, dates and a category."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("written")
    rows = ["paid,price,count,day,kind"]
    for _ in range(200):
        yes, day = rng.random() < 0.5, np.datetime64("2021-01-01") + rng.integers(300)
        year, month, of_month = str(day).split("-")
        price = f"{rng.integers(100, 999) / 100:.2f}"
        kind = "new" if yes else "old"
        rows.append(f"{'yes' if yes else 'no'},{price},{rng.integers(50)},{month}/{of_month}/{year},{kind}")
    (folder / "rows.csv").write_text("\n".join(rows) + "\n")
    changes = {
        "model": {"vae": {"code": 2, "hidden": [8]}},
        "training.epochs": 3,
        "evaluation.resamples": 100,
    }
    return handrail.fit(folder / "rows.csv", changes=changes, out=folder / "run"), "\n".join(rows[:21]) + "\n"


def test_what_is_filled_is_written_as_the_column_is(
    written: tuple[handrail.Run, str], tmp_path: Path
) -> None:
    run, text = written
    rows = [line.split(",") for line in text.splitlines()]
    for place in range(5):
        rows[place + 2][place] = ""
    (tmp_path / "gaps.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    filled = run.fill(tmp_path / "gaps.csv").frame
    forms = [r"^(yes|no)$", r"^\d+\.\d+$", r"^-?\d+$", r"^\d\d/\d\d/\d{4}$", "^(new|old)$"]
    for place, (name, form) in enumerate(zip(filled.columns, forms, strict=True)):
        assert filled[name].str.contains(form).all(), filled[name].to_list()
        given = [row[place] for row in rows[1:]]
        assert [new for new, old in zip(filled[name], given, strict=True) if old] == [x for x in given if x]


def test_the_types_of_columns_stay(written: tuple[handrail.Run, str]) -> None:
    run, _ = written
    table = pl.DataFrame(
        {
            "paid": pl.Series([True, None, False]),
            "price": [1.5, 2.25, None],
            "count": pl.Series([7, None, 12], dtype=pl.Int16),
            "day": pl.Series([None, "2021-03-14", "2021-03-15"]).str.to_date(),
            "kind": pl.Series(["new", None, "old"], dtype=pl.Categorical),
        }
    )
    typed = run.read(table).frame
    filled = run.fill(table).frame
    assert filled.schema == typed.schema
    assert not sum(filled.null_count().row(0))
    for name in typed.columns:
        known = typed[name].is_not_null()
        assert filled[name].filter(known).to_list() == typed[name].filter(known).to_list()


def test_rows_that_cannot_be_read_stay_as_they_are(written: tuple[handrail.Run, str], tmp_path: Path) -> None:
    run, text = written
    head, first, second, third, *_ = text.splitlines()
    kind = third.rpartition(",")[2]
    lines = [head, first, f",many,{second.split(',', 2)[2]}", f",1.25,7,03/14/2021,{kind}"]
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="found 'many'"):
        run.fill(tmp_path / "bad.csv")
    filled = run.fill(tmp_path / "bad.csv", skip_bad=True).frame
    assert filled.row(0) == tuple(first.split(","))
    assert filled.row(1) == (None, "many", *second.split(",")[2:])
    assert filled.row(2)[0] in ("yes", "no")
    assert filled.row(2)[1:] == ("1.25", "7", "03/14/2021", kind)


def test_rows_that_are_made_are_written_as_the_training_rows(written: tuple[handrail.Run, str]) -> None:
    """In their words and their format of dates, and as whole numbers where those have no others."""
    run = handrail.load(written[0].path)
    made = run.generate(50).frame
    assert set(made["paid"]) == {"yes", "no"}
    assert made["day"].str.contains(r"^\d\d/\d\d/\d{4}$").all()
    assert made.schema["count"] == pl.Int64
    assert made.schema["price"] == pl.Float64
    rows = run.read(run.path.parent / "rows.csv").frame.head(20)
    back = run.reconstruct(rows).frame
    assert set(back["paid"]) <= {"yes", "no"}
    assert back["day"].str.contains(r"^\d\d/\d\d/\d{4}$").all()
    assert back.schema["count"] == pl.Float64  # what is expected is seldom a whole number


def test_what_is_filled_is_nearer_than_the_mean_and_words_are_right(run: handrail.Run):
    """Beside the column's mean, and scikit-learn's chained regressions, which know the law.

    Source: Kim et al. 2018
    """
    whole = related(300, 1)
    table = with_gaps(whole, 0.2, 2)
    filled = run.use("fill", table).frame
    numbers = [f"x{place}" for place in range(4)]
    gaps = table.select(numbers).to_pandas().isna().to_numpy()
    truth, ours = (frame.select(numbers).to_numpy() for frame in (whole, filled))
    theirs = IterativeImputer(random_state=0).fit(related(1500, 0).select(numbers).to_numpy())
    theirs = theirs.transform(table.select(numbers).to_pandas().to_numpy())
    errors = [
        np.sqrt(np.square(given - truth)[gaps].mean()) for given in (ours, theirs, np.zeros_like(truth))
    ]
    assert errors[0] < 0.6 * errors[2]
    assert errors[0] < 1.3 * errors[1]
    words = table["word"].is_null().to_numpy()
    assert (filled["word"].to_numpy() == whole["word"].to_numpy())[words].mean() > 0.85


@pytest.mark.parametrize("model", ["vae", "autoencoder"])
def test_rows_unlike_the_others_are_anomalies(model: str, tmp_path):
    """Rows of the same law are called so no more often than the level says; mixed-up rows are found."""
    changes = {
        "model": {model: {"code": 2, "hidden": [32]}},
        "training.epochs": 60,
        "data.drop": ["name"],
        **QUICK,
    }
    run = handrail.fit(related(1500, 0), changes=changes, out=tmp_path / "run")
    usual, rng = related(1000, 3), np.random.default_rng(4)
    strange = usual.with_columns(pl.Series(name, rng.permutation(usual[name])) for name in usual.columns[1:])
    called = [run.score(rows, level=0.05).frame["anomaly"].to_numpy().mean() for rows in (usual, strange)]
    assert called[0] < 0.08
    assert called[1] > 0.5
    columns = run.score(usual).frame.columns
    assert columns == ["log_density" if model == "vae" else "reconstruction_error", "p_value", "anomaly"]
    loaded = handrail.load(run.path).score(usual, level=0.05).frame
    assert loaded.equals(run.score(usual, level=0.05).frame)


def test_few_validation_rows_are_said(run: handrail.Run, tmp_path):
    few = handrail.fit(related(60, 0), changes={"model": "vae", **QUICK}, out=tmp_path / "run")
    answers = few.score(related(5, 1))
    assert "no row can be called an anomaly at the level 0.01: with 9 validation rows" in answers.warnings[-1]
    assert not answers.frame["anomaly"].any()
    with pytest.raises(RecipeError, match="level"):
        run.score(related(5, 1), level=2)


def test_pictures_have_no_gaps(tmp_path):
    changes = {"model": "vae", "training.epochs": 1, "evaluation.resamples": 100}
    pictures = handrail.fit("toy:shapes,rows=60,side=8", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match="fills the columns of a table"):
        pictures.use("fill", "toy:shapes,rows=3,side=8")
