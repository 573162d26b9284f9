"""Why a loss is not a number or has exploded: the bad batch is replayed, layer by layer."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from handrail.learning.rule import Batch, Rule

_LARGE = 1e4  # an input beyond this is worth naming


def describe_loss(loss: float, where: str) -> str:
    """A sentence about a training loss that is not a number or too large; `where` is epoch and step."""
    fault = "is not a number" if math.isnan(loss) else f"has exploded to {loss:.3g}"
    return f"the loss {fault} in {where}."


def describe_validation_loss(loss: float, epoch: int, best_epoch: int) -> str:
    """The message about a validation loss that is not finite; `best_epoch` is 0 where there is none."""
    kept = f" The weights of epoch {best_epoch} are kept." if best_epoch else ""
    return f"the validation loss is {loss} after epoch {epoch}. Try a smaller learning rate.{kept}"


def explain_fault(
    model: nn.Module, rule: Rule, batches: Sequence[Batch], *, where: str, loss: float, names: Sequence[str]
) -> str:
    """Replay the steps up to the bad one and say which layer and which column were the first to go wrong.

    Arguments:
        model, rule: as they were before the first of the batches.
        batches: the last one is the one with the bad loss.
        where: epoch and step, for the message.
        loss: the bad one.
        names: of the input columns.
    """
    model.train()
    for batch in batches[:-1]:
        rule.step(model, batch)
    bad = batches[-1]
    layer = _first_bad_layer(model, bad.inputs)
    parts = [describe_loss(loss, where)]
    if known := _known_fault(model, rule, bad):
        parts.append(known)
    elif layer:
        parts.append(f"The first layer with values that are not finite is '{layer}'.")
    else:
        weight = _largest_weight(model)
        parts.append(f"All layers still give finite numbers there; the largest weight is {weight:.3g}.")
    if column := _bad_column(bad.inputs, names):
        parts.append(column)
    rate = rule.learning_rate
    advice = [] if rate is None else [f"a smaller learning rate (it is {rate:g})"]
    advice += ["learning.gradient.clip=by_norm"] if getattr(rule, "clip", True) is None else []
    advice.append("data.encoding.scaling=quantile for columns with extreme values")
    parts.append(f"Try {' or '.join(advice)}.")
    return " ".join(parts)


def _known_fault(model: nn.Module, rule: Rule, batch: Batch) -> str:
    """What the rule has to say of the bad step, which is taken again where it keeps an eye on such."""
    if type(rule).fault is Rule.fault:
        return ""
    rule.step(model, batch)
    return rule.fault()


@torch.no_grad()
def _first_bad_layer(model: nn.Module, inputs: Tensor) -> str:
    bad_layers: list[str] = []

    def look(name: str, kind: str):
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: object) -> None:
            if isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
                bad_layers.append(f"{name} ({kind})")

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(look(name, type(module).__name__)) for name, module in leaves]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return bad_layers[0] if bad_layers else ""


def _largest_weight(model: nn.Module) -> float:
    sizes = (float(value.detach().abs().max()) for value in model.parameters() if value.numel())
    return max(sizes, default=0.0)


def _bad_column(inputs: Tensor, names: Sequence[str]) -> str:
    """A sentence about the column with a value that is not finite, or else with the largest value."""
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
