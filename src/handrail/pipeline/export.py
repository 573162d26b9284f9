"""A trained network for use elsewhere: one ONNX file with the whole pipeline in it, checked before it is
kept.
"""

import importlib.util
from pathlib import Path
from typing import Any

from handrail.errors import HandrailError, RunError
from handrail.run import Run, load
from handrail.tools.files import write_bytes

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(
    run: Run | str | Path,
    destination: str | Path | None = None,
    *,
    source: Any = None,
    overwrite: bool = False,
) -> Path:
    """Write encoder, network and decoder as one ONNX file that takes raw values and gives labels and
    probabilities.

    Inputs: one for each column that the network uses, by the column's name, `[rows, 1]`:

    - category: string, as in the table (whole numbers without a point); the empty string is missing;
    - numeric: double, NaN is missing;
    - boolean: double 0 or 1, NaN is missing;
    - datetime: double, seconds since 1970-01-01 UTC, NaN is missing.

    Outputs, with `_` behind the name where a column has it: `label` (string `[rows]`; for several labels
    int64 0/1 `[rows, labels]`) and `probabilities` (double `[rows, classes]`), or for regression `value`
    (double `[rows, outputs]`). The metadata holds `task`, `target`, `classes`, `threshold`, `columns` (kinds
    by name) and `handrail_version`; lists are JSON.

    The file is written only after onnxruntime has answered as PyTorch does on the validation rows and on rows
    with missing, unseen and extreme values.

    Arguments:
        run: a run, or its folder.
        destination: the file; by default `model/model.onnx` in the run folder.
        source: where the data of the run is now, if it has moved.
        overwrite: replace a file that is there.

    Returns: the file.

    Raises: `RunError` when the fit has not ended, the file is there, the network cannot be exported, or the
    answers
        differ; `DataError` when the source of the run cannot be read; `HandrailError` when packages are
        missing or the file cannot be written. Nothing is left behind then.
    """
    _require_packages()
    run = run if isinstance(run, Run) else load(run)
    path = run.folder.model / "model.onnx" if destination is None else Path(destination)
    if path.exists() and not overwrite:
        raise RunError(
            f"'{path}' is there already; choose another destination, or overwrite it (overwrite=True, --overwrite)."
        )
    from handrail.pipeline.onnx_check import check_agreement
    from handrail.pipeline.onnx_graph import whole_graph

    pipeline = run.pipeline.to("cpu").eval()
    try:
        graph = whole_graph(pipeline).SerializeToString()
    except ValueError as error:
        raise RunError(
            f"the network does not fit into one ONNX file, which holds at most 2 GB ({error})."
        ) from error
    _, validation, _ = run.parts(source=source)
    check_agreement(graph, pipeline, validation.sample.features)
    write_bytes(path, graph)
    return path


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise HandrailError(
            f"export to ONNX needs {', '.join(missing)}; install with: pip install 'handrail[onnx]'"
        )
