"""One ONNX file with the whole pipeline: raw values through onnxruntime give what the run gives."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
import torch
from torch import nn

import handrail
from handrail.data.sources import read
from handrail.errors import HandrailError, RunError
from handrail.pipeline import export
from handrail.run import Run, export_onnx

QUICK = {"training.epochs": 2, "training.batch_size": 32, "evaluation.resamples": 100}
EPOCH = dt.datetime(1970, 1, 1)


def table(rows: int = 240) -> pl.DataFrame:
    """Every kind of column, with gaps, a rare level, and names that ONNX graphs could stumble over."""
    rng = np.random.default_rng(3)
    size = rng.lognormal(0, 1, rows).round(4)
    size[::17] = np.nan
    colour = rng.choice(["red", "grün", "blue", "rare"], rows, p=[0.5, 0.3, 0.19, 0.01]).astype(object)
    colour[::13] = None
    moment = [dt.datetime(2023, 1, 1) + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 600_000, rows)]
    flag = rng.random(rows) < 0.4
    score = np.nan_to_num(size) + flag + (colour == "red") + rng.normal(0, 0.3, rows)
    return pl.DataFrame(
        {
            "label": pl.Series(size).fill_nan(None),
            "a colour/of: it": pl.Series(colour.tolist(), dtype=pl.String),
            "moment": moment,
            "flag": flag,
            "steps": rng.integers(0, 9, rows),
            "many": (score > 2).astype(int) + (score > 1.2),
            "amount": 100 + 12 * score,
        }
    )


def fit_run(tmp_path: Path, source: Any, target: Any, **changes: Any) -> Run:
    settings = {**QUICK, **{key.replace("__", "."): value for key, value in changes.items()}}
    return handrail.fit(source, target, out=tmp_path / "run", changes=settings)


def raw(frame: pl.DataFrame, file: Path) -> dict[str, np.ndarray]:
    """Raw values as an application would hand them over, by the file's own description of its inputs."""
    kinds = json.loads(onnx_facts(file)["columns"])
    feeds = {}
    for name, kind in kinds.items():
        column = frame[name]
        if kind == "category":
            values = np.array(
                [[value if value is not None else ""] for value in column.to_list()], dtype=object
            )
        elif kind == "datetime":
            values = np.array([[(value - EPOCH).total_seconds()] for value in column.to_list()])
        else:
            values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().reshape(-1, 1)
        feeds[name] = values
    return feeds


def onnx_facts(file: Path) -> dict[str, str]:
    return {item.key: item.value for item in onnx.load(file).metadata_props}


def run_file(file: Path, feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def assert_same_classes(run: Run, file: Path, frame: pl.DataFrame, label: str = "label") -> None:
    outputs, expected = run_file(file, raw(frame, file)), run.predict(frame).frame
    probabilities = expected.select(f"probability_{name}" for name in run.pipeline.task.classes).to_numpy()
    np.testing.assert_allclose(outputs["probabilities"], probabilities, atol=1e-5)
    assert outputs[label].tolist() == expected["prediction"].cast(pl.String).to_list()


def mlp(**arguments: Any) -> dict[str, Any]:
    return {"mlp": {"hidden": [8], **arguments}}


ENCODINGS = [
    {"data__encoding__scaling": "quantile", "data__encoding__categories": "embedding"},
    {"data__encoding__scaling": "minmax", "model": mlp(activation="maxout", normalisation="layer")},
    {
        "data__encoding__scaling": "robust",
        "data__encoding__missing": "mean",
        "model": mlp(activation="prelu", normalisation="batch"),
    },
    {
        "data__encoding__scaling": "none",
        "data__encoding__indicator": False,
        "model": mlp(dropout=0.2, weight_noise=0.1),
    },
    {"data__encoding__categories": "embedding", "data__encoding__rare": 1, "model": "linear"},
]


@pytest.mark.parametrize(
    "changes", ENCODINGS, ids=lambda changes: "-".join(str(value)[:12] for value in changes.values())
)
def test_every_encoding_is_in_the_graph(tmp_path: Path, changes: dict[str, Any]) -> None:
    frame = table()
    run = fit_run(tmp_path, frame.drop("amount"), "many", **changes)
    file = export_onnx(run)
    assert file == run.path / "model" / "model.onnx"
    fresh = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 5 == 0)
        .then(pl.lit("violet"))
        .otherwise("a colour/of: it")
        .alias("a colour/of: it"),
        pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("steps").alias("steps"),
    )
    assert_same_classes(run, file, fresh, label="label_")  # the table has a column 'label' of its own


def test_silence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = fit_run(tmp_path, "bundled:iris", "target")
    capfd.readouterr()
    export_onnx(run, tmp_path / "iris.onnx")
    assert capfd.readouterr() == ("", "")


def test_binary_respects_the_threshold_and_says_what_it_is(tmp_path: Path) -> None:
    run = fit_run(tmp_path, "bundled:breast_cancer", "target", evaluation__threshold=0.9)
    file = export_onnx(run.path, tmp_path / "cancer.onnx")
    frame = read("bundled:breast_cancer").frame
    assert_same_classes(run, file, frame)
    result = run_file(file, raw(frame, file))
    between = (result["probabilities"][:, 1] < 0.9) & (result["probabilities"][:, 1] > 0.5)
    assert between.any()
    assert set(result["label"][between]) == {run.pipeline.task.classes[0]}
    facts = onnx_facts(file)
    assert json.loads(facts["classes"]) == list(run.pipeline.task.classes)
    assert facts["task"] == "binary"
    assert float(facts["threshold"]) == 0.9
    assert json.loads(facts["target"]) == ["target"]
    assert facts["handrail_version"] == handrail.__version__
    assert b"File " not in file.read_bytes()  # torch's exporter would write the paths of this machine
    one = {name: values[:1] for name, values in raw(frame, file).items()}
    np.testing.assert_allclose(run_file(file, one)["probabilities"], result["probabilities"][:1], atol=1e-6)


