"""Pictures of what goes on in a capsule network."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components.pictures import Tiles

_SHOWN = 10  # outputs, and numbers of a capsule
_STEPS, _REACH = 11, 0.25


def couplings_shown(couplings: Float[Tensor, "rows outputs height width"]) -> Tiles:
    """How much of the primary capsules at each position goes to each output, a line a row."""
    outputs = couplings.shape[1]
    shown = couplings[:, :_SHOWN]
    left_out = f" The first {_SHOWN} of {outputs} are shown." if outputs > _SHOWN else ""
    return Tiles(
        "Where capsules are routed",
        shown.flatten(0, 1).cpu().numpy(),
        note=(
            "A line a row of data, a column an output, in the order of the classes: the share of the "
            "primary capsules at each position "
            f"that the last iteration gives to it, mean over their types. At first it is {1 / outputs:.2g} "
            f"everywhere; in the end it goes from {float(shown.min()):.2g} to {float(shown.max()):.2g}."
            + left_out
        ),
        columns=shown.shape[1],
        headings=tuple(f"output {number}" for number in range(1, shown.shape[1] + 1)),
    )


def reconstructions(
    given: Float[Tensor, "rows channels height width"], decoded: Float[Tensor, "rows channels height width"]
) -> Tiles:
    """Rows beside what the longest capsule of each knows of them."""
    pairs = torch.stack([given.mean(dim=1), decoded.mean(dim=1)]).transpose(0, 1)
    return Tiles(
        "Rows given back by their longest capsule",
        pairs.flatten(0, 1).cpu().numpy(),
        note="Rows as the network is given them, and as the decoder draws them from one capsule's numbers.",
        columns=2,
        headings=("given", "given back"),
    )


def changed_numbers(capsules: Float[Tensor, "outputs dims"], decode: Callable[[Tensor], Tensor]) -> Tiles:
    """The first row where one number of its longest capsule is changed, as in figure 4 of the paper."""
    dims = min(capsules.shape[1], _SHOWN)
    longest = int(capsules.square().sum(dim=1).argmax())
    steps = torch.linspace(-_REACH, _REACH, _STEPS, device=capsules.device)
    changed = capsules.repeat(dims, _STEPS, 1, 1)  # [dims, steps, outputs, dims]
    for number in range(dims):
        changed[number, :, longest, number] += steps
    pictures = decode(changed.flatten(0, 1)).mean(dim=1)
    shown = f"the first {dims} of {capsules.shape[1]}" if dims < capsules.shape[1] else f"all {dims}"
    return Tiles(
        "What one number of a capsule means",
        pictures.cpu().numpy(),
        note=(
            "The first row, given back by its longest capsule, of which one number is changed: a line a "
            f"number ({shown}), a column a change."
        ),
        columns=_STEPS,
        headings=tuple(f"{round(step, 2) + 0:+.2f}".replace("-", "−") for step in steps.tolist()),
    )
