"""How well a line can tell the classes from what each layer gives."""

import warnings
from statistics import NormalDist

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Lines
from handrail.data.part import Part
from handrail.evaluation.proportions import wilson
from handrail.pipeline import make_network
from handrail.tasks.scoring import class_codes
from handrail.views.seen import Seen
from handrail.views.view import ViewData
from handrail.views.watching import layer_outputs

_WIDTH, _STEPS, _SEED = 256, 300, 11
Codes = Int[np.ndarray, " rows"]
Points = Float[np.ndarray, "rows width"]


@component("view")
def probes(seen: Seen, *, rows: Count = 2000) -> ViewData:
    """The accuracy of a linear classifier of what each layer gives, in this network and in an untrained one.

    Probes are fitted on training rows and asked about validation rows. In a trained network categories become
    more and more nearly separable by a line from layer to layer; in one with the same beginning that was not
    trained they do not, so that its figures say how much comes from more numbers alone.

    Arguments:
        rows: training rows, and validation rows, at most.

    Raises: `DataError` for tasks without classes, and networks without layers that answer row by row.

    Source: Alain & Bengio 2016
    """
    if seen.pipeline.task.name not in ("binary", "multi-class"):
        raise seen.refuse("probes", "classes to tell apart (binary or multi-class)")
    parts = seen.some(seen.train, rows), seen.some(seen.validation, rows)
    trained = _accuracies(seen, seen.network, *parts)
    if not trained:
        raise seen.refuse("probes", "layers that answer row by row")
    fresh = _accuracies(seen, _untrained(seen), *parts)
    confidence, held_out = seen.recipe.evaluation.confidence, len(parts[1])
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    lines = [
        {
            "layer": name,
            "accuracy": share,
            **dict(zip(("low", "high"), wilson(share, held_out, quantile), strict=True)),
            "untrained": fresh.get(name, np.nan),
        }
        for name, share in trained.items()
    ]
    depth = np.arange(1, len(lines) + 1, dtype=np.float64)
    curves = {
        "trained": np.array([line["accuracy"] for line in lines]),
        "untrained": np.array([line["untrained"] for line in lines]),
    }
    picture = Lines("Linear probes by layer", depth, curves, "", ("layer", "accuracy on validation rows"))
    return ViewData(
        title="Probes",
        arrays={"accuracy": curves["trained"], "untrained": curves["untrained"]},
        table=pl.DataFrame(lines),
        pictures=(picture,),
        note=f"Of {len(parts[0]):,} training rows and {held_out:,} validation rows; of layers with more than "
        f"{_WIDTH} numbers a random projection to so many. Intervals are of the validation rows alone.",
        source="Alain & Bengio 2016",
    )


def _untrained(seen: Seen) -> nn.Module:
    """A network of the same recipe as it begins."""
    pipeline = seen.pipeline
    return make_network(
        pipeline.model_spec, pipeline.encoder, pipeline.decoder, augment=(), seed=seen.recipe.seed
    )


def _accuracies(seen: Seen, network: nn.Module, train: Part, held_out: Part) -> dict[str, float]:
    network.eval()
    known, asked = (class_codes(seen.pipeline.decoder, part) for part in (train, held_out))
    first, second = seen.encode(train), seen.encode(held_out)
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    if isinstance(first, Tensor) and isinstance(second, Tensor) and first.is_floating_point():
        pairs["inputs"] = first, second
    layers = zip(layer_outputs(network, first), layer_outputs(network, second), strict=True)
    pairs |= {one.name: (one.outputs, two.outputs) for one, two in layers}
    return {name: _probe(_flat(one), known, _flat(two), asked) for name, (one, two) in pairs.items()}


def _flat(values: Tensor) -> Points:
    """Rows of 256 numbers at most, by a random projection that is always the same."""
    rows = values.flatten(1).double().cpu().numpy()
    if rows.shape[1] <= _WIDTH:
        return rows
    return rows @ np.random.default_rng(_SEED).normal(size=(rows.shape[1], _WIDTH)) / np.sqrt(_WIDTH)


def _probe(known: Points, codes: Codes, asked: Points, truth: Codes) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the same number of steps for each layer
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS)).fit(known, codes)
    return float((probe.predict(asked) == truth).mean())
