"""The deconvolutional network: pictures from filters at few places, and back to the pixels that count."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import sparse_encode

import handrail
from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.feature_projection import convolutions_used, project_feature
from handrail.layers.sparse_maps import SparseMaps
from handrail.models.deconvolutional_network import DeconvolutionalNetwork
from handrail.shapes import ImageShape, NoTarget


def network(shape: ImageShape, **settings) -> DeconvolutionalNetwork:
    torch.manual_seed(0)
    return build("model", {"deconvolutional_network": settings}, shape, NoTarget("reconstruction"))


def layer(channels=2, maps=6, *, size=(9, 7), stride=2, iterations=2000, sparsity=0.2) -> SparseMaps:
    torch.manual_seed(0)
    how = {"kernel": 3, "stride": stride, "sparsity": sparsity, "iterations": iterations}
    return SparseMaps(channels, maps, size=size, **how)


def matrix(sparse: SparseMaps, maps: tuple[int, ...]) -> np.ndarray:
    """The layer as a matrix, a row for each place of a map."""
    units = torch.eye(int(np.prod(maps))).unflatten(1, maps)
    with torch.no_grad():
        return sparse.together(units).flatten(1).numpy()


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_maps_are_the_solution_of_the_lasso(stride: int):
    """Beside scikit-learn's coordinate descent on the same matrix. Source: Zeiler et al. 2010, equation 3"""
    sparse = layer(stride=stride)
    x = torch.randn(3, 2, 9, 7, generator=torch.Generator().manual_seed(1))
    maps = sparse.infer(x)
    dictionary = matrix(sparse, tuple(maps.shape[1:]))
    for row, found in zip(x, maps, strict=True):
        given = row.flatten().numpy()[None]
        strength = sparse.sparsity * float((dictionary @ given[0]).max())
        how = {"algorithm": "lasso_cd", "alpha": strength, "positive": True, "max_iter": 20_000}
        expected = sparse_encode(given.astype(np.float64), dictionary.astype(np.float64), **how)[0]
        for answer in (found.flatten().numpy(), expected):
            assert (answer >= 0).all()
        costs = [
            0.5 * np.square(given[0] - answer @ dictionary).sum() + strength * answer.sum()
            for answer in (found.flatten().numpy(), expected)
        ]
        assert costs[0] == pytest.approx(costs[1], rel=1e-3)
        assert 0 < (found > 0).float().mean() < 0.5


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 4])
def test_steps_are_never_too_long(stride: int, channels: int):
    """The bound on the squared norm is one, by the singular values of the whole matrix."""
    sparse = layer(channels, stride=stride, size=(12, 12))
    maps = sparse.infer(torch.randn(1, channels, 12, 12)).shape[1:]
    greatest = np.linalg.norm(matrix(sparse, tuple(maps)), 2) ** 2
    with torch.no_grad():
        bound = float(sparse.steepness(sparse.filters))
    assert greatest <= bound <= 6 * greatest


def test_maps_grow_with_the_picture_and_an_empty_one_has_none():
    sparse = layer(iterations=20)
    x = torch.randn(2, 2, 9, 7)
    torch.testing.assert_close(sparse.infer(3 * x), 3 * sparse.infer(x), rtol=1e-3, atol=1e-4)
    assert not sparse.infer(torch.zeros(1, 2, 9, 7)).any()


@pytest.mark.parametrize("shape", [ImageShape(1, 8, 8), ImageShape(3, 11, 6)])
def test_codes_are_maps_and_give_the_picture_layer_by_layer(shape: ImageShape):
    model = network(shape, maps=[4, 5, 6], kernel=3, iterations=3)
    x = torch.randn(2, *shape)
    code = model.encode(x)
    assert code.shape == (2, int(np.prod(model.top)))
    torch.testing.assert_close(model.decode(code), model(x))
    lowest = model.layers[1].together(model.layers[2].together(code.unflatten(1, model.top)))
    torch.testing.assert_close(model.down(lowest, 0).flatten(1), model(x))


