"""Convolution, window by window: the lectures' printed numbers, scipy, torch, and networks of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional

import handrail
from handrail.components.pictures import Tiles
from handrail.errors import DataError
from handrail.run import Run
from handrail.traces.given import Given, given_by
from handrail.traces.layers.convolution import convolution
from handrail.traces.layers.windows.portrait import PORTRAIT
from handrail.traces.trace import Trace


def follow(**settings: Any) -> Trace:
    return handrail.trace("convolution", **settings)


def drawn(trace: Trace) -> np.ndarray:
    """The numbers of the map, as they are drawn."""
    picture = next(each for each in trace.pictures if each.title == "The map")
    assert isinstance(picture, Tiles)
    return picture.pictures[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network for pictures."""
    changes: dict[str, Any] = {"training.epochs": 1, "evaluation.resamples": 100}
    changes["model"] = {"cnn": {"widths": [3, 4], "convolutions": 1, "dilation": 2}}
    out = tmp_path_factory.mktemp("run") / "run"
    return handrail.fit("toy:shapes,rows=60,side=10", changes=changes, out=out)


def test_example_a_comes_out_as_printed() -> None:
    """Lecture 000, "Convolution II": the first two windows are worked out there."""
    trace = follow(example="A")
    steps = trace["Window by window"]
    assert steps["y"].tolist() == [6, -9, -8, -3, -2, -3, -3, 0, -2]
    assert steps["window"][0].tolist() == [[7, 2, 3], [4, 5, 3], [3, 3, 2]]
    assert steps["window · K"][0].tolist() == [[7, 0, -3], [4, 0, -3], [3, 0, -2]]
    assert steps["window"][-1].tolist() == [[2, 8, 4], [7, 2, 7], [4, 5, 4]]
    assert trace["The whole map"]["flip"].tolist() == [False, True]
    assert trace["The whole map"]["I ∗ K"].tolist() == [
        [[6, -9, -8], [-3, -2, -3], [-3, 0, -2]],
        [[-6, 9, 8], [3, 2, 3], [3, 0, 2]],
    ]
    assert follow(flip=True)["Window by window"]["y"].tolist() == [-6, 9, 8, 3, 2, 3, 3, 0, 2]


def test_example_b_comes_out_as_printed() -> None:
    """Lecture 002, "Popular layers": padding 1 and stride 2 give 4, then 1."""
    trace = follow(example="B")
    steps = trace["Window by window"]
    assert steps["window"][1].tolist() == [[0, 0, 0], [1, 0, 1], [1, 0, 2]]
    assert steps["window · K"][1].tolist() == [[0, 0, 0], [-1, 0, 0], [0, 0, 2]]
    assert trace["The whole map"]["I ∗ K"][0].tolist() == [[4, 1, 0], [3, 1, 2], [1, 3, 1]]
    assert trace["The whole picture"]["I"][0, 1].tolist() == [0, 2, 1, 0, 1, 1, 0]
    assert follow(example="B", stride=1)["The whole map"]["I ∗ K"][0].tolist() == [
        [4, 0, 1, 3, 0],
        [2, 2, 0, 4, 0],
        [3, 5, 1, 4, 2],
        [3, 1, 3, 1, 4],
        [1, -2, 3, -1, 1],
    ]


def test_example_c_comes_out_as_printed() -> None:
    """Lecture 004, "Convolution operation": Σ 3 and −20."""
    steps = follow(example="C")["Window by window"]
    assert steps["window"].tolist() == [
        [[5, 6, -3], [-7, 6, -6], [-2, 1, -1]],
        [[-3, -4, 4], [-6, -6, 8], [-1, 8, 8]],
    ]
    assert steps["window · K"].tolist() == [
        [[-5, 6, 0], [21, -18, 6], [-14, 1, 6]],
        [[3, -4, 0], [18, 18, -8], [-7, 8, -48]],
    ]
    assert steps["y"].tolist() == [3, -20]


