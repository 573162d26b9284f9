"""Predict new rows: read as the training rows were, refused or warned about where they differ."""

import itertools
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool
from torch import Tensor

from handrail.data.columns.names import without
from handrail.data.columns.schema import Schema, Trouble, read_frame
from handrail.data.columns.values import empty_where
from handrail.data.missing_words import may_hold_words, restore_words, without_words
from handrail.data.rows import Rows
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.recipe.alone import LONE_TASKS, takes_unit
from handrail.tasks.alone.points import points_of
from handrail.tasks.scoring import scores_of
from handrail.tools.interface import argument, argument_name
from handrail.tools.moved import forward
from handrail.tools.words import list_some

__getattr__ = forward(__name__)

_IN_NAMES = 10
_NEAR = 1e-5  # to 0 and 1, for what rounding does
_EXPECTED = {"numeric": "a number", "boolean": "0 or 1, yes or no", "datetime": "a date as in training"}


def free_names(answers: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """For each answer's name that the table has already, the first of `name_`, `name_2`, … that is free."""
    present = set(taken)
    used, names = {*answers, *present}, {}
    for name in answers:
        if name in present:
            others = (f"{name}_{number if number > 1 else ''}" for number in itertools.count(1))
            names[name] = next(other for other in others if other not in used)
            used.add(names[name])
    return names


def describe_names(names: dict[str, str]) -> list[str]:
    """A warning for answers that `keep` gives another name."""
    if not names:
        return []
    listed = list_some((f"'{name}' is called '{other}'" for name, other in names.items()), most=10)
    keep = argument_name("keep")
    return [f"{keep}: the table has columns of the answers' names, so of the answers {listed}."]


class Answers:
    """Answers for rows: a frame, and what was noticed.

    frame: a row for each row given, with `file` first where rows are files. For classes `prediction`, as the
    data writes them, and `probability_<class>`; for values `prediction` (one target) or
    `prediction_<target>`; for masks `share_<class>` of the picture; for boxes `objects` and `boxes`, a JSON
    list of class, score and box in pixels; for sequences `prediction`, the text. A forecast has a row for
    each step ahead, with its `date` where the training rows were evenly spaced. warnings: sentences about
    unusual rows. maps: for masks the pixels of each row, with the values that the training masks have for
    their classes, as `MaskTask.as_written` gives them. palette: the colours of these values, where the
    training masks had some.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        warnings: list[str],
        maps: Sequence[np.ndarray] = (),
        palette: Sequence[int] = (),
    ) -> None:
        self.frame, self.warnings, self.maps, self.palette = frame, warnings, list(maps), list(palette)


def keep_columns(answers: Answers, table: Table) -> Answers:
    """The answers behind the columns that were read. Raises: `DataError` for those of a forecast."""
    if len(answers.frame) != len(table.frame):
        raise DataError(
            f"{argument_name('keep')}: a forecast has a row for each step ahead, not for each row of the "
            "table; leave it out."
        )
    columns = without(table.frame, {*table.stores, *table.unusable})
    names = free_names(answers.frame.columns, columns.columns)
    beside = [columns] if columns.width else []  # a folder of pictures has no columns to keep
    frame = pl.concat([*beside, answers.frame.rename(names)], how="horizontal")
    return Answers(frame, [*answers.warnings, *describe_names(names)], answers.maps, answers.palette)


def predict_table(
    pipeline: Pipeline, table: Table, *, strict: bool = False, skip_bad: bool = False
) -> Answers:
    """The answers of a pipeline for a table; see `Run.predict`.

    Raises: `DataError` for columns that are missing, values that cannot be read, and what `strict` refuses.
    """
    if pipeline.task.name == "next-token":
        raise DataError("a language model has no answer per row; `handrail generate RUN` lets it write.")
    if pipeline.task.is_forecast:
        return _forecast(pipeline, table)
    read = read_rows(pipeline, table, strict=strict, skip_bad=skip_bad)
    if pipeline.task.name in LONE_TASKS:
        frame, maps = pl.DataFrame(pipeline.decoder.columns(pipeline.network, read.encoded)), []
    else:
        frame, maps = predict_columns(pipeline, read.features, table)
    frame, palette = with_files(without_bad(frame, read.troubles), table), _palette(pipeline)
    return Answers(frame, read.warnings, maps, palette)


@dataclass(eq=False)
class ReadRows:
    """Rows as the encoder takes them, values that could not be read, and what was noticed."""

    pipeline: Pipeline
    table: Table
    features: pl.DataFrame
    troubles: Sequence[Trouble]
    warnings: list[str]

    @cached_property
    def encoded(self) -> Rows:
        """The rows as numbers."""
        return self.pipeline.encoder.rows(self.features, self.table.stores)


def read_rows(pipeline: Pipeline, table: Table, *, strict: bool = False, skip_bad: bool = False) -> ReadRows:
    """Read new rows as the training rows were read.

    Raises: `DataError` for columns that are missing, values that cannot be read, and what `strict` refuses.
    """
    schema = pipeline.encoder.schema
    features, troubles = read_frame(_without_words(table, schema), schema)
    unseen = pipeline.encoder.unseen(features, table.stores)
    warnings = [describe_unseen(table, features[name][rows], name, rows) for name, rows in unseen.items()]
    problems = [describe_unreadable(table, trouble, trouble.rows) for trouble in troubles]
    read = ReadRows(pipeline, table, features, troubles, _remarks(table))
    warnings += _beyond_units(read)
    read.warnings += check_warnings(warnings, problems, strict=strict, skip_bad=skip_bad)
    return read


def _beyond_units(read: ReadRows) -> list[str]:
    """A warning for rows with values that a model of units from 0 to 1 was not made for."""
    table = read.table
    if not takes_unit(read.pipeline.model_spec):
        return []
    points = points_of(first_of(read.pipeline.network), read.encoded)
    rows = ((points < -_NEAR) | (points > 1 + _NEAR)).any(dim=1).nonzero().flatten().tolist()
    if not rows:
        return []
    return [
        f"values below 0 or above 1, as encoded, in {_rows(table, rows)} of '{table.source}': the model's "
        "units lie between the two, and what it says of these rows means little."
    ]


def with_trained_words(table: Table, schema: Schema, given: Sequence[str] | None) -> Table:
    """A table of text in which 'NA' and the like are levels again, where the training rows had them as such.

    Arguments:
        given: `data.read.missing` for these rows; the empty list has kept every word.
    """
    if schema.missing_words is None or given == []:
        return table
    missing = (*schema.missing_words, *(given or ()))
    frame = restore_words(table.frame, table.words, missing, among=may_hold_words(schema.used))
    return replace(table, frame=frame)


def _without_words(table: Table, schema: Schema) -> pl.DataFrame:
    """The rows of a typed table without 'NA' and the like, where they were missing in the training rows."""
    if table.is_text or not schema.missing_words:
        return table.frame
    return without_words(table.frame, schema.missing_words, among=may_hold_words(schema.used))


def _palette(pipeline: Pipeline) -> Sequence[int]:
    """Of the masks that the network was trained on, if they had one."""
    return getattr(pipeline.decoder, "written_as", {}).get("palette", ())


def _remarks(table: Table) -> list[str]:
    """What the reader left out or guessed: there may be fewer answers than lines."""
    told = [finding for finding in table.findings if finding.decided or finding.level != "note"]
    return [f"{finding.seen} {finding.action}" for finding in told]


def refuse_new_shares(table: Table, schema: Schema, *, known: Collection[str]) -> None:
    """Refuse columns in per cent where the training rows had plain numbers: is 50 % then 50, or 0.5?

    Arguments:
        known: columns whose notation was the training rows', or is given.

    Raises: `DataError` naming them.
    """
    problems = [
        f"{table.source}: column '{name}' is written with '{notation.unit}', and the training rows had plain "
        f"numbers. Write it as they were, or give --read \"notations.{name}={{unit: '{notation.unit}'}}\" if "
        "the numbers mean the same."
        for name, notation in table.notations.items()
        if notation.unit in ("%", "‰") and name not in known
        if any(column.name == name for column in schema.used)
    ]
    if problems:
        raise DataError(problems)


def check_warnings(unseen: list[str], unreadable: list[str], *, strict: bool, skip_bad: bool) -> list[str]:
    """Both lists together. Raises: `DataError` for unseen values if `strict`, and for unreadable ones."""
    if unreadable and not skip_bad:
        skip = argument("skip_bad")
        hint = f"Nothing was predicted; mend the rows, or leave their answers empty with {skip}."
        raise DataError([*unreadable[:-1], f"{unreadable[-1]} {hint}"])
    if unseen and strict:
        raise DataError(unseen)
    return unseen + unreadable


def bad_rows(troubles: Sequence[Trouble], rows: int) -> Bool[np.ndarray, " rows"]:
    """Which of so many rows have values that cannot be read."""
    return np.isin(np.arange(rows), [row for trouble in troubles for row in trouble.rows])


def without_bad(frame: pl.DataFrame, troubles: Sequence[Trouble]) -> pl.DataFrame:
    """Empty the answers of rows with values that cannot be read."""
    if not troubles:
        return frame
    empty = bad_rows(troubles, len(frame))
    return frame.with_columns([empty_where(column, empty) for column in frame])


def predict_columns(
    pipeline: Pipeline, features: pl.DataFrame, table: Table
) -> tuple[pl.DataFrame, list[np.ndarray]]:
    """The answers to a target for typed rows as columns, and masks where the network gives some."""
    task = pipeline.task
    if task.name == "mask":
        return _masks(pipeline, features, table)
    if task.name == "boxes":
        return _boxes(pipeline, features, table), []
    if task.name in ("bit-sequence", "sequence"):
        rows = pipeline.encoder.rows(features, table.stores)
        return pl.DataFrame(pipeline.decoder.columns(pipeline.network, rows)), []
    if task.name == "text-to-image":
        picture_task: Any = pipeline.decoder
        rows = pipeline.encoder.rows(features, table.stores)
        return made_pictures(*picture_task.draw(pipeline.network, rows))
    answers = pipeline.answers(features, table.stores)
    if task.name == "regression":
        return _values(answers, task), []
    decided = pipeline.decide(answers)
    if task.name == "multi-label":
        columns = {
            f"prediction_{name}": task.decode(decided[:, index], index)
            for index, name in enumerate(task.classes)
        }
    else:
        columns = {"prediction": task.decode(decided)}
    return pl.DataFrame(
        columns | {f"probability_{name}": answers[:, index] for index, name in enumerate(task.classes)}
    ), []


def made_pictures(pictures: Tensor, maps: Tensor) -> tuple[pl.DataFrame, list[np.ndarray]]:
    """Pictures that were made, as bytes with channels last, beside their tokens, row by row."""
    tokens = [" ".join(map(str, row)) for row in maps.flatten(1).tolist()]
    return pl.DataFrame({"tokens": tokens}), list(pictures.permute(0, 2, 3, 1).numpy())


def _values(answers: np.ndarray, task: TaskSpec) -> pl.DataFrame:
    names = ["prediction"] if len(task.targets) == 1 else [f"prediction_{name}" for name in task.targets]
    return pl.DataFrame({name: answers[:, index] for index, name in enumerate(names)})


def _forecast(pipeline: Pipeline, table: Table) -> Answers:
    """Forecast what follows the last row of a table: a row for each step ahead."""
    from handrail.data.forecast.future import read_future

    plan = pipeline.encoder.column.plan  # pyright: ignore[reportAttributeAccessIssue]
    future = read_future(table, plan)
    features, _ = read_frame(future.windows.frame.tail(1), pipeline.encoder.schema)
    values = pipeline.answers(features, future.windows.stores)[0].reshape(len(plan.targets), plan.horizon)
    names = [f"prediction_{name}" if len(plan.targets) > 1 else "prediction" for name in plan.targets]
    steps: dict[str, Any] = {"step": np.arange(1, plan.horizon + 1)}
    steps |= {} if future.dates is None else {"date": future.dates}
    frame = pl.DataFrame(steps | {name: values[index] for index, name in enumerate(names)})
    return Answers(frame, list(dict.fromkeys([*_remarks(table), *future.warnings])))


def _masks(pipeline: Pipeline, features: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, list[np.ndarray]]:
    mask_task: Any = pipeline.decoder
    rows, maps = pipeline.encoder.rows(features, table.stores), []
    shares: dict[str, list[float]] = {f"share_{name}": [] for name in pipeline.task.classes}
    for scores in scores_of(pipeline.network, rows):
        codes = mask_task.masks(mask_task(scores)).cpu().numpy()
        for code, name in enumerate(shares):
            shares[name] += (codes == code).mean(axis=(1, 2)).tolist()
        maps += list(mask_task.as_written(codes))
    return pl.DataFrame(shares), maps


def _boxes(pipeline: Pipeline, features: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Objects above the task's threshold; boxes in pixels of the original pictures."""
    rows, boxes = pipeline.encoder.rows(features, table.stores), []
    for scores in scores_of(pipeline.network, rows):
        boxes += list(pipeline.decoder(scores).cpu())
    name, images = next((name, store) for name, store in table.stores.items() if store.kind == "image")
    sizes = images.sizes[features[name].to_numpy()]  # pyright: ignore[reportAttributeAccessIssue]
    objects = [_objects(one, pipeline, size) for one, size in zip(boxes, sizes, strict=True)]
    return pl.DataFrame(
        {"objects": [len(one) for one in objects], "boxes": [json.dumps(one) for one in objects]}
    )


def _objects(boxes: Tensor, pipeline: Pipeline, size: Any) -> list[dict[str, Any]]:
    from handrail.data.stores.pixels.decode import crop

    box_task: Any = pipeline.decoder
    height, width = int(size[0]), int(size[1])
    shape: Any = pipeline.encoder.shape
    cut = crop((height, width), (shape.height, shape.width))
    objects = boxes[(boxes[:, 0] >= 0) & (boxes[:, 1].double() > float(box_task.threshold))]
    across, down = cut.right - cut.left, cut.bottom - cut.top
    scale, origin = torch.tensor([across, down] * 2), torch.tensor([cut.left, cut.top] * 2)
    corners = objects[:, 2:] * scale + origin
    return [
        {
            "class": pipeline.task.classes[int(code)],
            "score": round(float(score), 4),
            "box": [round(float(x), 1) for x in box],
        }
        for (code, score), box in zip(objects[:, :2], corners, strict=True)
    ]


def with_files(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Answers with the file of each row first, where rows are files."""
    if not table.stores or table.namer is None:
        return frame
    return frame.insert_column(0, pl.Series("file", [table.row_name(row) for row in range(len(frame))]))


def _rows(table: Table, rows: Any) -> str:
    names = [table.row_name(int(row)) for row in rows[:_IN_NAMES]]
    return ", ".join(names) + (f" and {len(rows) - _IN_NAMES:,} more" if len(rows) > _IN_NAMES else "")


def describe_unseen(table: Table, unseen: pl.Series, name: str, rows: Any) -> str:
    """A sentence about the values of rows that did not occur in training."""
    where = f"{_rows(table, rows)} of '{table.source}'"
    if name in table.stores:
        return f"column '{name}': {where} hold nothing that occurred in training."
    values = unseen.unique().sort().to_list()
    shown = ", ".join("missing" if value is None else f"'{value[:60]}'" for value in values[:5])
    shown += " …" if len(values) > 5 else ""
    return f"column '{name}': {shown} did not occur in training and count as unknown; {where}."


def describe_unreadable(table: Table, trouble: Trouble, rows: Sequence[int]) -> str:
    """A sentence about the values of these rows that cannot be read."""
    expected = _EXPECTED[trouble.kind]
    return f"{trouble}, expected {expected}; {_rows(table, rows)} of '{table.source}'."


def with_training_names(table: Table, names: list[str] | None, targets: tuple[str, ...]) -> Table:
    """Give a table without names those of the training table in the recipe, if their number fits."""
    unnamed = [f"column_{number}" for number in range(1, len(table.frame.columns) + 1)]
    if not names or table.frame.columns != unnamed:
        return table
    without_target = [name for name in names if name not in targets]
    fitting_names = next((each for each in (names, without_target) if len(each) == len(unnamed)), None)
    if fitting_names is None:
        return table
    return replace(table, frame=table.frame.rename(dict(zip(unnamed, fitting_names, strict=True))))
