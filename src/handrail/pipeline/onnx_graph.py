"""The whole pipeline as one ONNX graph: raw columns → words to codes → encoder, network, task → words.

torch exports the middle part. The nodes before and after it are ONNX's own `LabelEncoder`, which torch cannot
express, so they are added by hand.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handrail.data.encoders.table import TableEncoder
from handrail.errors import RunError
from handrail.pipeline import Pipeline
from handrail.tasks import ClassTask
from handrail.tools.interface import call
from handrail.tools.words import list_some

_ML = "ai.onnx.ml"
_ML_VERSION = 2  # the first with a LabelEncoder from words to numbers
_OUTSIDE = {  # what is done to a cell before the network, by handrail's own code
    "image": "decoding pictures",
    "audio": "decoding sounds",
    "series": "reading and cutting series",
    "text": "dividing text into tokens",
    "stream": "dividing text into tokens",
    "symbols": "dividing cells into tokens",
}
_GROUPS = ("numbers", "codes", "moments")


class Whole(nn.Module):
    """The pipeline with its decision: groups of raw columns to probabilities and class codes, or values."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.groups = column_groups(table_encoder(pipeline))

    def forward(self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> Any:
        """Takes the groups that have columns, in the order numbers, codes, moments."""
        groups = dict(zip(self.groups, (first, second, third), strict=False))
        empty = torch.zeros(first.shape[0], 0, dtype=torch.float64, device=first.device)
        codes = groups.get("codes")
        codes = empty.long() if codes is None else codes
        answers = self.pipeline(groups.get("numbers", empty), codes, groups.get("moments", empty))
        decoder = self.pipeline.decoder
        return (answers, decoder.decide(answers)) if isinstance(decoder, ClassTask) else answers


def table_encoder(pipeline: Pipeline) -> TableEncoder:
    """The encoder of a pipeline for tables.

    Raises: `RunError` for a pipeline of pictures, series, sounds or text.
    """
    if not isinstance(pipeline.encoder, TableEncoder):
        special = [each for each in pipeline.encoder.schema.used if each.kind in _OUTSIDE]
        listed = list_some(f"'{each.name}' ({each.kind}: {_OUTSIDE[each.kind]})" for each in special)
        reason = f" {listed} cannot be written as operations of ONNX." if special else ""
        answer = call("predict RUN", "SOURCE", function="load(RUN).predict")
        raise RunError(
            "only networks for tables of numbers, categories and dates are exported to ONNX as a whole: the "
            f"file takes raw cells.{reason} Answer with {answer}."
        )
    return pipeline.encoder


def column_groups(encoder: TableEncoder) -> dict[str, list[str]]:
    """The columns of each group that has any."""
    names = (encoder.number_names, encoder.category_names, encoder.moment_names)
    return {group: columns for group, columns in zip(_GROUPS, names, strict=True) if columns}


def whole_graph(pipeline: Pipeline) -> Any:
    """The `onnx.ModelProto`.

    Raises: `RunError` when torch cannot export the network, or a column's name cannot be an input's.
    """
    import onnx

    columns = [column for names in column_groups(table_encoder(pipeline)).values() for column in names]
    if "" in columns:
        raise RunError("a column has no name, and an ONNX input needs one; name the column, and fit again.")
    prefix = _free_name("handrail/", lambda name: any(column.startswith(name) for column in columns))
    model = onnx.compose.add_prefix(_torch_graph(pipeline), prefix)
    answers, *codes = [output.name for output in model.graph.output]
    _add_inputs(model, table_encoder(pipeline), prefix)
    _add_outputs(model, pipeline, answers, codes)
    opsets = [item for item in model.opset_import if item.domain != _ML]
    del model.opset_import[:]
    model.opset_import.extend([*opsets, onnx.helper.make_opsetid(_ML, _ML_VERSION)])
    _strip_origins(model.graph)
    model.graph.name, model.producer_name = "handrail", "handrail"
    model.producer_version = metadata.version("handrail")
    onnx.helper.set_model_props(model, _facts(pipeline))
    onnx.checker.check_model(model)
    return model


def _torch_graph(pipeline: Pipeline) -> Any:
    whole = Whole(pipeline).eval()
    groups = whole.groups
    types = [torch.int64 if name == "codes" else torch.float64 for name in groups]
    shapes = zip(groups.values(), types, strict=True)
    example = tuple(torch.zeros(4, len(columns), dtype=dtype) for columns, dtype in shapes)
    outputs = ["answers", "chosen"] if isinstance(pipeline.decoder, ClassTask) else ["answers"]
    rows = torch.export.Dim("rows")
    names = ("first", "second", "third")[: len(example)]
    try:
        with _silence():
            program = torch.onnx.export(
                whole,
                example,
                input_names=list(groups),
                output_names=outputs,
                dynamic_shapes={name: {0: rows} for name in names},
                dynamo=True,
                verbose=False,
            )
        assert program is not None
        return program.model_proto
    except Exception as error:  # torch's exporter raises errors of many kinds, its own and the network's
        raise RunError(
            f"torch cannot export {_model_name(pipeline)} to ONNX: {_reason(error)}{_place(error)} "
            "Write its forward with tensor operations alone, without decisions that depend on values."
        ) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """torch's exporter prints, logs and warns of its internals; the graph is checked afterwards."""
    level = logging.root.manager.disable
    silent = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)


