"""A pipeline for use elsewhere: one ONNX file, checked against PyTorch before it is written."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import polars as pl

from handrail.errors import HandrailError, RunError
from handrail.pipeline import Pipeline
from handrail.pipeline.onnx_check import check_agreement
from handrail.pipeline.onnx_graph import whole_graph
from handrail.tools.files import write_bytes

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


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
        raise HandrailError(
            f"export to ONNX needs {', '.join(missing)}; install with: pip install 'handrail[onnx]'"
        )
    if path.exists() and not overwrite:
        raise RunError(
            f"'{path}' already exists; choose another destination, or overwrite it "
            "(overwrite=True, --overwrite)."
        )
    pipeline = pipeline.to("cpu").eval()
    try:
        graph = whole_graph(pipeline).SerializeToString()
    except ValueError as error:
        raise RunError(
            f"the network does not fit into one ONNX file, which holds at most 2 GB ({error})."
        ) from error
    check_agreement(graph, pipeline, features())
    write_bytes(path, graph)
