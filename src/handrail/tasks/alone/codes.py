"""Codes of rows, and what they are worth: how well the label is told from them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.evaluation.outcomes.probes import Probes, fit_probes
from handrail.network import model_in
from handrail.tasks.alone.points import label_codes, points_before
from handrail.tasks.scoring import device_of

Points = Float[Tensor, "rows width"]
Encode = Callable[[Points], Float[Tensor, "rows code"]]
ROWS_THEMSELVES = "rows as encoded"  # what probes of codes are compared with
_MOST_LABELS = 100
_ROWS_AT_ONCE = 8192


@torch.inference_mode()
def codes_of(network: nn.Module, points: Points) -> Float[Tensor, "rows code"]:
    """What the model within a network keeps of rows as it is given them, on the CPU."""
    device = device_of(network)
    model: Any = model_in(network).eval()
    return torch.cat([model.encode(some.to(device)).cpu() for some in points.split(_ROWS_AT_ONCE)])


def probe_label(
    encode: Encode, label: str | None, *, train: Part, part: Part, encoder: RowEncoder
) -> Probes | None:
    """How well the label of a part's rows is told from their codes, by probes of those of training rows.

    None without a label, for one of more than 100 different values, and where too few rows have one.
    """
    train = train.sample
    known, classes = label_codes(train, label)
    if label is None or known is None or len(classes) > _MOST_LABELS:
        return None
    before, codes = (encode(points_before(encoder, each)).double().numpy() for each in (train, part))
    return fit_probes(before, known, codes, _as_before(part, label, classes))


def _as_before(part: Part, label: str, classes: tuple[str, ...]) -> Int[np.ndarray, " rows"]:
    """The place of each row's label among those of training rows, behind them for others; −1 without one."""
    labels, places = as_labels(part.raw[label]), list(range(len(classes)))
    codes = labels.replace_strict(list(classes), places, default=len(classes), return_dtype=pl.Int64)
    return pl.select(pl.when(labels.is_null()).then(-1).otherwise(codes)).to_series().to_numpy()