def planted(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a cross in the upper half and a square in the lower one, and which pixels are the cross."""
    generator = np.random.default_rng(seed)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    square = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    pictures, crosses = np.zeros((2, rows, 12, 12), dtype=np.float32)
    for row in range(rows):
        down, across, under, beside = generator.integers([0, 0, 6, 0], [4, 10, 10, 10])
        crosses[row, down : down + 3, across : across + 3] = cross
        pictures[row] = crosses[row]
        pictures[row, under : under + 3, beside : beside + 3] += square
    return pictures, crosses


def learned() -> DeconvolutionalNetwork:
    """Trained for a moment on planted pictures."""
    model = network(ImageShape(1, 12, 12), maps=[4], kernel=3, iterations=10, sparsity=0.1)
    x = torch.from_numpy(planted(64, 0)[0])[:, None]
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(200):
        loss = model.layers[0].added_loss(x, model.layers[0](x), x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def test_a_feature_is_projected_back_to_the_pixels_that_caused_it():
    """Crosses and squares are found among all the pictures, and each unit gives its own pixels alone.

    Source: Zeiler et al. 2010; Zeiler & Fergus 2014
    """
    model = learned()
    pictures, crosses = planted(40, 1)
    x = torch.from_numpy(pictures)[:, None]
    maps = model.layers[0](x)
    feature = int(maps[:, :, :6].amax(dim=(2, 3)).mean(dim=0).argmax())  # which answers to the upper half
    back = model.project(x, 0, feature)[:, 0].numpy()
    inside = (np.abs(back) * crosses).sum() / np.abs(back).sum()
    assert inside > 0.8
    likeness = [
        np.corrcoef(own.ravel(), cross.ravel())[0, 1] for own, cross in zip(back, crosses, strict=True)
    ]
    assert np.mean(likeness) > 0.9


def test_of_any_convolutional_network_too():
    """Without activations and pooling it is the transposed convolution; with ReLU it is rectified.

    Source: Zeiler & Fergus 2014, section 2.1
    """
    torch.manual_seed(0)
    first, second = torch.nn.Conv2d(1, 3, 3, bias=False), torch.nn.Conv2d(3, 4, 3, bias=False)
    x = torch.randn(5, 1, 10, 10)
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.Flatten())
    assert convolutions_used(model, x) == [first, second]
    back = project_feature(model, second, x, 2)
    with torch.no_grad():
        maps = second(first(x).relu())
        alone = torch.zeros_like(maps)
        places = maps[:, 2].flatten(1).argmax(dim=1)
        for row, place in enumerate(places):
            alone[row, 2].view(-1)[place] = maps[row, 2].view(-1)[place]
        expected = torch.nn.functional.conv_transpose2d(alone, second.weight).relu()
        expected = torch.nn.functional.conv_transpose2d(expected, first.weight)
    torch.testing.assert_close(back, expected)
    with pytest.raises(ValueError, match="does not use this layer"):
        project_feature(model, torch.nn.Conv2d(1, 1, 1), x, 0)


def test_pooling_goes_back_to_where_the_maximum_was():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(1, 2, 1, bias=False)
    model = torch.nn.Sequential(torch.nn.MaxPool2d(2), convolution)
    x = torch.randn(1, 1, 6, 6)
    back = project_feature(model, convolution, x, 0)
    assert int((back != 0).sum()) == 1
    place = int(back.abs().flatten().argmax())
    assert x.flatten()[place] in torch.nn.functional.max_pool2d(x, 2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kernel": 4}, "kernel: found 4; expected an odd number"),
        ({"kernel": 17}, "kernel: found 17; expected at most 15"),
        ({"maps": []}, "maps: found an empty list"),
    ],
)
def test_settings_that_cannot_be(settings: dict, told: str):
    with pytest.raises(RecipeError, match=rf"model\.deconvolutional_network\.{told}"):
        network(ImageShape(1, 8, 8), **settings)


def test_a_table_has_no_places(tmp_path):
    with pytest.raises(RecipeError, match="deconvolutional_network"):
        handrail.fit("bundled:iris", changes={"model": "deconvolutional_network"}, out=tmp_path / "run")
