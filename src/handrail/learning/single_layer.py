"""What rules for a single layer of neurons ask of a model."""

from torch import nn

from handrail.errors import RecipeError


def single_layer(model: nn.Module, rule: str) -> nn.Linear:
    """The one linear layer of a network that consists of it alone; it has a bias.

    Arguments:
        rule: who asks, for the message.

    Raises: `RecipeError` for any other network.
    """
    idle = (nn.Identity, nn.Sequential)
    leaves = [part for part in model.modules() if not list(part.children()) and type(part) not in idle]
    layers = [module for module in leaves if type(module) is nn.Linear and module.bias is not None]
    if len(layers) != 1 or len(leaves) != 1:
        names = ", ".join(type(module).__name__ for module in leaves) or "nothing"
        text = f"found a model of {names}; expected one linear layer with a bias (model: linear)."
        raise RecipeError(f"learning.{rule}: {text}")
    return layers[0]
