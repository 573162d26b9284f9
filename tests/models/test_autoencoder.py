"""The autoencoder: mirror images, tied weights, and what Baldi & Hornik proved of linear ones."""

import copy

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from handrail.components import build
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.models.autoencoder import Autoencoder
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape, NoTarget, SeriesShape, VolumeShape, numbers_in

NOTHING = NoTarget("reconstruction")


def digits() -> np.ndarray:
    pixels = np.asarray(load_digits(return_X_y=True)[0]) / 16
    return (pixels - pixels.mean(axis=0)).astype(np.float32)


def train(model: Autoencoder, rows: np.ndarray, steps: int) -> float:
    """The error at the end of a training on all rows."""
    batch = Batch(torch.from_numpy(rows), torch.from_numpy(rows))
    rule = Gradient(optimizer={"adam": {"learning_rate": 0.01}}, schedule="cosine")
    rule.start(model, TrainingPlan("reconstruction", Objective("mse"), epochs=steps, steps=1, seed=0))
    for _ in range(steps):
        rule.step(model, batch)
    with torch.no_grad():
        return float((model(batch.inputs) - batch.targets).square().mean())


@pytest.mark.parametrize("tied", [False, True])
def test_without_hidden_layers_it_finds_the_plane_of_the_main_components(tied):
    """Baldi & Hornik 1989: every other critical point is a saddle."""
    rows, size = digits(), 4  # behind which the variances fall most
    torch.manual_seed(0)
    model = Autoencoder(64, NOTHING, code=size, hidden=[], tied=tied)
    error = train(model, rows, 400)
    plane = PCA(size).fit(rows)
    least = float(np.square(rows - plane.inverse_transform(plane.transform(rows))).mean())
    assert least * (1 - 1e-4) <= error < 1.02 * least
    with torch.no_grad():
        axes = (model.decode(torch.eye(size)) - model.decode(torch.zeros(1, size))).numpy()
    assert np.degrees(subspace_angles(axes.T, np.asarray(plane.components_).T).max()) < 5
    codes = model.encode(torch.from_numpy(rows)).detach().numpy()
    assert np.degrees(subspace_angles(codes, plane.transform(rows)).max()) < 5


def test_decoding_a_code_gives_the_reconstruction():
    model = Autoencoder(9, NOTHING, code=2, hidden=[7, 5], activation="tanh", dropout=0.5).eval()
    rows = torch.randn(4, 9)
    codes = model.encode(rows)
    assert codes.shape == (4, 2)
    torch.testing.assert_close(model.decode(codes), model.reconstruct(rows), rtol=0, atol=0)
    torch.testing.assert_close(model(rows), model.reconstruct(rows), rtol=0, atol=0)


def test_the_decoder_mirrors_the_encoder():
    model = Autoencoder(9, NOTHING, code=2, hidden=[7, 5])
    there = [tuple(layer.weight.shape) for layer in model.encoder if isinstance(layer, torch.nn.Linear)]
    back = [tuple(layer.weight.T.shape) for layer in model.decoder if isinstance(layer, torch.nn.Linear)]
    assert there == [(7, 9), (5, 7), (2, 5)]
    assert back[::-1] == there


def test_tied_weights_are_held_once_and_stay_tied_in_a_copy():
    free, tied = (Autoencoder(9, NOTHING, code=2, hidden=[5], tied=tied) for tied in (False, True))
    sizes = [sum(parameter.numel() for parameter in model.parameters()) for model in (free, tied)]
    assert sizes[0] - sizes[1] == 9 * 5 + 5 * 2
    assert len({name for name in tied.state_dict() if name.endswith("weight")}) == 2
    twin = copy.deepcopy(tied)
    with torch.no_grad():
        for layer in (twin.encoder[1], twin.encoder[3]):
            layer.weight.zero_()  # pyright: ignore[reportCallIssue]
    rows = torch.randn(3, 9)
    assert not twin(rows).any(), "the copy decodes by the weights of the original"
    assert tied(rows).any()


@pytest.mark.parametrize(
    "shape", [12, ImageShape(3, 4, 4), SeriesShape(2, 9), VolumeShape(1, 3, 4, 4)], ids=str
)
def test_rows_of_any_shape_are_given_back_flat(shape: int | ImageShape | SeriesShape | VolumeShape):
    width = numbers_in(shape)
    model = Autoencoder(shape, NOTHING)
    rows = torch.randn(5, *(shape if isinstance(shape, tuple) else (shape,)))
    assert model(rows).shape == (5, width)
    assert model.encode(rows).shape == (5, width // 4)


@pytest.mark.parametrize(("width", "size"), [(1, 1), (4, 1), (13, 3), (64, 16), (784, 32)])
def test_the_usual_code_is_a_quarter_of_the_row_and_never_more_than_32(width, size):
    assert Autoencoder(width, NOTHING).code == size


def test_dropout_without_hidden_layers_is_refused():
    with pytest.raises(
        RecipeError, match=r"model\.autoencoder\.dropout: has no effect without hidden layers"
    ):
        build("model", {"autoencoder": {"hidden": [], "dropout": 0.1}}, 9, NOTHING)
