"""The words of a text without their order."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.layers.noise import Dropout
from handrail.layers.steps import TokenVectors, counts
from handrail.shapes import TokenShape


@component("model", name="bag_of_words")
class BagOfWords(nn.Module):
    """The mean of the tokens' vectors, then dense layers: y = W·(1/n)·Σ_t x_t + b. Padding does not count.

    Arguments:
        embedding: numbers for each token.
        hidden: units of each ReLU layer between the mean and the scores; an empty list for none.
        dropout: share of the mean's values, and of hidden units, set to zero in training.

    Source: Joulin et al. 2016; hidden layers: Iyyer et al. 2015
    """

    def __init__(
        self,
        inputs: TokenShape,
        outputs: int,
        *,
        embedding: Count = 64,
        hidden: list[Count] = [],  # noqa: B006 - never changed; shown as the default
        dropout: Rate = 0.0,
    ) -> None:
        super().__init__()
        # Small at first, so that words that are rare, and hardly change, say little.
        self.vectors = TokenVectors(inputs.vocabulary, embedding, std=0.1)
        layers: list[nn.Module] = [Dropout(dropout)]
        width = embedding
        for units in hidden:
            layers += [nn.Linear(width, units), nn.ReLU(), Dropout(dropout)]
            width = units
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Int[Tensor, "rows length"]) -> Float[Tensor, "rows outputs"]:
        # Padding is the zero vector: it adds nothing to the sum.
        mean = self.vectors(x).sum(dim=1) / counts(x).unsqueeze(1)
        return self.head(self.features(mean))
