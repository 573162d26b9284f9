"""A network and a row that a trace follows in place of the lectures' example."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from handrail.data.rows import cut, to_device
from handrail.errors import DataError
from handrail.network import model_in, model_inputs
from handrail.pipeline.ensemble import first_of
from handrail.run import Run
from handrail.runs.answers.predict import read_rows
from handrail.tasks.scoring import device_of
from handrail.tasks.values import ValueTask


@dataclass(frozen=True, eq=False)
class Given:
    """A trained network, and a row as its model is given it.

    Arguments:
        model: what was chosen in the recipe, without what stands in front of it.
        task: of the run, by its name.
        inputs: of the model, for this one row `[1, ...]`.
        target: of the row, as the task encodes it; None where it is not known.
        names: of the numbers of the row, where it is of a table.
        subject: what is said of both.
    """

    model: nn.Module
    task: str
    inputs: Any
    target: Tensor | None
    names: tuple[str, ...]
    subject: str


def given_by(run: Run | None, rows: Any, row: int) -> Given | None:
    """The network of a run, and one of these rows, or else of its validation rows.

    Raises: `DataError` for rows without a run, and a row that there is not.
    """
    if run is None:
        if rows is not None:
            raise DataError("rows: found some, but no run whose network they could be given to; name both.")
        return None
    inputs, target, count = _validation_row(run, row) if rows is None else _own_row(run, rows, row)
    if inputs is None:
        where = "the validation rows" if rows is None else "the rows"
        raise DataError(
            f"row: found {row}, but {where} are {count:,}; expected a number from 0 to {count - 1}."
        )
    network = first_of(run.pipeline.network)
    names = tuple(getattr(run.pipeline.encoder, "feature_names", ()))
    of = "validation row" if rows is None else "row"
    with torch.no_grad():
        given = model_inputs(network.eval(), to_device(cut(inputs, 0, 1), device_of(network)))
    return Given(
        model_in(network), run.pipeline.task.name, given, target, names, f"{of} {row} of {run.path.name}"
    )


Row = tuple[Any, Tensor | None, int]


def _validation_row(run: Run, row: int) -> Row:
    part = run.parts()[1]
    if not 0 <= row < len(part):
        return None, None, len(part)
    chosen, pipeline = part.pick(np.array([row])), run.pipeline
    targets: Any = pipeline.decoder.targets(chosen)
    return chosen.encode_with(pipeline.encoder), targets if isinstance(targets, Tensor) else None, len(part)


def _own_row(run: Run, rows: Any, row: int) -> Row:
    table, pipeline = run.read(rows), run.pipeline
    if not 0 <= row < len(table.frame):
        return None, None, len(table.frame)
    table = replace(table, frame=table.frame[[row]])
    read = read_rows(pipeline, table)
    spec, task = pipeline.task, pipeline.decoder
    known = bool(spec.targets) and set(spec.targets) <= set(table.frame.columns)
    target: Any = spec.encode(table.frame) if known else None
    if known and isinstance(task, ValueTask):
        target = task.scale(target)
    return read.encoded, target, len(table.frame)


def refuse_given(given: Given | None, name: str) -> None:
    """Raises: `DataError` where a run is given to a trace that follows no trained network."""
    if given is not None:
        raise DataError(f"{name}: follows its own example, and no trained network; leave the run out.")
