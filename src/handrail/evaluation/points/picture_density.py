"""How likely a picture is about another: a density of bytes with one spread for all."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

Bytes = UInt8[Tensor, "rows width"]
Middles = Float[Tensor, "rows centres width"] | UInt8[Tensor, "rows centres width"]

LEAST, MOST = 0.05, 128.0  # of the spread, in steps of a byte
_HIGHEST = 255
_AT_ONCE = 1 << 22  # values
_LOOKED_AT = 500  # rows


def picture_nats(pictures: Bytes, middles: Middles, spread: float) -> Float[Tensor, " rows"]:
    """−log of the mean over centres of Π P(x | m, s), in nats.

    P(x | m, s) = σ((x + ½ − m)/s) − σ((x − ½ − m)/s) for a byte x: a logistic law about the
    centre's values, rounded to bytes; what lies beyond 0 and 255 counts to these.

    Arguments:
        middles: values from 0 to 255.
        spread: s, in steps of a byte.

    Source: Salimans et al. 2017 (one component)
    """
    size = max(1, _AT_ONCE // max(1, middles[0].numel())) if len(middles) else 1
    parts = zip(pictures.split(size), middles.split(size), strict=True)
    nats = [_nats(some.double()[:, None], about.double(), spread) for some, about in parts]
    return torch.cat(nats) if nats else torch.zeros(0, dtype=torch.float64)


def _nats(
    x: Float[Tensor, "rows 1 width"], middles: Float[Tensor, "rows centres width"], spread: float
) -> Float[Tensor, " rows"]:
    above, below = (x + 0.5 - middles) / spread, (x - 0.5 - middles) / spread
    # log(σ(a) − σ(b)) = log σ(a) + log σ(−b) + log(1 − e^(b − a))
    first = torch.where(x >= _HIGHEST, 0.0, functional.logsigmoid(above))
    second = torch.where(x <= 0, 0.0, functional.logsigmoid(-below))
    between = math.log(-math.expm1(-1 / spread)) * ((x > 0) & (x < _HIGHEST)).to(x)
    each = (first + second + between).sum(dim=2)
    return math.log(middles.shape[1]) - torch.logsumexp(each, dim=1)


def best_spread(pictures: Bytes, middles: Middles) -> float:
    """The spread by which some of these pictures, spread evenly over them, are most likely."""
    from scipy.optimize import minimize_scalar  # not for those who only predict

    chosen = torch.linspace(0, len(pictures) - 1, min(_LOOKED_AT, len(pictures))).round().long()
    some, about = pictures[chosen], middles[chosen]

    def mean(logarithm: float) -> float:
        return float(picture_nats(some, about, math.exp(logarithm)).mean())

    bounds = (math.log(LEAST), math.log(MOST))
    found = minimize_scalar(mean, bounds=bounds, method="bounded", options={"xatol": 0.02})
    return math.exp(float(found.x))
