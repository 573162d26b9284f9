"""A pipeline for use elsewhere: one ONNX file, checked against PyTorch before it is written."""

import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from handrail.data.encoders.table import TableEncoder
from handrail.errors import HandrailError, RunError
from handrail.pipeline import Pipeline
from handrail.pipeline.onnx_graph import column_groups, output_names, table_encoder, whole_graph
from handrail.tasks import ClassTask
from handrail.tasks.scoring import double_scores
from handrail.tools.files import is_taken, write_bytes
from handrail.tools.interface import argument

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


_CLOSE = 1e-5
_ON_THE_EDGE = 1e-6
_REACH = 10  # how far extreme values lie outside of a column's range, in ranges
_ROUNDING = 4.0
_MOST_ROWS = 4096


def write_onnx(
    pipeline: Pipeline, path: Path, features: Callable[[], pl.DataFrame], *, overwrite: bool = False
) -> None:
    """Write encoder, network and task as one ONNX file: raw values in, labels and probabilities out.

    Inputs: one for each column that the network uses, by the column's name, `[rows, 1]`:

    - category: string, as in the table (whole numbers without a point); the empty string is missing;
    - numeric: double, NaN is missing;
    - boolean: double 0 or 1, NaN is missing;
    - datetime: double, seconds since 1970-01-01 UTC, NaN is missing.

    Outputs, followed by `_` where a column has that name: `label` (string `[rows]`; for several labels int64
    0/1 `[rows, labels]`) and `probabilities` (double `[rows, classes]`), or for regression `value` (double
    `[rows, outputs]`). The metadata holds `task`, `target`, `classes`, `threshold`, `columns` (kinds by name)
    and `handrail_version`; lists are JSON.

    The file is written only after onnxruntime has answered as PyTorch does on these rows and on rows with
    missing, unseen and extreme values.

    Arguments:
        features: reads typed rows, once there is a graph to compare on them.
        overwrite: replace an existing file.

    Raises: `RunError` when the file exists, the network cannot be exported, or the answers differ;
        `HandrailError` when packages are missing or the file cannot be written. Nothing is written then.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        packages = ", ".join(missing)
        raise HandrailError(f"export to ONNX needs {packages}; install with: pip install 'handrail[onnx]'")
    if not pipeline.task.targets:
        raise RunError(f"{pipeline.task.name} cannot be exported to ONNX yet: there is no target.")
    if is_taken(path) and not overwrite:
        advice = f"choose another destination, or overwrite it ({argument('overwrite')})"
        raise RunError(f"'{path}' already exists; {advice}.")
    pipeline = pipeline.to("cpu").eval()
    try:
        graph = whole_graph(pipeline).SerializeToString()
    except HandrailError:
        raise
    except ValueError as error:
        text = f"the network does not fit into one ONNX file, which holds at most 2 GB ({error})."
        raise RunError(text) from error
    check_agreement(graph, pipeline, features())
    write_bytes(path, graph)


def check_agreement(graph: bytes, pipeline: Pipeline, features: pl.DataFrame) -> int:
    """Compare both on real rows, then on difficult ones.

    Probabilities and values may differ by 10⁻⁵ (values: of their size, or of the target's spread where that
    is larger), labels only where a probability is within 10⁻⁶ of another decision. Where single precision
    itself is coarser (large inputs that were not scaled), four times its measured error is added.

    Arguments:
        graph: the file's bytes.
        pipeline: on the processor.
        features: typed rows.

    Returns: how many rows were compared.

    Raises: `RunError` with the first row that differs.
    """
    session = _session(graph)
    step = -(-len(features) // _MOST_ROWS)
    parts = {
        "validation": features.gather_every(step),
        "single": features.head(1),
        "difficult": difficult_rows(features, table_encoder(pipeline)),
    }
    for name, rows in parts.items():
        _compare(session, pipeline, rows, name)
    return sum(len(rows) for rows in parts.values())


def _import_onnxruntime() -> Any:
    """onnxruntime, without its telemetry, which leaves a file in the temporary folder as it is imported."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        try:
            import onnxruntime
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _session(graph: bytes) -> Any:
    onnxruntime = _import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        reason = str(error).splitlines()[0]
        raise RunError(f"onnxruntime cannot load the exported network: {reason}") from error


def difficult_rows(features: pl.DataFrame, encoder: TableEncoder) -> pl.DataFrame:
    """The first row with one column, or all, missing, unseen or far outside of its range."""
    first = features.head(1)
    used = encoder.schema.used
    odd = {column.name: _odd_values(features[column.name], column.kind, encoder) for column in used}
    rows = [
        first.with_columns(values[[place]].alias(name))
        for name, values in odd.items()
        for place in range(len(values))
    ]
    for place in range(max(len(values) for values in odd.values())):
        chosen = [values[[min(place, len(values) - 1)]].alias(name) for name, values in odd.items()]
        rows.append(first.with_columns(chosen))
    return pl.concat(rows)