@pytest.mark.parametrize("target", ["amount", ["amount", "steps"]])
def test_values_come_in_their_own_unit(tmp_path: Path, target: Any) -> None:
    frame = table().drop("many")
    run = fit_run(tmp_path, frame, target)
    file = export_onnx(run)
    outputs, expected = run_file(file, raw(frame, file))["value"], run.predict(frame).frame.to_numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


def test_several_labels(tmp_path: Path) -> None:
    frame = table().drop("many", "amount").with_columns(big=(pl.col("label").fill_null(0) > 1).cast(pl.Int8))
    run = fit_run(tmp_path, frame, ["flag", "big"])
    file = export_onnx(run)
    outputs, expected = run_file(file, raw(frame, file)), run.predict(frame).frame
    assert outputs["label_"].dtype == np.int64
    np.testing.assert_array_equal(
        outputs["label_"], expected.select("prediction_flag", "prediction_big").to_numpy()
    )
    np.testing.assert_allclose(
        outputs["probabilities"], expected.select("probability_flag", "probability_big").to_numpy(), atol=1e-5
    )


def test_adult_with_raw_words(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "adult-census" / "adult-train.csv"
    run = fit_run(tmp_path, source, -1, data__sample=1500, training__epochs=1)
    file = export_onnx(run)
    assert_same_classes(run, file, read(source).frame.head(3000))


def test_a_network_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fit_run(tmp_path, "bundled:iris", "target")
    original = export.whole_graph

    def tamper(pipeline: Any) -> Any:
        model = original(pipeline)
        weights = next(item for item in model.graph.initializer if item.name.endswith("network.head.weight"))
        changed = onnx.numpy_helper.to_array(weights) * np.float32(1.01)
        weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
        return model

    monkeypatch.setattr(export, "whole_graph", tamper)
    before = sorted(run.folder.model.iterdir())
    with pytest.raises(
        RunError,
        match=r"does not answer as PyTorch does: \d+ of \d+ validation rows differ.*No file was written",
    ):
        export_onnx(run)
    assert sorted(run.folder.model.iterdir()) == before


def test_words_that_are_mixed_up_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fit_run(tmp_path, "bundled:iris", "target")
    original = export.whole_graph

    def tamper(pipeline: Any) -> Any:
        model = original(pipeline)
        words = next(node for node in model.graph.node if node.op_type == "LabelEncoder")
        strings = next(item for item in words.attribute if item.name == "values_strings").strings
        strings[:] = strings[::-1]
        return model

    monkeypatch.setattr(export, "whole_graph", tamper)
    with pytest.raises(RunError, match="does not decide as PyTorch does"):
        export_onnx(run, tmp_path / "mixed.onnx")
    assert not (tmp_path / "mixed.onnx").exists()


class Undecided(nn.Module):
    """A network that torch cannot export: its way depends on the values."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if float(x.sum()) > 0 else -self.layer(x)


def test_a_network_that_torch_cannot_export(tmp_path: Path) -> None:
    run = fit_run(tmp_path, "bundled:iris", "target", model=f"{__name__}:Undecided")
    layer = r"In Undecided \(test_export\.py, line \d+\)\. Write its forward"
    with pytest.raises(RunError, match=rf"torch cannot export .*Undecided.* to ONNX: .+ {layer}"):
        export_onnx(run)
    assert not (run.folder.model / "model.onnx").exists()


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    run = fit_run(tmp_path, "bundled:iris", "target")
    file = tmp_path / "mine.onnx"
    file.write_text("mine")
    with pytest.raises(RunError, match=r"already exists.*overwrite"):
        export_onnx(run, file)
    assert file.read_text() == "mine"
    export_onnx(run, file, overwrite=True)
    onnx.checker.check_model(onnx.load(file))
    with pytest.raises(HandrailError, match="folder does not exist"):
        export_onnx(run, tmp_path / "nowhere" / "mine.onnx")


def test_missing_packages_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        HandrailError,
        match=r"needs onnx, onnxscript, onnxruntime; install with: pip install 'handrail\[onnx\]'",
    ):
        export.write_onnx(Any, tmp_path / "model.onnx", pl.DataFrame)  # pyright: ignore[reportArgumentType]


def test_balanced_classes_answer_in_the_graph_as_in_the_run(tmp_path: Path) -> None:
    """The weights are taken out of the probabilities and stay in the decision, there as here."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=300)
    names = np.select([x + generator.normal(size=300) > 1.6, x > -1.0], ["rare", "usual"], "other")
    frame = pl.DataFrame({"x": x, "k": names})
    changes = {"data.balance": "class_weights", "model": "linear", "training.epochs": 3}
    run = handrail.fit(frame, "k", changes=changes, out=tmp_path / "run")
    file = export_onnx(run, tmp_path / "model.onnx")
    assert_same_classes(handrail.load(run.path), file, frame.head(50))
