"""The liquid against its equations, and its connections against the law that they are drawn by."""

import numpy as np
import pytest
import torch

from handrail.layers.liquid import Liquid, draw_connections, places


def liquid(units: int = 60, channels: int = 3, **changes: float) -> Liquid:
    torch.manual_seed(0)
    settings = {"membrane": 10.0, "input_scale": 3.0, "weight": 0.2, "inhibition": 2.0, "background": 0.9}
    return Liquid(channels, units, **{**settings, **changes})


def inputs(rows: int = 4, channels: int = 3, steps: int = 80) -> torch.Tensor:
    return torch.randn(rows, channels, steps, generator=torch.Generator().manual_seed(1))


def test_spikes_are_those_of_the_equations():
    """Maass, Natschläger & Markram 2002, in steps: unit by unit in NumPy, for one row."""
    own, x = liquid(), inputs()
    found = torch.stack(list(own.spikes(x)))
    weights, entering = own.weights.double().numpy(), own.input_weights.double().numpy()
    beta = np.exp(-1 / 10)
    for row in range(len(x)):
        potential, spikes = np.zeros(60), np.zeros(60)
        for step in range(x.shape[2]):
            potential = beta * potential + (1 - beta) * (0.9 + entering @ x[row, :, step].double().numpy())
            potential += weights @ spikes - spikes
            spikes = (potential > 1).astype(float)
            np.testing.assert_array_equal(found[step, :, row].numpy(), spikes)
    assert 0.02 < found.mean() < 0.5


def test_rows_do_not_know_of_each_other():
    own, x = liquid(), inputs(rows=9)
    together = torch.stack(list(own.spikes(x)))
    alone = torch.cat([torch.stack(list(own.spikes(row[None]))) for row in x], dim=2)
    assert torch.equal(together, alone)


@pytest.mark.parametrize(("background", "spike"), [(0.99, False), (1.5, True)])
def test_without_input_a_unit_is_silent_below_its_threshold(background: float, spike: bool):
    own = liquid(weight=0.0, input_scale=0.0, background=background)
    spikes = torch.stack(list(own.spikes(inputs(steps=400))))
    assert bool(spikes.any()) == spike
    if spike:  # every 1 / −τ·ln(1 − 1/b) steps or so; a spike takes 1, so that the rate is nearer to (1−β)·b
        first = int(spikes[:, 0, 0].argmax())
        assert abs(first + 1 - -10 * np.log(1 - 1 / background)) < 1.5


def test_a_fifth_of_the_units_inhibits_and_none_does_both():
    weights = draw_connections(500, weight=0.1, inhibition=3.0)
    assert not weights.diagonal().any()
    inhibits = (weights < 0).any(dim=0)
    excites = (weights > 0).any(dim=0)
    assert not (inhibits & excites).any()
    assert 90 <= int(inhibits.sum()) <= 100
    assert float(weights[weights > 0].mean()) == pytest.approx(0.1, rel=0.1)
    assert float(weights[weights < 0].mean()) == pytest.approx(-0.3, rel=0.15)


def test_connections_are_as_frequent_as_the_law_says():
    """C·exp(−D²/λ²), summed over pairs at one distance, for the kinds that send and receive."""
    torch.manual_seed(3)
    where = places(1000).double()
    distances = torch.cdist(where, where).square().round().long()
    drawn = [draw_connections(1000, weight=0.1, inhibition=1.0) for _ in range(3)]
    for (sends, receives), chance in {(0, 0): 0.3, (0, 1): 0.2, (1, 0): 0.4, (1, 1): 0.1}.items():
        for square in (1, 2, 4):
            hits = pairs = 0
            for weights in drawn:
                inhibits = (weights < 0).any(dim=0).long()
                right = (inhibits[None] == sends) & (inhibits[:, None] == receives) & (distances == square)
                hits, pairs = hits + int((weights[right] != 0).sum()), pairs + int(right.sum())
            share, expected = hits / pairs, chance * np.exp(-square / 4)
            assert abs(share - expected) < 4 * np.sqrt(expected / pairs)
