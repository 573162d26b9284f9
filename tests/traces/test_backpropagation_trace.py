"""Backpropagation: every δ and gradient is autograd's, of networks by hand and of trained ones."""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import handrail
from handrail.errors import DataError
from handrail.network import model_in, model_inputs
from handrail.traces.trace import Trace

_UNITS = {"sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(), "relu": nn.ReLU(), "linear": nn.Identity()}


def squared(z: Tensor, t: Tensor, unit: nn.Module) -> Tensor:
    return 0.5 * (t - unit(z)).square().sum()


def cross_entropy(z: Tensor, t: Tensor, unit: nn.Module) -> Tensor:
    if len(z) == 1:
        return functional.binary_cross_entropy_with_logits(z, t, reduction="sum")
    return functional.cross_entropy(z, t)


def by_autograd(
    weights: list[Tensor], x: Tensor, t: Tensor, units: list[nn.Module], loss: Callable[..., Tensor]
) -> tuple[float, list[Tensor], list[Tensor]]:
    """E, ∂E/∂z of each layer, and ∂E/∂W of each layer."""
    sums: list[Tensor] = []
    for place, weight in enumerate(weights):
        weight.requires_grad_()
        z = weight @ torch.cat([torch.ones(1, dtype=torch.float64), x])
        z.retain_grad()
        sums.append(z)
        x = units[place](z)
    error = loss(sums[-1], t, units[-1])
    error.backward()
    return error.item(), [gradient_of(z) for z in sums], [gradient_of(weight) for weight in weights]


def gradient_of(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


def column(trace: Trace, title: str, name: str) -> list[np.ndarray]:
    """Arrays of several shapes."""
    (values,) = (each.values for each in trace[title].columns if each.name == name)
    return [np.asarray(value) for value in values]


def assert_alike(trace: Trace, found: tuple[float, list[Tensor], list[Tensor]]) -> None:
    error, deltas, gradients = found
    assert trace["Error"]["E"][0] == pytest.approx(error, abs=1e-6)
    for place, (delta, gradient) in enumerate(zip(deltas, gradients, strict=True)):
        np.testing.assert_allclose(column(trace, "Gradients", "δ")[place], -delta.numpy(), atol=1e-6)
        np.testing.assert_allclose(column(trace, "Gradients", "∂E/∂W")[place], gradient.numpy(), atol=1e-6)


@pytest.mark.parametrize("activation", list(_UNITS))
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("sizes", [[3, 4, 2, 3], [2, 3, 1], [4, 2]])
def test_every_delta_is_autograd_s(activation: str, loss: str, sizes: list[int]) -> None:
    """Of random networks, to 1e-6."""
    rng = np.random.default_rng(7)
    weights = [rng.normal(size=(units, count + 1)) for count, units in pairwise(sizes)]
    x, t = rng.normal(size=sizes[0]), np.eye(sizes[-1])[0]
    settings = {"activation": activation} if len(sizes) > 2 else {}
    if loss == "squared_error":
        settings["output"] = activation
    trace = handrail.trace(
        "backpropagation",
        **{"weights": [weight.tolist() for weight in weights], "inputs": x.tolist(), "targets": t.tolist()},
        **{**settings, "loss": loss, "learning_rate": 0.3},
    )
    units = [_UNITS[activation]] * len(weights)
    chosen = squared if loss == "squared_error" else cross_entropy
    found = by_autograd(
        [torch.tensor(weight) for weight in weights], torch.tensor(x), torch.tensor(t), units, chosen
    )
    assert_alike(trace, found)
    for place, new in enumerate(column(trace, "New weights", "W new")):
        np.testing.assert_allclose(new, weights[place] - 0.3 * found[2][place].numpy(), atol=1e-12)


def test_the_error_shrinks_as_the_step_says() -> None:
    """A small step lowers E by η·‖∂E/∂W‖², up to terms in η²; each layer's y are the next one's x."""
    trace = handrail.trace("backpropagation", learning_rate=1e-5)
    before, after = trace["The row once more"]["E"]
    squares = sum((gradient**2).sum() for gradient in trace["Gradients"]["∂E/∂W"])
    assert (before - after) / 1e-5 == pytest.approx(squares, rel=1e-4)
    assert trace["Forward"]["x"][1, 1:] == pytest.approx(trace["Forward"]["y"][0])


def test_the_row_once_more_says_what_became_of_it() -> None:
    dead = {"activation": "relu", "weights": [[[-9, 1, 1]], [[0, 1]]], "targets": [0]}
    notes = [
        handrail.trace("backpropagation", **settings)["The row once more"].note
        for settings in ({}, {"activation": "linear", "learning_rate": 9}, dead)
    ]
    words = ("is smaller", "η = 9 is too far", "No weight has moved")
    assert all(word in note for word, note in zip(words, notes, strict=True))


def test_what_004_prints_gives_other_deltas() -> None:
    """Lecture 004, the summary of the rule: w_jk where the derivation has w_kj."""
    remarks = " ".join(handrail.trace("backpropagation").remarks)
    assert "wⱼₖ in its summary" in remarks
    assert "δ = (0.0555, −0.01203) in place of (0.008794, −0.03522)" in remarks
    assert "0.0555" not in " ".join(handrail.trace("backpropagation", sizes=[2, 3, 1]).remarks)


def fitted(folder: Path, source: str, target: str, task: str, **mlp: object) -> handrail.Run:
    changes = {
        **{"model": {"mlp": {"hidden": [5, 4], **mlp}}, "training.epochs": 1, "data.task": task},
        "evaluation.resamples": 100,
    }
    return handrail.fit(source, target=target, changes=changes, out=folder)


RUNS = {
    "multi-class": ("bundled:iris", "target", {"activation": "tanh", "dropout": 0.5}),
    "binary": ("toy:moons", "class", {"activation": "sigmoid"}),
    "regression": ("bundled:diabetes", "target", {"input_noise": 0.1, "weight_noise": 0.1}),
}


@pytest.fixture(scope="module", params=list(RUNS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> handrail.Run:
    source, target, settings = RUNS[request.param]
    return fitted(tmp_path_factory.mktemp("runs") / "run", source, target, request.param, **settings)


def test_a_trained_network_is_followed(run: handrail.Run) -> None:
    """The gradients of its layers are those of its own forward pass, in double precision."""
    trace = handrail.trace("backpropagation", run=run, row=3, shown=1000)
    part = run.parts()[1].pick(np.array([3]))
    network = run.pipeline.network.eval()
    model = deepcopy(model_in(network)).double()
    target: Any = run.pipeline.decoder.targets(part)
    inputs: Any = part.encode_with(run.pipeline.encoder)
    outputs = model(model_inputs(network, inputs).double())
    task = run.pipeline.task.name
    if task == "regression":
        error = 0.5 * (outputs - target.double()).square().sum()
    elif task == "binary":
        error = functional.binary_cross_entropy_with_logits(outputs[0], target.double())
    else:
        error = functional.cross_entropy(outputs, target)
    error.backward()
    assert trace["Error"]["E"][0] == pytest.approx(error.item(), abs=1e-6)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    shown = column(trace, "Gradients", "∂E/∂W")
    assert len(shown) == len(layers) == 3
    for layer, gradient in zip(layers, shown, strict=True):
        both = torch.cat([gradient_of(layer.bias)[:, None], gradient_of(layer.weight)], dim=1)
        np.testing.assert_allclose(gradient, both.numpy(), atol=1e-6)


def test_wide_layers_do_not_flood_the_terminal() -> None:
    trace = handrail.trace("backpropagation", sizes=[100, 60, 3])
    assert len(str(trace).splitlines()) < 100
    assert "Of up to 101 numbers the first 6 are shown" in trace["Forward"].note


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"inputs": [1]}, "inputs: found 1 numbers, expected 2"),
        ({"targets": [1]}, "targets: found 1 numbers, expected 2"),
        ({"weights": [[[1, 2], [1, 2, 3]]]}, "found lines of 2, 3 numbers in layer 1"),
        ({"weights": [[[1, 2]], [[1, 2, 3]]]}, "found lines of 3 numbers in layer 2, expected 2 numbers"),
        ({"weights": []}, "weights: found none"),
        ({"weights": [[[1]]]}, "expected two or more numbers"),
        ({"weights": [[[1, 2]]], "sizes": [1, 1]}, "name one of the two"),
        ({"sizes": [3]}, "sizes: found 1, expected two or more"),
        ({"sizes": [3, 1], "activation": "tanh"}, "no hidden layer"),
        ({"loss": "cross_entropy", "output": "tanh"}, "output: found tanh under cross_entropy"),
        ({"loss": "cross_entropy", "targets": [1, 1]}, "found 1, 1, expected probabilities"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("backpropagation", **settings)


def test_a_network_of_another_kind_is_refused(run: handrail.Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found loss, but a run has its own"):
        handrail.trace("backpropagation", run=run, loss="squared_error")
    if run.pipeline.task.name != "binary":
        return
    other = fitted(tmp_path / "batch", "toy:moons", "class", "binary", normalisation="batch")
    with pytest.raises(DataError, match="found a layer BatchNormRows"):
        handrail.trace("backpropagation", run=other)
    changes = {"model": "linear", "training.epochs": 1, "evaluation.resamples": 100}
    linear = handrail.fit("toy:moons", target="class", changes=changes, out=tmp_path / "linear")
    with pytest.raises(DataError, match="found a Linear for binary, expected an mlp"):
        handrail.trace("backpropagation", run=linear)
