"""What a trained network can do besides answering, each use once, for the run, the command line and others.

A use is a function of the task, the network and rows as points; what follows the bare `*` is set by the user.
A task names its uses (`Task.uses`), and a network can do those whose methods its model has.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import Component, available, component
from handrail.components.arguments import Count, Fraction
from handrail.errors import DataError
from handrail.evaluation.points.conformal import least_p_value, p_values
from handrail.network import model_in
from handrail.tasks.scoring import by_method, in_parts
from handrail.tools.interface import argument, argument_name

Points = Float[Tensor, "rows width"]
WithGaps = Annotated[Points, "not a number where a value is missing"]
Together = Annotated[Points, "of which there comes another number of rows, none of them for one of these"]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Given = bool | int | float | str


@dataclass(frozen=True)
class Used:
    """What came of a use.

    columns: a table, a row for each row made, or given, unless rows are taken `Together`. points: rows as the
    model takes them, to be given back as the data has them, before the columns. remarks: what was chosen for
    whoever asked, and what limits it.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    points: Points | None = None
    remarks: list[str] = field(default_factory=list)


@component("use")
def encode(task: Any, network: nn.Module, points: Points) -> Used:
    """The code of each row: what the model keeps of it, as columns `code_1`, `code_2` …

    Source: Hinton & Salakhutdinov 2006
    """
    codes = by_method(network, "encode", points).numpy()
    return Used({f"code_{place}": codes[:, place - 1] for place in range(1, codes.shape[1] + 1)})


@component("use")
def reconstruct(task: Any, network: nn.Module, points: Points) -> Used:
    """Each row as the model sees it: encoded and decoded again.

    Source: Rumelhart, Hinton & Williams 1986
    """
    return Used(points=by_method(network, "reconstruct", points))


@component("use")
def score(task: Any, network: nn.Module, points: Points, *, level: Fraction = 0.01) -> Used:
    """How usual each row is, and whether it is an anomaly.

    `log_density` is the logarithm of a density, in nats, `reconstruction_error` the mean squared error of a
    reconstruction, both in encoded units. `p_value` says how many rows are as strange: (1 + n≤)/(n + 1), with
    n≤ of n validation rows. A row is an anomaly where that is no more than the level; of usual rows so many
    are called one, on average.

    Arguments:
        level: the share of usual rows that may be called anomalies.

    Source: Fisher 1922; p-values: Vovk, Gammerman & Shafer 2005, Bates et al. 2023
    """
    scores = by_method(network, "score", points).double().numpy()
    columns = {task.score_name: (task.score_sign * scores).astype(np.float32)}
    if not task.held_out:
        return Used(columns)
    found = p_values(scores, task.held_out)
    columns |= {"p_value": found, "anomaly": found <= level}
    least = least_p_value(task.held_out)
    if least <= level:
        return Used(columns)
    few = (
        f"no row can be called an anomaly at the level {level:g}: with {len(task.held_out)} validation rows "
        f"no p-value is below {least:.2g}. A higher level, or more validation rows, would do."
    )
    return Used(columns, remarks=[few])


@component("use")
def fill(task: Any, network: nn.Module, points: WithGaps, *, steps: Count = 200, seed: Seed = 0) -> Used:
    """The table with a value wherever one is missing: what is expected of it given the others of its row.

    Codes and what is missing are drawn in turn, given what is there; what is written is the mean over the
    second half of the steps, of categories the likeliest level.

    Arguments:
        steps: of the chain of each row.
        seed: of the random numbers.

    Source: Kingma & Welling 2014; Mattei & Frellsen 2018 (chains)
    """
    generator = torch.Generator().manual_seed(seed)
    answer = partial(_model(network).fill, steps=steps, generator=generator)
    return Used(points=in_parts(network, answer, points))


