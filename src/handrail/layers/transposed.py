"""A dense layer whose weights are those of another one, transposed."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class TransposedLinear(nn.Module):
    """y = Wᵀ·x + b, with W the weights of another layer and b of its own.

    Arguments:
        source: the layer whose weights are used. It is trained, saved and moved where it stands itself.

    Source: Vincent et al. 2010 (tied weights)
    """

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        self._source = (source,)  # in a tuple, else it would be saved, and counted, twice
        self.bias = nn.Parameter(source.weight.new_zeros(source.in_features))

    def untied(self) -> nn.Linear:
        """A dense layer of the same weights, its own."""
        weight = self._source[0].weight
        layer = nn.Linear(weight.shape[0], weight.shape[1])
        layer.load_state_dict({"weight": weight.detach().T, "bias": self.bias.detach()})
        return layer

    def forward(self, x: Float[Tensor, "rows units"]) -> Float[Tensor, "rows inputs"]:
        return functional.linear(x, self._source[0].weight.T, self.bias)
