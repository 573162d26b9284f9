"""The loss of models that predict tokens."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Rate
from handrail.errors import RecipeError

_PADDING = 0


@component("loss", tasks=("next-token", "sequence"))
def next_token(
    outputs: Float[Tensor, "rows length vocabulary"],
    targets: Int[Tensor, "rows length"],
    *,
    label_smoothing: Rate = 0.0,
) -> Float[Tensor, " rows"]:
    """Cross-entropy of the tokens: −log p(tokenₜ | those before), the mean over the steps t of a row, in
    nats.

    Steps whose target is padding (code 0) do not count; a row of padding alone has loss 0.

    Arguments:
        outputs: raw scores at every step.
        targets: codes of the tokens to be said.
        label_smoothing: s; the target's probability becomes 1 − s + s / vocabulary, that of each other token
            s / vocabulary.

    Raises: `RecipeError` when outputs and targets do not fit each other.

    Source: Bengio et al. 2003; Szegedy et al. 2016 (label smoothing)
    """
    if outputs.ndim != 3 or targets.shape != outputs.shape[:2]:
        raise RecipeError(
            f"the model's outputs have shape {list(outputs.shape)} and the targets {list(targets.shape)}; "
            "this loss needs scores "
            "[rows, length, vocabulary] and targets [rows, length]. Does the model give scores at every step?"
        )
    # A logarithm of half precision has three digits.
    wide = outputs.float() if outputs.dtype.itemsize < 4 else outputs
    counts = targets != _PADDING
    values = functional.cross_entropy(
        wide.flatten(0, 1),
        targets.flatten().long(),
        ignore_index=_PADDING,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    return values.view_as(targets).sum(dim=1) / counts.sum(dim=1).clamp(min=1)
