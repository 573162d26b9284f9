"""Language models on the columns of a table, from the file to the report."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import handrail
from handrail.data.encoders.row_encoder import OneColumn
from handrail.data.encoders.text import SymbolEncoder
from handrail.errors import DataError, HandrailError, RecipeError
from handrail.models.markov_chain import MarkovChain
from handrail.network import model_in
from handrail.run import Run

NAMES = ["sunny", "rainy", "cloudy", "snow storm"]
LAW = np.array([[0.7, 0.1, 0.2, 0.0], [0.2, 0.5, 0.2, 0.1], [0.3, 0.3, 0.3, 0.1], [0.1, 0.2, 0.2, 0.5]])


def drawn(rows: int) -> list[str]:
    rng, state, names = np.random.default_rng(0), 0, []
    for _ in range(rows):
        names.append(NAMES[state])
        state = int(rng.choice(4, p=LAW[state]))
    return names


def fit_chain(source: Path, target: str, out: Path, *, order: int = 1, **changes: object) -> Run:
    settings = {"data.task": "next-token", "model": {"markov_chain": {"order": order}}, **changes}
    return handrail.fit(source, target, changes=settings, out=out)


def column_of(run: Run) -> SymbolEncoder:
    encoder = run.pipeline.encoder
    assert isinstance(encoder, OneColumn)
    assert isinstance(encoder.column, SymbolEncoder)
    return encoder.column


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    folder, names = tmp_path_factory.mktemp("weather"), drawn(3000)
    pl.DataFrame({"weather": names}).write_csv(folder / "weather.csv")
    return fit_chain(folder / "weather.csv", "weather", folder / "run"), names


def test_the_matrix_is_that_of_plain_counts_and_near_the_law(weather: tuple[Run, list[str]]) -> None:
    """Markov 1913."""
    run, names = weather
    chain, column = model_in(run.pipeline.network), column_of(run)
    assert isinstance(chain, MarkovChain)
    tokenizer, length = column.tokenizer, column.length
    codes = [row[0] for row in tokenizer.encode(NAMES)]
    found = chain.transitions().numpy()[np.ix_(codes, codes)]
    train = names[: (2100 - 1) // length * length + 1]  # the last window ends with the last whole one
    counts = np.zeros((4, 4))
    np.add.at(
        counts, ([NAMES.index(name) for name in train[:-1]], [NAMES.index(name) for name in train[1:]]), 1
    )
    np.testing.assert_allclose(found, counts / counts.sum(axis=1, keepdims=True), atol=1e-15)
    assert np.abs(found - LAW).max() < 0.06  # four standard errors of the rarest row


def test_a_series_is_written_on_and_unknown_symbols_are_refused(weather: tuple[Run, list[str]]) -> None:
    run, _ = weather
    text = run.sample("sunny, snow storm", length=30)
    assert text.startswith("sunny, snow storm, ")
    assert len(text.split(", ")) == 32
    assert set(text.split(", ")) <= set(NAMES)
    assert run.sample("sunny rainy", length=3) == run.sample("sunny\nrainy", length=3)
    assert len(run.sample(length=3).split(", ")) == 4
    with pytest.raises(DataError) as caught:
        run.sample("sunny, hail, fog, hail")
    assert "found 'hail', 'fog', which did not occur in training; expected cells of 'sunny'" in str(
        caught.value
    )
    for name in NAMES:
        assert f"'{name}'" in str(caught.value)


@pytest.mark.pictures
def test_the_report_names_the_cells(weather: tuple[Run, list[str]]) -> None:
    run, _ = weather
    page = (run.path / "report.html").read_text()
    for text in ("Transitions from token to token", "1 sunny", "4 snow storm", "tokens at once (cells)"):
        assert text in page
    assert "repeat" not in str(run.summary["findings"])


def test_the_test_rows_are_those_of_this_series(weather: tuple[Run, list[str]], tmp_path: Path) -> None:
    run, names = weather
    again = handrail.load(run.path)
    assert again.test()["metrics"]["nats"]["value"] < 1.3
    pl.DataFrame({"weather": names[500:2000]}).write_csv(tmp_path / "other.csv")  # the same four symbols
    other = fit_chain(tmp_path / "other.csv", "weather", tmp_path / "run")
    assert other.test()["opening"] == 1
    with pytest.raises(HandrailError, match="opened"):
        fit_chain(run.path.parent / "weather.csv", "weather", tmp_path / "second", order=2).test()


@pytest.mark.pictures
def test_numbers_are_binned_in_the_start_and_contexts_that_are_new_are_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=600).cumsum()
    gaps = [None if place % 50 == 7 else float(value) for place, value in enumerate(noise)]
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 8, 22), eager=True)
    pl.DataFrame({"day": days, "height": gaps}).write_csv(tmp_path / "walk.csv")
    changes = {"data.text.bins": 5, "data.text.length": 12}
    run = fit_chain(tmp_path / "walk.csv", "height", tmp_path / "run", order=6, **changes)
    column = column_of(run)
    tokenizer = column.tokenizer
    assert tokenizer.vocabulary == 2 + 5 + 1
    text = run.sample(f"{noise[0]:.3f} {noise[300]:.3f} missing", length=2)
    start = [str(noise[0]), str(noise[300])]
    first = [tokenizer.decode([code]) for row in tokenizer.encode(start) for code in row]
    assert text.split(", ")[:3] == [*first, "missing"]
    with pytest.raises(DataError, match=r"found 'low', .* expected numbers, or their bins: 'below"):
        run.sample("low")
    every = pl.Series("height", gaps, dtype=pl.Float64)
    rows, held = (column.rows(part).data.tolist() for part in (every[:420], every[420:510]))
    seen = {tuple(rows[at + i : at + i + 6]) for at in range(0, 420 - 12, 12) for i in range(7)}
    asked = [tuple(held[at + i : at + i + 6]) for at in range(0, 90 - 12, 12) for i in range(7)]
    new = sum(context not in seen for context in asked)
    said = f"{new} of {len(asked)} contexts of 6 tokens ({new / len(asked):.1%}) never occurred in training"
    assert new > 0
    assert said in run.summary["remark"]
    assert said in (run.path / "report.html").read_text()


def test_a_chain_asks_for_the_task_where_none_is_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": np.arange(60) % 7, "weather": drawn(60)})
    for changes, message in (
        ({"model": "markov_chain"}, "'markov_chain' predicts the next token .* set data.task: next-token"),
        ({"model": "gpt"}, "'gpt' predicts the next token .* set data.task: next-token"),
        ({"data.text.tokens": "cells"}, "data.text.tokens: 'cells' has no effect on the task auto"),
        ({"data.text.bins": 4}, "data.text.bins: has no effect without tokens that are bins"),
    ):
        with pytest.raises(RecipeError, match=message):
            handrail.fit(frame, "weather", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"every column is a target.*data\.task=next-token"):
        handrail.fit(frame[["weather"]], "weather", changes={"model": "markov_chain"}, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("order", "message"), [(9, "found 9, expected 4 or less"), (61, "less than or equal to 60")]
)
def test_an_order_beyond_the_window_is_refused(tmp_path: Path, order: int, message: str) -> None:
    frame = pl.DataFrame({"weather": drawn(300)})
    changes = {"data.task": "next-token", "model": {"markov_chain": {"order": order}}}
    with pytest.raises(RecipeError, match=message):
        handrail.fit(frame, "weather", changes=changes, out=tmp_path / "run")


def test_daily_temperatures_and_winds_are_predicted_better_than_by_their_frequencies(
    tmp_path: Path, shared_data: Path
) -> None:
    """Bins of Melbourne's daily minima; Bejing's winds."""
    folder = shared_data / "time-series"
    for name, target in (("daily-min-temperatures", "Temp"), ("pollution", "cbwd")):
        run = fit_chain(folder / f"{name}.csv", target, tmp_path / name)
        own, frequency = run.summary["metrics"]["nats"], run.summary["baselines"]["unigram"]["nats"]
        assert own["value"] < 0.85 * frequency["value"]