def _odd_values(series: pl.Series, kind: str, encoder: TableEncoder) -> pl.Series:
    if kind == "category":
        unseen = "never seen"
        while unseen in encoder.levels[series.name]:
            unseen += " "
        return pl.Series([None, unseen], dtype=pl.String)
    if kind == "boolean":
        return pl.Series([None, 0.0, 1.0], dtype=pl.Float64)
    known = series.drop_nulls().to_numpy()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    reach = _REACH * (high - low or 1.0)
    return pl.Series([None, low - reach, high + reach, 0.0], dtype=pl.Float64)


def raw_inputs(features: pl.DataFrame, encoder: TableEncoder) -> dict[str, np.ndarray]:
    """Typed rows as the file takes them: `[rows, 1]`, missing numbers and moments as NaN, words as ''."""
    inputs: dict[str, np.ndarray] = {}
    for group, columns in column_groups(encoder).items():
        for name in columns:
            column = features[name]
            values = column.fill_null("" if group == "codes" else float("nan")).to_numpy()
            inputs[name] = (values.astype(object) if group == "codes" else values).reshape(-1, 1)
    return inputs


def _compare(session: Any, pipeline: Pipeline, rows: pl.DataFrame, part: str) -> None:
    names, inputs = output_names(pipeline), raw_inputs(rows, table_encoder(pipeline))
    try:
        outputs = dict(zip(names, session.run(list(names.values()), inputs), strict=True))
    except Exception as error:  # as above
        reason = str(error).splitlines()[0]
        raise RunError(f"onnxruntime cannot run the exported network: {reason}") from error
    expected = pipeline.answers(rows)
    noise = _ROUNDING * _noise(pipeline, rows, expected)
    answers = outputs["value"] if "value" in outputs else outputs["probabilities"]
    _check_answers(answers, expected, _tolerance(pipeline, expected) + noise, part)
    if "label" in outputs:
        _check_labels(outputs["label"], pipeline, expected, max(_ON_THE_EDGE, noise), part)


def _noise(pipeline: Pipeline, rows: pl.DataFrame, answers: np.ndarray) -> float:
    """The largest error of single precision in these answers."""
    scores = double_scores(pipeline.network, table_encoder(pipeline).rows(rows, {}))
    if scores is None:
        return 0.0
    with torch.no_grad():
        error = np.abs(pipeline.decoder(scores).numpy() - answers)
    return float(np.max(error[np.isfinite(error)], initial=0.0))


def _tolerance(pipeline: Pipeline, expected: np.ndarray) -> np.ndarray:
    decoder = pipeline.decoder
    if isinstance(decoder, ClassTask):
        return np.full_like(expected, _CLOSE)
    return _CLOSE * np.maximum(np.abs(expected), decoder.spread.numpy())  # pyright: ignore[reportCallIssue]


def _check_answers(answers: np.ndarray, expected: np.ndarray, tolerance: np.ndarray, part: str) -> None:
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        same = np.abs(answers - expected) <= tolerance
    same |= (answers == expected) | (np.isnan(answers) & np.isnan(expected))
    if same.all():
        return
    row, column = np.argwhere(~same)[0]
    raise RunError(
        f"the exported network does not answer as PyTorch does: {np.count_nonzero(~same.all(axis=1)):,} of "
        f"{len(same):,} {part} rows differ; in row {row + 1}, output {column + 1}, onnxruntime gives "
        f"{answers[row, column]:.9g}, PyTorch {expected[row, column]:.9g}. No file was written."
    )


def _check_labels(
    labels: np.ndarray, pipeline: Pipeline, probabilities: np.ndarray, edge: float, part: str
) -> None:
    codes = pipeline.decide(probabilities)
    expected = codes if codes.ndim == 2 else np.array(pipeline.task.classes, dtype=object)[codes]
    different = (labels != expected) & ~_near_tie(pipeline, probabilities, edge)
    if different.any():
        row = int(np.argwhere(different)[0][0])
        raise RunError(
            f"the exported network does not decide as PyTorch does: in {part} row {row + 1} onnxruntime "
            f"gives {labels[row]}, PyTorch {expected[row]}. No file was written."
        )


def _near_tie(pipeline: Pipeline, probabilities: np.ndarray, edge: float) -> np.ndarray:
    """Rows (or labels) so close to another decision that rounding may cause it."""
    decoder = pipeline.decoder
    assert isinstance(decoder, ClassTask)
    if pipeline.task.name == "multi-class":
        best = np.sort(decoder.weighted(torch.from_numpy(probabilities)).numpy(), axis=1)[:, -2:]
        return best[:, 1] - best[:, 0] <= edge
    distance = np.abs(probabilities - float(decoder.threshold)) <= edge  # pyright: ignore[reportArgumentType]
    return distance[:, 1] if pipeline.task.name == "binary" else distance
