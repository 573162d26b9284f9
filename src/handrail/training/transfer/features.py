"""What the layers before the head make of rows, computed once."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from handrail.data.rows import Rows, count, cut, to_device
from handrail.errors import HandrailError, RecipeError, did_you_mean
from handrail.layers.noise import GaussianNoise, NoisyLinear
from handrail.layers.precision import Lowered
from handrail.objectives.added import modules_that_add
from handrail.training.transfer.names import layers


@torch.no_grad()
def feature_rows(
    network: nn.Module, rows: Rows, head_name: str, *, batch_size: int = 256
) -> Float[Tensor, "rows ..."]:
    """What the head gets of each row, in evaluation mode, on the CPU: a linear head then trains in seconds.

    Arguments:
        rows: as the network takes them.
        head_name: the network's last layer, such as `head`.

    Raises: `RecipeError` when there is no such layer, it is unused, or the network does something behind it.

    Source: Donahue 2014; Razavian 2014
    """
    modules = {name: module for name, module in network.named_modules() if name}
    if head_name not in modules:
        raise RecipeError(f"the network has no layer '{head_name}'.{did_you_mean(head_name, modules)}")
    seen: list[tuple[Tensor, Tensor]] = []
    device = next((tensor.device for tensor in network.state_dict().values()), torch.device("cpu"))
    modes = {module: module.training for module in network.modules()}
    network.eval()
    watch = modules[head_name].register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    features = []
    try:
        for start in range(0, count(rows), batch_size):
            seen.clear()
            outputs = network(to_device(cut(rows, start, start + batch_size), device))
            features.append(_before_head(seen, outputs, head_name).cpu())
    finally:
        watch.remove()
        for module, mode in modes.items():
            module.training = mode
    if not features:
        raise HandrailError("there are no rows to take features of.")
    return torch.cat(features)


def _before_head(seen: list[tuple[Tensor, Tensor]], outputs: Any, name: str) -> Tensor:
    if not seen:
        raise RecipeError(
            f"the layer '{name}' is not used by the network, so there are no features before it."
        )
    inputs, out = seen[-1]
    both = isinstance(out, Tensor) and isinstance(outputs, Tensor)
    # What comes out is float32 again.
    same = both and _equal(out.flatten().float(), outputs.flatten().float())
    if len(seen) > 1 or not same:
        raise RecipeError(
            f"'{name}' is not the network's head: the network's answers are not simply what it gives."
        )
    return inputs


def _equal(one: Tensor, other: Tensor) -> bool:
    """Number for number, and not a number where the other is none."""
    alike = one.shape == other.shape
    return alike and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def head_of(network: nn.Module) -> tuple[str, nn.Module]:
    """The last layer's full name, and a module that trains it alone on features, in the network's precision.

    Raises: `RecipeError` when it shares weights with other layers, earlier layers are random in training, or
    the model adds a loss of its own.
    """
    if modules_that_add(network):
        raise RecipeError(
            "transfer.features: the model adds a loss of its own, for which the layers before the head have "
            "to learn; leave transfer.features out."
        )
    *_, last = layers(network)
    name, head = last[0], network.get_submodule(last[0])
    inside = {id(module) for module in head.modules()}
    others = [module for module in network.modules() if id(module) not in inside]
    own = {id(parameter) for parameter in head.parameters()}
    if any(id(parameter) in own for module in others for parameter in module._parameters.values()):
        raise RecipeError(
            f"transfer.features: the head, '{name}', shares weights with the layers before it; expected one "
            "of its own."
        )
    idle = sorted({type(module).__name__ for module in others if _is_random(module)})
    if idle:
        raise RecipeError(
            f"transfer.features: {', '.join(idle)} would have no effect on features, which are computed "
            "once; set it to 0 in the model, or freeze all but the head (transfer.freeze: -1)."
        )
    return name, Lowered(head) if any(isinstance(module, Lowered) for module in others) else head


def _is_random(module: nn.Module) -> bool:
    # Recurrent layers hold a number.
    share = getattr(module, "p" if isinstance(module, _DropoutNd) else "dropout", 0.0)
    return isinstance(module, GaussianNoise | NoisyLinear) or (isinstance(share, int | float) and share > 0)