def _reason(error: BaseException) -> str:
    """The first line of the cause; torch wraps it in a summary of its strategies."""
    deepest = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    lines = [line.strip() for line in str(deepest).splitlines() if line.strip()]
    text = lines[0] if lines else type(deepest).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _place(error: BaseException) -> str:
    """The layer that torch was in: ` In Tree (nets.py, line 12).`; empty where it was in none of these."""
    while error.__cause__ is not None:
        error = error.__cause__
    place, trace = "", error.__traceback__
    while trace is not None:
        code, layer = trace.tb_frame.f_code, trace.tb_frame.f_locals.get("self")
        own = type(layer).__module__.partition(".")[0] != "torch" and not isinstance(layer, Whole | Pipeline)
        if isinstance(layer, nn.Module) and own and code.co_name == "forward":
            place = f" In {type(layer).__name__} ({Path(code.co_filename).name}, line {trace.tb_lineno})."
        trace = trace.tb_next
    return place


def _model_name(pipeline: Pipeline) -> str:
    spec = pipeline.model_spec
    return f"the model '{next(iter(spec))}'" if isinstance(spec, dict) else f"the model {spec}"


def _strip_origins(graph: Any) -> None:
    """Remove the source files and lines that each node came from."""
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.ClearField("doc_string")
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _strip_origins(inner)


def _add_inputs(model: Any, encoder: TableEncoder, prefix: str) -> None:
    """One input a column `[rows, 1]`; words become codes, and columns the groups that torch's part takes."""
    from onnx import TensorProto, helper

    inputs, nodes = [], []
    for group, columns in column_groups(encoder).items():
        words = group == "codes"
        kind = TensorProto.STRING if words else TensorProto.DOUBLE
        inputs += [helper.make_tensor_value_info(column, kind, ["rows", 1]) for column in columns]
        parts = columns
        if words:
            parts = [f"{prefix}code {column}" for column in columns]
            pairs = zip(columns, parts, strict=True)
            nodes += [_to_code(encoder.levels[column], column, part) for column, part in pairs]
        join = f"{prefix}join {group}"
        nodes.append(helper.make_node("Concat", parts, [f"{prefix}{group}"], axis=1, name=join))
    torch_nodes = list(model.graph.node)
    del model.graph.input[:], model.graph.node[:]
    model.graph.input.extend(inputs)
    model.graph.node.extend([*nodes, *torch_nodes])


def _to_code(levels: list[str], column: str, code: str) -> Any:
    """A missing value is the empty word, in training and here."""
    from onnx import helper

    numbers = list(range(1, len(levels) + 1))
    settings = {"keys_strings": levels, "values_int64s": numbers, "default_int64": 0}
    return helper.make_node("LabelEncoder", [column], [code], domain=_ML, name=code, **settings)


def _add_outputs(model: Any, pipeline: Pipeline, answers: str, codes: list[str]) -> None:
    from onnx import TensorProto, helper

    task, names = pipeline.task, output_names(pipeline)
    outputs, nodes = [], []
    width = len(task.classes) or task.outputs
    if task.is_classification:
        words = {
            "keys_int64s": list(range(width)),
            "values_strings": list(task.classes),
            "default_string": "",
        }
        options = {"domain": _ML, "name": f"{codes[0]} word", **words}
        nodes.append(helper.make_node("LabelEncoder", codes, [names["label"]], **options))
        outputs.append(helper.make_tensor_value_info(names["label"], TensorProto.STRING, ["rows"]))
    elif codes:
        nodes.append(helper.make_node("Identity", codes, [names["label"]], name=f"{codes[0]} out"))
        outputs.append(helper.make_tensor_value_info(names["label"], TensorProto.INT64, ["rows", width]))
    name = names["probabilities" if codes else "value"]
    nodes.append(helper.make_node("Identity", [answers], [name], name=f"{answers} out"))
    outputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", width]))
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    model.graph.node.extend(nodes)


def output_names(pipeline: Pipeline) -> dict[str, str]:
    """The name of each output in the file, followed by `_` where a column has that name."""
    columns = {column for names in column_groups(table_encoder(pipeline)).values() for column in names}
    outputs = ("value",) if pipeline.task.name == "regression" else ("label", "probabilities")
    return {name: _free_name(name, columns.__contains__) for name in outputs}


def _free_name(name: str, taken: Callable[[str], bool]) -> str:
    while taken(name):
        name += "_"
    return name


def _facts(pipeline: Pipeline) -> dict[str, str]:
    task = pipeline.task
    kinds = {column.name: column.kind for column in pipeline.encoder.schema.used}
    facts = {
        "task": task.name,
        "target": json.dumps(list(task.targets), ensure_ascii=False),
        "columns": json.dumps(kinds, ensure_ascii=False),
        "handrail_version": metadata.version("handrail"),
    }
    if task.classes:
        facts["classes"] = json.dumps(list(task.classes), ensure_ascii=False)
    if task.name == "binary" and isinstance(pipeline.decoder, ClassTask):
        facts["threshold"] = repr(float(pipeline.decoder.threshold))  # pyright: ignore[reportArgumentType]
    return facts
