"""Recurrent layers over rows of steps, on torch's kernels."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_over(
    core: nn.RNNBase,
    steps: Float[Tensor, "rows length inputs"],
    *,
    there: Bool[Tensor, "rows length"] | None = None,
    start: Float[Tensor, "layers rows width"] | None = None,
) -> Float[Tensor, "rows length outputs"]:
    """The hidden states of the last layer at every step: [rows, length, directions · width].

    Padding at the end cannot reach earlier steps, so it needs care only where the network also reads from the
    end: there each row is read from its own last step on, and padded steps give zeros.

    Arguments:
        core: `torch.nn.RNN`, `LSTM` or `GRU` with `batch_first=True`.
        there: which steps are no padding; all of them where nothing is said.
        start: the first hidden state of each layer; zeros where nothing is said. An LSTM's cells begin at
            zero.
    """
    state = (start, torch.zeros_like(start)) if start is not None and isinstance(core, nn.LSTM) else start
    if there is None or not core.bidirectional:
        return core(steps, state)[0]
    packed = pack_padded_sequence(steps, there.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(core(packed, state)[0], batch_first=True, total_length=steps.shape[1])[0]


def last_of_each_direction(
    states: Float[Tensor, "rows length outputs"], there: Bool[Tensor, "rows length"]
) -> Float[Tensor, "rows outputs"]:
    """The two states after the whole row was read: forwards at its last step, backwards at its first."""
    width = states.shape[2] // 2
    last = states[torch.arange(len(states), device=states.device), there.sum(dim=1) - 1]
    return torch.cat([last[:, :width], states[:, 0, width:]], dim=1)


@torch.no_grad()
def open_forget_gates(core: nn.LSTM, bias: float) -> None:
    """Let the cells of an LSTM begin by remembering: the forget gate's bias becomes `bias`.

    torch adds two biases to each gate; the other becomes zero.

    Source: Gers, Schmidhuber & Cummins 2000; Jozefowicz 2015
    """
    width = core.hidden_size
    for name, parameter in core.named_parameters():
        if "bias" in name:  # the gates stand in the order input, forget, cell, output
            parameter[width : 2 * width] = bias if "bias_ih" in name else 0.0
