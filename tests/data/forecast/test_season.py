"""Forecasts: what they have to beat, and on which scale."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from handrail.data.encoders.series import SeriesEncoder
from handrail.data.forecast.season import choose_season, mase, mase_scale, seasonal_naive
from handrail.data.forecast.windows import window_table
from handrail.data.rows import take
from handrail.data.sources import read
from handrail.data.stores.series import WindowStore
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.models.nlinear import NLinear
from handrail.recipe.sections import DataRecipe, Series
from handrail.shapes import SeriesShape


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 20), st.integers(0, 5))
def test_the_last_season_again_and_again(season: int, horizon: int, more: int) -> None:
    history = np.random.default_rng(season).normal(size=(3, season + more))
    longer = history.copy()
    for _ in range(horizon):  # each step is what was said of the step a season before it
        longer = np.concatenate([longer, longer[:, -season, None]], axis=1)
    np.testing.assert_array_equal(seasonal_naive(history, horizon, season), longer[:, season + more :])


def test_a_history_shorter_than_the_season_is_refused() -> None:
    with pytest.raises(ValueError, match="a history of 3 rows is shorter than the season of 4"):
        seasonal_naive(np.zeros((1, 3)), 2, 4)


def test_scale_by_hand() -> None:
    train = np.array([[1.0, 0], [2, 0], [4, 0], [7, 0], [np.nan, 0]])
    scale = mase_scale(train, 1)
    assert scale[0] == pytest.approx((1 + 2 + 3) / 3)  # the pair with a gap does not count
    assert np.isnan(scale[1])  # no error to compare with
    assert mase_scale(train, 2)[0] == pytest.approx((3 + 5) / 2)
    assert np.isnan(mase_scale(train, 5)).all()
    assert mase(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]), np.array([2.0])) == 0.25


def test_nlinear_begins_close_to_the_naive_forecast_and_follows_its_formula() -> None:
    model, x = NLinear(SeriesShape(3, 5), 8, targets=2), torch.randn(4, 3, 5)
    naive = x[:, :2, -1:].expand(4, 2, 4).flatten(1)
    assert (model(x) - naive).abs().max() < 0.02
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    past = x[:, :2].numpy()
    weights, gain, bias = (
        parameter.detach().numpy() for parameter in (model.head.weight, model.gain, model.bias)
    )
    change = np.einsum("hl,rcl->rch", weights, past - past[:, :, -1:]).reshape(4, 8)
    np.testing.assert_allclose(model(x).detach(), gain * naive.numpy() + change + bias, atol=1e-5)
    with pytest.raises(RecipeError, match="found 3, with 8 outputs and 3 channels"):
        NLinear(SeriesShape(3, 5), 8, targets=3)


def errors(file: Path, target: str, epochs: int) -> tuple[float, float]:
    """Mean absolute errors over the test stretch: of a network, and of the seasonal naive forecast."""
    table, outputs, season = window_table(read(file), (target,), DataRecipe())
    store, parts = table.stores["history"], table.parts
    assert isinstance(store, WindowStore)
    assert parts is not None
    train, test = (table.frame.filter(parts == code) for code in (0, 2))
    encoder = SeriesEncoder.fit(train["history"], store, Series())
    truth = torch.tensor(train.select(outputs).to_numpy()).float()
    mean, deviation = truth.mean(0), truth.std(0)
    torch.manual_seed(0)
    network = nn.Sequential(encoder.front(), NLinear(encoder.shape, len(outputs)))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    rows = encoder.rows(train["history"], store)
    for _ in range(epochs):
        for some in torch.randperm(len(truth)).split(64):
            optimizer.zero_grad()
            (network(take(rows, some)) - (truth[some] - mean) / deviation).square().mean().backward()
            optimizer.step()
    with torch.no_grad():
        asked = encoder.rows(test["history"], store)
        said = (network(take(asked, torch.arange(len(test)))) * deviation + mean).numpy()
    task = TaskSpec(name="regression", targets=outputs, horizon=len(outputs), season=season)
    naive = store.last_season(task, test["history"].to_numpy())
    values = test.select(outputs).to_numpy()
    return float(np.abs(said - values).mean()), float(np.abs(naive - values).mean())


def test_sunspots_are_foretold_better_than_by_the_last_cycle(shared_data: Path) -> None:
    network, naive = errors(shared_data / "time-series" / "monthly-sunspots.csv", "Sunspots", 15)
    assert network < 0.75 * naive


def test_the_oil_temperature_is_foretold_better_than_by_the_last_value(shared_data: Path) -> None:
    """Yesterday's hours are a weaker baseline here than the last one, on training rows, too."""
    network, naive = errors(shared_data / "ett" / "ETTh1.csv", "OT", 3)
    assert network < 0.9 * naive


def test_a_season_is_taken_only_where_it_beats_the_last_value(shared_cases: Path) -> None:
    rates = read(shared_cases / "series" / "random_walk_season.csv").frame["rate"].cast(float)
    walk = choose_season(rates.head(302).to_numpy(), horizon=6)
    assert (walk.rows, walk.cycle) == (1, 1)
    assert walk.why.startswith(
        "no season: to repeat the last 76 rows is no better than to repeat the last value"
    )
    time = np.arange(480)
    noise = np.random.default_rng(0).normal(size=480)
    wave = choose_season(np.sin(2 * np.pi * time / 24) + 0.3 * noise, horizon=12)
    assert wave.rows == 24
    assert wave.why.startswith(
        "season of 24 rows, better repeated than the last value (mean absolute error 0.3"
    )
    smooth = choose_season(np.sin(2 * np.pi * time / 24) + 0.1 * noise.cumsum() / 10, horizon=1)
    assert smooth.rows == 1 or "better repeated" in smooth.why
    assert smooth.cycle == 24  # seen all the same, for the history
    assert choose_season(noise, horizon=6).why.startswith("no season: nothing was seen to repeat itself")


def test_random_walks_have_no_season() -> None:
    rng = np.random.default_rng(1)
    walks = [choose_season(rng.normal(size=500).cumsum(), horizon=6) for _ in range(100)]
    assert np.mean([walk.rows > 1 for walk in walks]) <= 0.02