@component("use")
def generate(
    task: Any,
    network: nn.Module,
    points: Points | None,
    *,
    rows: Count = 16,
    steps: Count = 1000,
    means: bool = False,
    seed: Seed = 0,
    given: dict[str, Given] | None = None,
) -> Used:
    """New rows drawn from the model.

    Arguments:
        rows: how many.
        steps: of the chains that draw them, where the model draws by chains.
        means: what is expected at the end of each chain in place of what is drawn: smoother pictures.
        seed: of the random numbers.
        given: the class of the rows, by the column that the model was told: `{"kind": "setosa"}`; without it
            classes are drawn with their shares in the training rows. The class of each row is written beside.

    Raises: `DataError` for another column, an unknown class, and a model that was told nothing.

    Source: Geman & Geman 1984; Mirza & Osindero 2014 (given)
    """
    model, generator = _model(network), torch.Generator().manual_seed(seed)
    how: Any = {"steps": steps, "means": means, "generator": generator}
    condition = getattr(model, "condition", None)
    if condition is None:
        refuse_given(given)
        return Used(points=model.generate(rows, **how))
    if given:
        codes, remarks = torch.full_like(condition.draw(rows, generator), task.classes.code(given)), []
    else:
        codes = condition.draw(rows, generator)
        column = task.classes.column
        remarks = [f"no '{column}' was given, and each is drawn with its share in the training rows."]
    made = model.generate(rows, given=codes, **how)
    return Used({task.classes.column: task.classes.written(codes)}, made, remarks)


def refuse_given(given: Any) -> None:
    """Raises: `DataError` where something is given to a network that was told nothing."""
    if given:
        raise DataError(
            f"{argument_name('given')}: the network was told no column when it learned; leave it out, or fit "
            f"one that is told the label (model.gan.conditional=true with {argument('label', 'COLUMN')})."
        )


@component("use")
def interpolate(task: Any, network: nn.Module, points: Together, *, between: Count = 8) -> Used:
    """Rows on the way from each row to the next, by codes on the straight line between theirs; the first and
    the last of each way are the reconstructions of the two.

    Arguments:
        between: rows on each way, besides the two at its ends.

    Raises: `DataError` for fewer than two rows.

    Source: Kingma & Welling 2014
    """
    if len(points) < 2:
        raise DataError(f"interpolate: found {len(points)} rows, expected two or more to go between.")
    answer = partial(_model(network).interpolate, between=between)
    return Used(points=in_parts(network, answer, points, shared=1))


@component("use")
def recall(task: Any, network: nn.Module, points: Points, *, steps: Count = 100) -> Used:
    """The stored pattern that each row, a cue, calls up.

    Arguments:
        steps: passes over the units at most.

    Source: Hopfield 1982
    """
    return Used(points=in_parts(network, partial(_model(network).recall, steps=steps), points))


@component("use")
def translate(task: Any, network: nn.Module, points: Points, *, to: Given | None = None) -> Used:
    """Each row, one of the other domain, as a row of the domain `to`, which is written beside.

    Arguments:
        to: a value of the label.

    Raises: `DataError` for a domain that there is not, or where none is named.

    Source: Zhu, Park, Isola & Efros 2017
    """
    column = task.classes.column
    if to is None:
        first, second = task.classes.names
        raise DataError(
            f"{argument_name('to')}: nothing says of which '{column}' the rows are to become; expected "
            f"'{first}' or '{second}'."
        )
    goal = task.classes.code({column: to}, where=argument_name("to"))
    translate_rows = _model(network).translate

    def answer(rows: Points) -> Points:
        return translate_rows(rows, torch.full((len(rows),), 3 - goal, device=rows.device))

    written = task.classes.written(torch.full((len(points),), goal))
    return Used({column: written}, in_parts(network, answer, points))


def uses_of(task: Any, network: nn.Module) -> dict[str, Component]:
    """The uses of a network by name: those of its task that its model has a method for and, where it has a
    list `uses`, that stand in it.
    """
    known, model = available("use"), model_in(network)
    able = getattr(model, "uses", task.uses)
    return {name: known[name] for name in task.uses if hasattr(model, name) and name in able}


def _model(network: nn.Module) -> Any:
    return model_in(network).eval()
