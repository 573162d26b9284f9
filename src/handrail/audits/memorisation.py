"""Whether a network can learn rows by heart that have nothing to be learned."""

from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.audits.audited import Audited
from handrail.audits.result import AuditData, Figure
from handrail.audits.retraining import decided_by, expected_seconds, retrain
from handrail.components import component
from handrail.components.arguments import Count
from handrail.data.part import Part
from handrail.data.rows import Rows, dense
from handrail.evaluation.proportions import wilson

_SEED = 43
_BY_HEART = 0.99
Case = Literal["own labels", "random labels", "random inputs"]
_CASES: tuple[Case, ...] = ("own labels", "random labels", "random inputs")


@component("audit")
def memorisation(audited: Audited, *, epochs: Count = 100, rows: Count = 2000) -> AuditData:
    """Train the network on its own rows with labels drawn at random, and with inputs of which the numbers are
    shuffled.

    Where it learns these by heart, its size does not keep it from memorising: that it is right about other
        rows
    comes from the data, the way it is trained and its form, and not from having too few weights. Whatever the
    recipe has against overfitting (dropout, penalties, augmentation) is in force here, too.

    Arguments:
        epochs: of each of the three trainings.
        rows: training rows that are learned, at most.

    Raises: `DataError` for tasks without classes, and rows that are no plain numbers.

    Source: Zhang et al. 2017
    """
    audited.classes("memorisation")
    train = audited.some(audited.train.sample, rows)
    audited.announce(expected_seconds(audited, epochs=epochs, rows=len(train), trainings=len(_CASES)))
    lines = [_line(audited, case, train, epochs) for case in _CASES]
    own, labels, inputs = lines
    chance = labels["chance"]
    figures: dict[str, Figure] = {}
    for line in lines:
        case, held = line["trained on"], line["other rows"]
        figures[f"{case}: training rows"] = Figure(line["training rows"])
        figures[f"{case}: other rows"] = Figure(held, line["other rows low"], line["other rows high"])
    by_heart = [line["trained on"] for line in (labels, inputs) if line["training rows"] >= _BY_HEART]
    told = (
        f"It learns {' and '.join(by_heart)} by heart"
        if by_heart
        else f"It learns random labels of {labels['training rows']:.1%} of the training rows"
    )
    verdict = (
        f"{told}, and is right about {labels['other rows']:.1%} of other rows then (by chance {chance:.1%}); "
        f"with the labels as they are, about {own['training rows']:.1%} and {own['other rows']:.1%}."
    )
    return AuditData(
        title="Memorisation",
        verdict=verdict,
        figures=figures,
        table=pl.DataFrame(lines),
        note=f"{len(train):,} training rows, {epochs} epochs each; other rows: {len(audited.part):,} "
        f"{audited.part_name}. Random inputs: the numbers of each row in an order of its own.",
        source="Zhang et al. 2017",
    )


def _line(audited: Audited, case: Case, train: Part, epochs: int) -> dict[str, Any]:
    rng = np.random.default_rng(_SEED)
    task: Any = audited.run.pipeline.decoder
    truth: Tensor = task.targets(train)
    targets = truth[torch.from_numpy(rng.permutation(len(truth)))] if case == "random labels" else truth
    change = shuffle_inputs if case == "random inputs" else None
    pipeline = retrain(audited, train, epochs=epochs, targets=targets, change=change)
    known: Any = pipeline.rows(train)
    asked: Any = pipeline.rows(audited.part)
    if change is not None:
        known, asked = change(known), change(asked)
    right = float((decided_by(pipeline, known) == targets.reshape(-1).long().numpy()).mean())
    others: Tensor = task.targets(audited.part)
    held = float((decided_by(pipeline, asked) == others.reshape(-1).long().numpy()).mean())
    low, high = wilson(held, len(others), audited.quantile)
    shares = np.bincount(truth.reshape(-1).long().numpy()) / len(truth)
    return {
        "trained on": case,
        "training rows": right,
        "other rows": held,
        "other rows low": low,
        "other rows high": high,
        "chance": float(np.square(shares).sum()),
    }


def shuffle_inputs(rows: Rows) -> Rows:
    """Rows with their numbers in an order of each row's own.

    Raises: `DataError` for rows that are no plain numbers.
    """
    whole = dense(rows)
    flat = whole.flatten(1)
    order = torch.rand(flat.shape, generator=torch.Generator().manual_seed(_SEED)).argsort(dim=1)
    return flat.gather(1, order).view_as(whole)
