"""What a network forgets of earlier tasks while it learns later ones."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from pydantic import Field

from handrail.audits.audited import Audited
from handrail.audits.result import AuditData, Figure
from handrail.audits.retraining import Course, begin, decided_by, expected_seconds, learn
from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Cells, Lines
from handrail.data.part import Part
from handrail.data.rows import Rows, dense
from handrail.errors import DataError
from handrail.evaluation.proportions import wilson
from handrail.tasks.scoring import class_codes
from handrail.tools.words import plural

_SEED = 53
Number = Annotated[int, Field(ge=2, le=100)]
Matrix = Float[np.ndarray, "after task"]


class Lesson(NamedTuple):
    """One task of the sequence: rows to learn, rows to be asked about, and what is done to their inputs."""

    name: str
    train: Part
    asked: Part
    change: Callable[[Rows], Rows] | None


@component("audit")
def forgetting(
    audited: Audited,
    *,
    tasks: Literal["classes", "permuted"] = "classes",
    number: Number = 5,
    epochs: Count = 10,
    rows: Count = 5000,
) -> AuditData:
    """Learn several tasks one after another, and ask about all of them after each.

    `classes` divides the classes among the tasks, in their order; `permuted` gives all classes in each task,
    and the numbers of the rows in another order. Forgetting is the mean, over all tasks but the last, of the
    best accuracy that the network ever had minus the one that is left in the end. Beside it stands the same
    network that learns the rows of all tasks at once.

    Arguments:
        tasks: how they differ.
        number: of tasks; of `classes` no more than half of the classes.
        epochs: of each task.
        rows: training rows, at most.

    Raises: `DataError` for tasks without classes, too few classes, and rows that are no plain numbers.

    Source: McCloskey & Cohen 1989; the matrix and the figure: Lopez-Paz & Ranzato 2017, Chaudhry et al. 2018;
    permuted pictures: Goodfellow et al. 2014
    """
    _, _, classes = audited.classes("forgetting")
    train = audited.some(audited.train.sample, rows)
    if tasks == "classes" and 2 * number > len(classes):
        raise DataError(
            f"forgetting: number: found {number} tasks for {plural(len(classes), 'class', 'classes')}, "
            f"expected {len(classes) // 2} at most, or tasks=permuted."
        )
    each = len(train) if tasks == "permuted" else len(train) // number
    audited.announce(expected_seconds(audited, epochs=epochs, rows=each, trainings=2 * number))
    if tasks == "classes":
        lessons = _by_classes(audited, train, classes, number)
    else:
        lessons = _permuted(audited, train, number)
    course = begin(audited, epochs=epochs)
    matrix = np.stack([_after(course, lesson, lessons) for lesson in lessons])
    return _found(audited, lessons, matrix, _together(audited, lessons, epochs), epochs)


def _codes(audited: Audited, part: Part) -> np.ndarray:
    return class_codes(audited.run.pipeline.decoder, part)


def _by_classes(audited: Audited, train: Part, classes: tuple[str, ...], number: int) -> list[Lesson]:
    lessons = []
    for own in np.array_split(np.arange(len(classes)), number):
        known, asked = (
            part.pick(np.flatnonzero(np.isin(_codes(audited, part), own))) for part in (train, audited.part)
        )
        name = ", ".join(classes[code] for code in own)
        if not len(known) or not len(asked):
            raise DataError(f"forgetting: there are no training rows or no {audited.part_name} of {name}.")
        lessons.append(Lesson(name, known, asked, None))
    return lessons


def _permuted(audited: Audited, train: Part, number: int) -> list[Lesson]:
    others = (
        Lesson(f"order {place}", train, audited.part, reordered(np.random.default_rng([_SEED, place])))
        for place in range(1, number)
    )
    return [Lesson("as they are", train, audited.part, None), *others]


def reordered(rng: np.random.Generator) -> Callable[[Rows], Rows]:
    """A function that puts the numbers of every row in the same other order."""
    kept: dict[int, torch.Tensor] = {}

    def change(rows: Rows) -> Rows:
        whole = dense(rows)
        flat = whole.flatten(1)
        order = kept.setdefault(flat.shape[1], torch.from_numpy(rng.permutation(flat.shape[1])))
        return flat[:, order].view_as(whole)

    return change


def _after(course: Course, lesson: Lesson, lessons: list[Lesson]) -> Float[np.ndarray, " task"]:
    """Accuracy on every task once this one has been learned."""
    learn(course, lesson.train, change=lesson.change)
    return np.array([_accuracy(course, each) for each in lessons])


def _accuracy(course: Course, lesson: Lesson) -> float:
    rows = course.pipeline.rows(lesson.asked)
    decided = decided_by(course.pipeline, rows if lesson.change is None else lesson.change(rows))
    return float((decided == _codes(course.audited, lesson.asked)).mean())


def _together(audited: Audited, lessons: list[Lesson], epochs: int) -> Float[np.ndarray, " task"]:
    """The accuracy on each task of a network that learns the rows of all at once."""
    course = begin(audited, epochs=epochs)
    rows = [_dense(course.pipeline.rows(each.train), each.change) for each in lessons]
    targets = [torch.from_numpy(_codes(audited, each.train)) for each in lessons]
    known: Any = audited.run.pipeline.decoder.targets(lessons[0].train)
    joined = torch.cat(targets).reshape(-1, *known.shape[1:])
    learn(course, lessons[0].train, inputs=torch.cat(rows), targets=joined)
    return np.array([_accuracy(course, each) for each in lessons])


def _dense(rows: Rows, change: Callable[[Rows], Rows] | None) -> torch.Tensor:
    return dense(rows if change is None else change(rows))


def _found(
    audited: Audited, lessons: list[Lesson], matrix: Matrix, together: np.ndarray, epochs: int
) -> AuditData:
    names = [each.name for each in lessons]
    lost = matrix[:-1].max(axis=0)[:-1] - matrix[-1][:-1]
    asked = np.array([len(each.asked) for each in lessons])
    left, joint = (float(np.average(row, weights=asked)) for row in (matrix[-1], together))
    table = pl.DataFrame(
        {"after": [*names, "all at once"]}
        | {name: [*matrix[:, place], together[place]] for place, name in enumerate(names)}
    )
    figures = {"forgetting": Figure(float(lost.mean()))}
    for name, share in (("in the end", left), ("at once", joint)):
        figures[f"accuracy {name}"] = Figure(share, *wilson(share, int(asked.sum()), audited.quantile))
    verdict = (
        f"Of earlier tasks {lost.mean():.1%} of accuracy is lost by the end, where {left:.1%} of all rows "
        f"are right; learned all at once, {joint:.1%} are."
    )
    steps = np.arange(1, len(lessons) + 1, dtype=np.float64)
    curves = {name: matrix[:, place] for place, name in enumerate(names)}
    note = "Before a task is learned its accuracy says what others have done for it."
    return AuditData(
        title="Forgetting",
        verdict=verdict,
        figures=figures,
        table=table,
        pictures=(
            Cells("Accuracy: a line after each task, a column for each task", matrix[None]),
            Lines("Accuracy on each task", steps, curves, note, ("tasks learned", "accuracy")),
        ),
        note=f"{len(lessons)} tasks, {epochs} epochs each; accuracy on {audited.part_name}.",
        source="McCloskey & Cohen 1989; Lopez-Paz & Ranzato 2017",
    )