def test_example_d_comes_out_as_printed() -> None:
    """Lecture 004, "Convolutional neuron": two channels and a bias give 134."""
    steps = follow(example="D")["Window by window"]
    assert steps["window · K"][0].tolist() == [[[48, 32], [20, 35]], [[28, -7], [-30, 6]]]
    assert steps["Σ of each channel"][0].tolist() == [135, -3]
    assert steps["y"].tolist() == [134]


def test_example_e_comes_out_as_printed() -> None:
    """Lecture 004, "Pooling layer": by stride 2 every second number is lost, and here all of one kind."""
    trace = follow(example="E")
    assert trace["Window by window"]["y"].tolist() == [-20, -20]
    assert "(−20, 20, −20, 20), 2 are kept" in trace.remarks[1]
    close = follow(example="E", stride=1)
    assert close["Window by window"]["y"].tolist() == [-20, 20, -20, 20]
    assert len(close.remarks) == 1


def test_the_picture_of_numbers_is_that_of_the_lecture() -> None:
    """Lecture 000, "How machines see": 22 × 17 numbers."""
    assert PORTRAIT.shape == (22, 17)
    assert PORTRAIT.sum() == 39_079
    assert PORTRAIT[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [160, 225, 229, 247]
    trace = follow(example="picture")
    assert np.array_equal(trace["The whole picture"]["I"][0], PORTRAIT)
    (first, _) = trace.pictures
    assert isinstance(first, Tiles)
    assert np.array_equal(first.pictures[0], PORTRAIT)


@pytest.mark.parametrize("kernel", ["sobel_rows", "sobel_columns", [[1, 2], [-3, 4]]])
def test_maps_are_those_of_scipy(kernel: Any) -> None:
    trace = follow(example="picture", kernel=kernel, padding=1)
    weights = trace["Window by window"]["K"][0]
    wanted = ndimage.correlate(PORTRAIT, weights, mode="constant")
    if len(weights) == 3:
        assert np.array_equal(drawn(trace), wanted)
        turned = follow(example="picture", kernel=kernel, padding=1, flip=True)
        assert np.array_equal(drawn(turned), ndimage.convolve(PORTRAIT, weights, mode="constant"))
    else:  # scipy's map is as large as the picture
        assert np.array_equal(drawn(trace)[:-1, :-1], wanted)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("padding", "stride", "dilation", "channels"), [(0, 1, 1, 1), (1, 2, 1, 3), (2, 3, 2, 2)]
)
def test_forward_and_back_are_those_of_torch(
    flip: bool, padding: int, stride: int, dilation: int, channels: int
) -> None:
    rng = np.random.default_rng(3)
    picture, kernel = rng.normal(size=(channels, 7, 8)), rng.normal(size=(channels, 3, 2))
    x, weight = (torch.tensor(each[None], requires_grad=True) for each in (picture, kernel))
    laid = weight.flip(2, 3) if flip else weight
    bias = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    y = functional.conv2d(x, laid, bias, stride=stride, padding=padding, dilation=dilation)
    gradient = rng.normal(size=y.shape[2:])
    y.backward(torch.from_numpy(gradient)[None, None])
    trace = follow(
        **{"picture": picture.tolist(), "kernel": kernel.tolist(), "bias": 0.5, "padding": padding},
        **{"stride": stride, "dilation": dilation, "flip": flip, "windows": 100},
        **{"backward": True, "gradient": gradient.tolist()},
    )
    assert trace["Window by window"]["y"] == pytest.approx(y.detach().numpy().ravel(), abs=1e-12)
    found = trace["The gradients"].frame.to_dicts()[0]
    for name, tensor in {"∂L/∂K": weight, "∂L/∂I": x}.items():
        assert tensor.grad is not None
        assert np.array(found[name]) == pytest.approx(tensor.grad[0].numpy().squeeze(), abs=1e-12)
    assert found["∂L/∂b"] == pytest.approx(gradient.sum())
    sums = trace["Back, window by window"]["Σ so far"][-1]
    last = sums[..., ::-1, ::-1] if flip else sums
    assert last == pytest.approx(np.array(found["∂L/∂K"]), abs=1e-12)


