"""Choose the model: networks as plain `torch.nn.Module`s, made for a number of inputs and outputs.

linear  `Linear`: one layer of linear units
mlp     `MLP`: the multilayer perceptron
"""

from handrail.models.linear import Linear
from handrail.models.mlp import MLP

__all__ = ["MLP", "Linear"]
