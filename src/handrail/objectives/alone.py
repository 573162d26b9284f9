"""Losses of networks that learn without a target: what they give for a row says it all."""

from jaxtyping import Float
from torch import Tensor

from handrail.components import component

Rows = Float[Tensor, " rows"]


@component("loss", tasks=("clusters", "map"))
def distance_to_nearest(outputs: Float[Tensor, "rows clusters"], targets: Tensor) -> Rows:
    """Squared distance of a row to the nearest centre: min over the clusters of ‖x − c‖², in encoded units.

    Its mean over the rows is the inertia, divided by their number.

    Source: Steinhaus 1956; Lloyd 1982
    """
    return outputs.min(dim=1).values


@component("loss", tasks=("density",))
def negative_log_density(outputs: Float[Tensor, "rows figures"], targets: Tensor) -> Rows:
    """−log p(x) in nats, or what the model offers in its place where p has no known constant.

    The last figure that a model gives for a row is the one that it is judged by in training.

    Source: Fisher 1922
    """
    return -outputs[:, -1]


@component("loss", tasks=("generation", "translation"))
def mean_energy_score(outputs: Float[Tensor, "rows scores"], targets: Tensor) -> Rows:
    """The energy score of a row, E‖x − G‖ − ½·E‖G − G′‖ over what the model makes, in encoded units.

    Of a model that is told classes it is the one under the row's own: the target is its code, 0 for none.

    Source: Gneiting & Raftery 2007
    """
    if outputs.shape[1] == 1:
        return outputs[:, 0]
    return outputs.gather(1, targets.unsqueeze(1))[:, 0]


@component("loss", tasks=("memory",))
def state_energy(outputs: Float[Tensor, "rows 2"], targets: Tensor) -> Rows:
    """The energy of a row as the memory stands; stored patterns lie in valleys.

    Source: Hopfield 1982
    """
    return outputs[:, 0]