def test_windows_beyond_the_cap_are_counted() -> None:
    steps = follow(example="B", stride=1, windows=4)["Window by window"]
    assert len(steps) == 4
    assert "21 more of 25 windows" in steps.note


def test_what_is_too_large_for_a_table_is_drawn_alone() -> None:
    rng = np.random.default_rng(0)
    picture, kernel = rng.normal(size=(12, 40)), rng.normal(size=(9, 9))
    trace = follow(picture=picture.tolist(), kernel=kernel.tolist(), backward=True)
    assert [steps.title for steps in trace.steps][:2] == ["Window by window", "Back, window by window"]
    assert [column.name for column in trace.steps[0].columns] == ["place", "y"]
    assert "their sums alone are shown. The whole picture is too large for a table" in trace.steps[0].note
    assert drawn(trace)[0, :9] == pytest.approx(trace["Window by window"]["y"])
    wanted = ndimage.correlate(picture, kernel)[4:-4, 4:-4]
    assert drawn(trace) == pytest.approx(wanted, abs=1e-12)


def test_numbers_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("1, 2,3\n4,5,6\n\n7;8;9\n")
    assert follow(picture=str(file), kernel=[[1, 0], [0, -1]])["Window by window"]["y"].tolist() == [-4] * 4
    file.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"line 1 of .* is 'a,b'; expected numbers alone"):
        follow(picture=str(file))


def test_the_first_convolution_of_a_run_is_followed(run: Run) -> None:
    """Its map is what torch's layer gives for the row."""
    trace = follow(run=run, output_map=2, row=1, windows=200)
    given = given_by(run, None, 1)
    assert given is not None
    model: Any = given.model
    with torch.no_grad():
        wanted = model.features[0].convolution(given.inputs)[0, 2].numpy()
    assert drawn(trace) == pytest.approx(wanted, abs=1e-5)
    assert trace["Window by window"]["y"] == pytest.approx(wanted.ravel(), abs=1e-5)
    assert "numbers 2 apart" in trace["Window by window"].note


def test_series_have_one_dimension() -> None:
    layer, series = nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), torch.randn(1, 4, 9)
    trace = convolution(Given(layer, "regression", series, None, (), "a row"), output_map=4)
    with torch.no_grad():
        wanted = layer(series)[0, 4].numpy()
    assert trace["Window by window"]["y"] == pytest.approx(wanted, abs=1e-6)
    assert np.array_equal(trace["The whole picture"]["I"][0][:, 0, 1:-1], series[0, 2:].numpy())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kernel": [[1] * 6] * 6}, "sees 6×6 numbers, but the picture has 5×5"),
        ({"kernel": [[[1]], [[1]]]}, "found 2 channels, expected 1"),
        ({"kernel": "sobel_row"}, "no kernel and no file of numbers. Did you mean 'sobel_rows'"),
        ({"picture": "mine.csv"}, "no file of numbers 'mine.csv'"),
        ({"picture": [[1, 2], [3]]}, "picture: found rows of several lengths"),
        ({"picture": []}, "one number or more"),
        ({"gradient": [[1]]}, "set backward=true"),
        ({"gradient": [[1]], "backward": True}, "found 1×1 numbers, expected 3×3"),
        ({"output_map": 1}, "the example has one"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        follow(**settings)


def test_what_does_not_fit_a_run_is_said(run: Run) -> None:
    bare = Given(nn.Linear(2, 1), "regression", torch.zeros(1, 2), None, (), "a row")
    with pytest.raises(DataError, match="found no convolution of pictures or series in its network, Linear"):
        convolution(bare)
    with pytest.raises(DataError, match="output_map: found 3, expected a number from 0 to 2"):
        follow(run=run, output_map=3)
    with pytest.raises(DataError, match="stride: without effect"):
        follow(run=run, stride=2)
