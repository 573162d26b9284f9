"""Where a loss stopped being a number: the batch again, layer by layer."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from handrail.learning.batch import Batch
from handrail.learning.rule import Rule

_LARGE = 1e4  # an input beyond this is worth naming


def explain_fault(
    model: nn.Module, rule: Rule, batches: Sequence[Batch], *, where: str, loss: float, names: Sequence[str]
) -> str:
    """Replay the steps up to the bad one and say which layer and which column were the first to go wrong.

    Arguments:
        model, rule: as they were before the first of the batches.
        batches: the last one is the one with the bad loss.
        where: epoch and step, for the message.
        loss: what was found.
        names: of the input columns.
    """
    model.train()
    for batch in batches[:-1]:
        rule.step(model, batch)
    bad = batches[-1]
    layer = _first_bad_layer(model, bad.inputs)
    what = "is not a number" if math.isnan(loss) else f"has exploded to {loss:.3g}"
    parts = [f"the loss {what} in {where}."]
    if layer:
        parts.append(f"The first layer with values that are not finite is '{layer}'.")
    else:
        parts.append(
            f"All layers still give finite numbers there; the largest weight is {_largest_weight(model):.3g}."
        )
    column = _bad_column(bad.inputs, names)
    if column:
        parts.append(column)
    rate = rule.learning_rate
    advice = [] if rate is None else [f"a smaller learning rate (it is {rate:g})"]
    advice += ["learning.gradient.clip=by_norm"] if getattr(rule, "clip", True) is None else []
    advice.append("data.encoding.scaling=quantile for columns with extreme values")
    parts.append(f"Try {' or '.join(advice)}.")
    return " ".join(parts)


@torch.no_grad()
def _first_bad_layer(model: nn.Module, inputs: Tensor) -> str:
    found: list[str] = []

    def look(name: str, kind: str):
        def hook(_module: nn.Module, _given: tuple[Tensor, ...], answer: object) -> None:
            if isinstance(answer, Tensor) and not bool(torch.isfinite(answer).all()):
                found.append(f"{name} ({kind})")

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(look(name, type(module).__name__)) for name, module in leaves]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""


def _largest_weight(model: nn.Module) -> float:
    return max(
        (float(parameter.detach().abs().max()) for parameter in model.parameters() if parameter.numel()),
        default=0.0,
    )


def _bad_column(inputs: Tensor, names: Sequence[str]) -> str:
    """The input column with a value that is not finite, or else the one with the largest value if that is
    extreme.
    """
    if inputs.ndim != 2 or not inputs.shape[1]:
        return ""
    size = torch.nan_to_num(inputs.detach().abs().double(), nan=torch.inf, posinf=torch.inf)
    column = int(size.amax(dim=0).argmax())
    row = int(size[:, column].argmax())
    value = float(inputs[row, column])
    name = names[column] if column < len(names) else f"number {column + 1}"
    if abs(value) <= _LARGE:
        return f"The largest encoded input of that batch is {value:.3g}, in column '{name}'."
    return f"Column '{name}' has the encoded value {value:.3g} in row {row + 1} of that batch."
