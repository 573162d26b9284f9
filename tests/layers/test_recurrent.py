"""Steps one by one against torch's cells; padding, directions and summaries."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from handrail.layers.steps import (
    SeriesVectors,
    TokenVectors,
    counts,
    last_of_each_direction,
    open_forget_gates,
    present,
    run_over,
    summarise,
)

CORES = {"rnn": (nn.RNN, nn.RNNCell), "lstm": (nn.LSTM, nn.LSTMCell), "gru": (nn.GRU, nn.GRUCell)}


def _rows(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _by_cell(cell: nn.Module, steps: Tensor, state: Tensor | None = None) -> Tensor:
    """The states of a cell over `[rows, length, inputs]`, one step after the other."""
    carried = (
        (state, torch.zeros_like(state)) if state is not None and isinstance(cell, nn.LSTMCell) else state
    )
    states = []
    for x in steps.unbind(1):
        carried = cell(x, carried)
        states.append(carried[0] if isinstance(carried, tuple) else carried)
    return torch.stack(states, dim=1)


def _cell(kind: type[nn.Module], core: nn.RNNBase, layer: str) -> nn.Module:
    width = core.hidden_size
    cell = kind(core.get_parameter(f"weight_ih_{layer}").shape[1], width)
    cell.load_state_dict({name: core.get_parameter(f"{name}_{layer}").detach() for name in cell.state_dict()})
    return cell


@pytest.mark.parametrize("name", CORES)
def test_two_layers_are_two_cells_step_by_step(name: str) -> None:
    many, single = CORES[name]
    core, steps, start = many(3, 5, 2, batch_first=True), _rows(4, 7, 3), _rows(2, 4, 5, seed=2)
    below = _by_cell(_cell(single, core, "l0"), steps, start[0])
    torch.testing.assert_close(
        run_over(core, steps, start=start), _by_cell(_cell(single, core, "l1"), below, start[1])
    )


@pytest.mark.parametrize("name", CORES)
def test_both_ways_over_padded_rows_are_cells_over_each_row_alone(name: str) -> None:
    many, single = CORES[name]
    core, stops = many(3, 5, bidirectional=True, batch_first=True), [7, 1, 4]
    steps, there = _rows(3, 7, 3), torch.arange(7) < torch.tensor(stops).unsqueeze(1)
    states = run_over(core, steps, there=there)
    ends = last_of_each_direction(states, there)
    for row, stop in enumerate(stops):
        alone = steps[row : row + 1, :stop]
        forth = _by_cell(_cell(single, core, "l0"), alone)
        back = _by_cell(_cell(single, core, "l0_reverse"), alone.flip(1)).flip(1)
        torch.testing.assert_close(states[row : row + 1, :stop], torch.cat([forth, back], dim=2))
        torch.testing.assert_close(ends[row], torch.cat([forth[0, -1], back[0, 0]]))
        assert not states[row, stop:].any()


def test_an_open_forget_gate_keeps_what_the_cell_holds() -> None:
    core = nn.LSTM(2, 4, layers := 2, batch_first=True)
    open_forget_gates(core, 30.0)
    for layer in range(layers):
        total = core.get_parameter(f"bias_ih_l{layer}") + core.get_parameter(f"bias_hh_l{layer}")
        assert total[4:8].tolist() == [30.0] * 4
        assert not (total[:4] == 0).any()
    with torch.no_grad():
        for name, parameter in core.named_parameters():
            if "bias_ih" in name:
                parameter[:4] = -30.0  # nothing comes in
    held = _rows(2, 3, 4)
    state = core(_rows(3, 50, 2), (torch.zeros_like(held), held))[1][1]
    torch.testing.assert_close(state, held)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), max_size=6), min_size=1, max_size=4), st.integers(6, 9))
def test_summaries_see_the_steps_that_are_there(texts: list[list[int]], length: int) -> None:
    tokens = torch.tensor([text + [0] * (length - len(text)) for text in texts])
    steps, there = _rows(len(texts), length, 3), present(tokens)
    assert counts(tokens).tolist() == [max(len(text), 1) for text in texts]
    for row, text in enumerate(texts):
        own = steps[row, : max(len(text), 1)]
        torch.testing.assert_close(summarise(steps, there, "last")[row], own[-1])
        torch.testing.assert_close(summarise(steps, there, "mean")[row], own.mean(dim=0))
        torch.testing.assert_close(summarise(steps, there, "max")[row], own.amax(dim=0))


def test_every_step_of_a_series_is_there() -> None:
    series = torch.zeros(2, 3, 5)
    assert present(series).shape == (2, 5)
    assert present(series).all()
    assert SeriesVectors()(_rows(2, 3, 5))[1, 4].tolist() == _rows(2, 3, 5)[1, :, 4].tolist()


def test_padding_has_no_vector_and_learns_none() -> None:
    layer = TokenVectors(500, 40, std=0.1)
    assert not layer.weight[:2].any()
    assert float(layer.weight[2:].detach().std()) == pytest.approx(0.1, rel=0.05)
    layer = TokenVectors(4, 3)
    layer(torch.tensor([[2, 0, 0]])).sum().backward()
    assert layer.weight.grad is not None
    assert (layer.weight.grad.abs().sum(dim=1) > 0).tolist() == [False, False, True, False]
    assert not layer(torch.tensor([[0]])).any()
