"""McCulloch–Pitts neurons set by hand."""

import itertools

import pytest
import torch
from torch import Tensor

from handrail.layers.threshold import ThresholdLayer

FOUR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def _answers(layer: ThresholdLayer, rows: Tensor) -> list[int]:
    return layer(rows)[:, 0].int().tolist()


def test_and_or_and_not_by_hand() -> None:
    """McCulloch & Pitts 1943: θ = 2, θ = 1, and an inhibitory input beside one that is always on."""
    neuron = ThresholdLayer(2, 1)
    for threshold, answers in ((2, [0, 0, 0, 1]), (1, [0, 1, 1, 1])):
        neuron.set_neuron(0, excitatory=(0, 1), threshold=threshold)
        assert _answers(neuron, FOUR) == answers
    neuron.set_neuron(0, excitatory=(0,), inhibitory=(1,))
    assert _answers(neuron, torch.tensor([[1.0, 0.0], [1.0, 1.0]])) == [1, 0]


def test_two_layers_of_neurons_compute_xor() -> None:
    """McCulloch & Pitts 1943: (x₁ and not x₂) or (x₂ and not x₁)."""
    hidden, output = ThresholdLayer(2, 2), ThresholdLayer(2, 1)
    hidden.set_neuron(0, excitatory=(0,), inhibitory=(1,))
    hidden.set_neuron(1, excitatory=(1,), inhibitory=(0,))
    output.set_neuron(0, excitatory=(0, 1))
    assert _answers(output, hidden(FOUR)) == [0, 1, 1, 0]


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_each_inhibitory_input_forbids_a_neuron_alone(threshold: int) -> None:
    """As the paper's neurons: the count of excitatory inputs matters only where no inhibitory one is on."""
    rows = torch.tensor(list(itertools.product([0.0, 1.0], repeat=5)))
    neuron = ThresholdLayer(5, 1)
    neuron.set_neuron(0, excitatory=(0, 1, 2), inhibitory=(3, 4), threshold=threshold)
    fires = (rows[:, :3].sum(dim=1) >= threshold) & (rows[:, 3:].sum(dim=1) == 0)
    assert _answers(neuron, rows) == fires.int().tolist()
    with pytest.raises(ValueError, match="found the threshold 0, expected at least 1 beside inhibitory"):
        neuron.set_neuron(0, excitatory=(0,), inhibitory=(1,), threshold=0)
