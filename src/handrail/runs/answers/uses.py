"""What a run can do besides answering: its uses, on new rows or without any, and their results as tables."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from handrail.components import Component, resolve_arguments
from handrail.data.columns.reading import read_column
from handrail.data.columns.values import empty_where
from handrail.data.columns.writing import write_like
from handrail.data.encoders.table import TableEncoder
from handrail.data.table import Table
from handrail.errors import DataError, did_you_mean
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.runs.answers.generate import generate_pictures, generate_texts
from handrail.runs.answers.predict import Answers, ReadRows, bad_rows, read_rows, with_files, without_bad
from handrail.tasks.alone.points import points_of
from handrail.tasks.uses import Together, Used, WithGaps, uses_of
from handrail.tools.interface import argument
from handrail.tools.words import list_some, plural


def available_uses(pipeline: Pipeline) -> dict[str, Component]:
    """The uses of a run by name."""
    return uses_of(pipeline.decoder, first_of(pipeline.network))


def find_use(pipeline: Pipeline, name: str) -> Component:
    """Raises: `DataError` for what this network cannot do."""
    known = available_uses(pipeline)
    if name not in known:
        can = f"it can {list_some(known, most=10, last=' and ')}" if known else "there is none beside predict"
        near = did_you_mean(name, known, listed=False)
        raise DataError(f"'{name}' is no use of a network for {pipeline.task.name}; {can}.{near}")
    return known[name]


_MAKERS = {"next-token": generate_texts, "text-to-image": generate_pictures}  # what draws token by token


def resolve_generation(pipeline: Pipeline, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What `generate` is asked for, with every default written out.

    Raises: `DataError` for a network that makes no rows; `RecipeError` for arguments that it does not have.
    """
    maker = _MAKERS.get(pipeline.task.name)
    entry = Component("use", "generate", maker) if maker else find_use(pipeline, "generate")
    return resolve_arguments(entry, arguments, "generate")


def generate_rows(pipeline: Pipeline, arguments: Mapping[str, Any]) -> Answers:
    """New rows, texts or pictures of a caption, by the task; errors as `resolve_generation`."""
    resolved, maker = resolve_generation(pipeline, arguments), _MAKERS.get(pipeline.task.name)
    return maker(pipeline, **resolved) if maker else use_pipeline(pipeline, "generate", None, resolved)


def takes_rows(entry: Component) -> bool:
    """Whether a use needs rows; the others make some."""
    return type(None) not in _kinds(entry)


def _kinds(entry: Component) -> tuple[Any, ...]:
    annotation = entry.target.__annotations__["points"]
    return getattr(annotation, "__args__", (annotation,))


@torch.inference_mode()
def use_pipeline(
    pipeline: Pipeline,
    name: str,
    table: Table | None,
    arguments: Mapping[str, Any],
    *,
    skip_bad: bool = False,
) -> Answers:
    """The result of a use; of rows that are made, as the training rows were written.

    Raises: `DataError` for a use that there is not, rows where none are wanted or none where some are, and as
        `Run.predict`; `RecipeError` for arguments that it does not have.
    """
    entry, network = find_use(pipeline, name), first_of(pipeline.network)
    function = partial(entry.target, **resolve_arguments(entry, arguments, name))
    if table is None and takes_rows(entry):
        raise DataError(f"{name} needs rows; name a table ({argument('source', 'TABLE')}).")
    if table is not None and not takes_rows(entry):
        raise DataError(f"{name} makes rows of its own and takes none; leave the table out.")
    if table is None:
        used: Used = function(pipeline.decoder, network, None)
        frame, maps = _decoded(pipeline, used)
        encoder: Any = pipeline.encoder
        made = encoder.round_whole(frame) if isinstance(encoder, TableEncoder) else frame
        return Answers(made, used.remarks, maps)
    read = read_rows(pipeline, table, skip_bad=skip_bad)
    points = points_of(network, read.encoded).to(pipeline.device)
    kind, told = entry.target.__annotations__["points"], []
    if kind is WithGaps:
        points[_gaps(pipeline, name, read)] = torch.nan
        return _filled(read, function(pipeline.decoder, network, points))
    if kind is Together:
        points, told = _readable(points, read, name)
    used = function(pipeline.decoder, network, points)
    frame, maps = _decoded(pipeline, used)
    if kind is not Together:
        frame = with_files(without_bad(frame, read.troubles), table)
    return Answers(frame, [*read.warnings, *told, *used.remarks], maps)


def _readable(points: Tensor, read: ReadRows, name: str) -> tuple[Tensor, list[str]]:
    """The rows that can be read, and what is said where others are left out."""
    bad = bad_rows(read.troubles, len(points))
    if not bad.any():
        return points, []
    told = f"{name}: {plural(int(bad.sum()), 'row')} with such values left out."
    return points[torch.from_numpy(~bad).to(points.device)], [told]


def _gaps(pipeline: Pipeline, name: str, read: ReadRows) -> Tensor:
    if not isinstance(pipeline.encoder, TableEncoder):
        text = "fills the columns of a table; pictures, series, sounds and texts have no gaps."
        raise DataError(f"{name}: {text}")
    return pipeline.encoder.gaps(read.features)


def _filled(read: ReadRows, used: Used) -> Answers:
    """The table as it was given, with values in its gaps, written as the column writes those it has.

    Rows with values that cannot be read stay as they are.
    """
    assert used.points is not None
    encoder: Any = read.pipeline.encoder
    decoded, _ = encoder.decode(used.points.cpu(), complete=True)
    frame, count = read.table.frame, 0
    readable = pl.Series(~bad_rows(read.troubles, len(frame)))
    for column in encoder.schema.used:
        missing = read.features[column.name].is_null()
        gaps = missing & readable
        if not gaps.any():
            continue
        count += int(gaps.sum())
        plain = column.model_copy(update={"missing": (), "markers": ()})  # no value that is found is missing
        values, _ = read_column(decoded[column.name], plain)
        given = frame[column.name]
        written = write_like(values, column, empty_where(given, missing.to_numpy()))
        filled = pl.when(gaps).then(written).otherwise(given)
        frame = frame.with_columns(pl.select(filled).to_series().alias(column.name))
    told = f"{count:,} missing values were filled in." if count else "no value is missing."
    return Answers(frame, [*read.warnings, told])


def _decoded(pipeline: Pipeline, used: Used) -> tuple[pl.DataFrame, list[np.ndarray]]:
    """Columns as they are; before them points as the data had them: a table, or pictures' names."""
    if used.points is None:
        return pl.DataFrame(used.columns), []
    frame, maps = pipeline.encoder.decode(used.points.cpu())
    return frame.with_columns(**used.columns), maps
