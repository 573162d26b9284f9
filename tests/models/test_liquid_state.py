"""The liquid state machine: what its readout is given, and what it can tell apart."""

import pytest
import torch

import handrail
from handrail.components import build
from handrail.data.sources.toys.spikes import spike_patterns
from handrail.errors import RecipeError
from handrail.models.liquid_state import LiquidState
from handrail.shapes import ImageShape, SeriesShape


def machine(inputs: SeriesShape | ImageShape, **settings: int) -> LiquidState:
    torch.manual_seed(0)
    return build("model", {"liquid_state": {"units": 40, **settings}}, inputs, 2)


def test_the_readout_is_given_the_rates_of_each_part():
    model, x = machine(SeriesShape(3, 11), parts=3), 2 * torch.randn(5, 3, 11)
    spikes = torch.stack(list(model.liquid.spikes(x)))
    expected = torch.cat([spikes[start:end].mean(dim=0) for start, end in ((0, 4), (4, 7), (7, 11))]).T
    torch.testing.assert_close(model.rates(x), expected)
    torch.testing.assert_close(model(x), model.head(expected))


def test_pictures_are_read_from_left_to_right():
    series, picture = machine(SeriesShape(6, 9)), machine(ImageShape(2, 3, 9))
    x = torch.randn(4, 2, 3, 9)
    torch.testing.assert_close(picture(x), series(x.flatten(1, 2)))


def test_only_the_readout_is_learned():
    model = machine(SeriesShape(3, 11))
    assert {name for name, _ in model.named_parameters()} == {"head.weight", "head.bias"}
    assert not any(weights.requires_grad for weights in model.liquid.state_dict().values())


def test_more_parts_than_steps_are_refused():
    with pytest.raises(RecipeError, match=r"parts: found 12, expected 11 or fewer: the inputs have 11 steps"):
        machine(SeriesShape(3, 11), parts=12)


def test_patterns_have_as_many_spikes_whatever_their_class():
    toy = spike_patterns(rows=400, classes=3, jitter=0.0, noise=0.0, seed=2)
    store, classes = toy.stores["spikes"], toy.frame["pattern"].to_numpy()
    trains = store.values(range(400), 100)  # type: ignore[attr-defined]
    counts = torch.stack([trains[classes == code].sum(dim=(0, 2)) / 3 for code in range(3)])
    assert bool((counts / torch.bincount(torch.tensor(classes))[:, None] <= 1).all())
    assert bool((trains.sum(dim=(1, 2)) > 20).all())


def test_it_tells_spike_patterns_apart_that_no_linear_readout_of_the_input_does(tmp_path):
    """Maass, Natschläger & Markram 2002: patterns in time, wherever they begin."""
    run = handrail.fit(
        "toy:spike_patterns,rows=700,seed=5",
        changes={"model": {"liquid_state": {"units": 200, "parts": 1}}, "learning.least_squares.ridge": 1e-2},
        out=tmp_path / "run",
    )
    beside = run.summary["comparison"]
    assert beside["baseline"] == "linear"
    assert beside["difference"]["low"] > 0.1
