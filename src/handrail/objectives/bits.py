"""The loss of series of bits, some of which are asked for."""

from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.objectives.objective import same_shape

UNASKED = 255  # the code of a bit that counts neither in a loss nor in a figure


@component("loss", tasks=("bit-sequence",))
def bit_cross_entropy(
    outputs: Float[Tensor, "rows steps bits"], targets: Integer[Tensor, "rows steps bits"]
) -> Float[Tensor, " rows"]:
    """Cross-entropy −log p(bit), with p = σ(score), mean over the bits of a row that are asked for, in nats.

    Targets are 0 and 1, and 255 where nothing is asked; a row without a question has the value 0.

    Raises: `RecipeError` when the targets do not have the outputs' shape.

    Source: Graves, Wayne & Danihelka 2014
    """
    targets = same_shape(outputs, targets)
    asked = (targets != UNASKED).to(outputs.dtype)
    truth = (targets == 1).to(outputs.dtype)
    values = functional.binary_cross_entropy_with_logits(outputs, truth, reduction="none") * asked
    return values.sum(dim=(1, 2)) / asked.sum(dim=(1, 2)).clamp(min=1)
