"""Convolutional networks: parameters as published, parity on copied weights, sizes, and what depth does to
learning.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import build
from handrail.errors import RecipeError
from handrail.layers.precision import Lowered
from handrail.models.resnet import ResNet
from handrail.models.series_cnn import SeriesCNN
from handrail.shapes import ImageShape, MapShape, SeriesShape, VolumeShape

GREY, COLOUR = ImageShape(1, 28, 28), ImageShape(3, 32, 32)


def images(rows: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed))


def built(spec: Any, inputs: Any, outputs: Any, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build("model", spec, inputs, outputs)


def parameters(spec: Any, inputs: Any, outputs: Any) -> int:
    with torch.device("meta"):  # counted without the memory that they would take
        return sum(parameter.numel() for parameter in _unfilled(spec, inputs, outputs).parameters())


def _unfilled(spec: Any, inputs: Any, outputs: Any) -> nn.Module:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("alexnet", "vgg", "resnet", "lenet5"):
            patch.setattr(f"handrail.models.{name}.initialise", lambda *_, **__: None)
        return build("model", spec, inputs, outputs)


@pytest.mark.parametrize(
    ("spec", "inputs", "outputs", "published"),
    [
        ("lenet5", GREY, 10, 61_706),
        ("lenet5", ImageShape(1, 32, 32), 10, 61_706),
        ({"lenet5": {"activation": "tanh", "pooling": "average"}}, GREY, 10, 61_706),
        ("alexnet", ImageShape(3, 227, 227), 1000, 61_100_840),
        ({"vgg": {"layers": 11}}, ImageShape(3, 224, 224), 1000, 132_863_336),
        ({"vgg": {"layers": 13}}, ImageShape(3, 224, 224), 1000, 133_047_848),
        ("vgg", ImageShape(3, 224, 224), 1000, 138_357_544),
        ({"vgg": {"layers": 19}}, ImageShape(3, 224, 224), 1000, 143_667_240),
        ("resnet", COLOUR, 10, 269_722),
        ({"resnet": {"width": 4}}, COLOUR, 10, 17_326),
        ({"alexnet": {"width": 8, "hidden": 16}}, ImageShape(3, 227, 227), 10, 60_146),
        ({"resnet": {"depth": 56}}, COLOUR, 10, 853_018),
        ({"resnet": {"depth": 110}}, COLOUR, 10, 1_727_962),
        ({"resnet": {"depth": 20, "shortcut": "projection"}}, COLOUR, 10, 272_474),
        ({"resnet": {"depth": 18}}, ImageShape(3, 224, 224), 1000, 11_689_512),
        ({"resnet": {"depth": 34}}, ImageShape(3, 224, 224), 1000, 21_797_672),
        ({"resnet": {"depth": 50}}, ImageShape(3, 224, 224), 1000, 25_557_032),
        ("plain_net", COLOUR, 10, 269_722),
    ],
)
def test_parameters_as_published(spec: Any, inputs: ImageShape, outputs: int, published: int) -> None:
    assert parameters(spec, inputs, outputs) == published


class _PlainLeNet(nn.Module):
    """LeNet-5 as it is usually written: ReLU, then pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.f6, self.out = nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.c1(x).relu(), 2)
        x = functional.max_pool2d(self.c3(x).relu(), 2)
        return self.out(self.f6(self.c5(x).relu().flatten(1)).relu())


def test_lenet5_is_the_usual_one_on_copied_weights() -> None:
    model, plain = built("lenet5", GREY, 10), _PlainLeNet()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        theirs.data.copy_(ours.data.view_as(theirs))
    x = images(9, *GREY)
    torch.testing.assert_close(model(x), plain(x))
    for network in (model, plain):
        functional.cross_entropy(network(x), torch.arange(9)).backward()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad.view_as(ours), rtol=1e-4, atol=1e-5)


SIZES = [(1, 4, 4), (3, 5, 7), (2, 12, 12), (1, 33, 31), (4, 64, 40)]
SCORES = [
    "lenet5",
    "cnn",
    {"vgg": {"width": 4, "hidden": 16}},
    {"alexnet": {"hidden": 16}},
    "resnet",
    "plain_net",
]
SCORES += [
    {"resnet": {"depth": 18}},
    "highway",
    "local_net",
    {"cnn": {"depthwise": True, "dilation": 2, "kernel": 5}},
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spec", SCORES, ids=str)
def test_any_size_and_a_single_row_will_do(spec: Any, size: tuple[int, ...]) -> None:
    model, x = built(spec, ImageShape(*size), 3), images(2, *size)
    assert model(x).shape == (2, 3)
    assert model(x[:1]).isfinite().all()
    model.eval()
    torch.testing.assert_close(model(x)[1:], model(x[1:]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(512, 512), (300, 64)])
def test_the_plain_network_takes_large_images(size: tuple[int, int]) -> None:
    model = built({"cnn": {"convolutions": 1}}, ImageShape(1, *size), 2).eval()
    assert model(images(1, 1, *size)).shape == (1, 2)
    assert sum(parameter.numel() for parameter in model.parameters()) < 2_000_000


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_unet_gives_a_score_for_every_pixel_of_any_size(size: tuple[int, ...], depth: int) -> None:
    model = built({"unet": {"depth": depth, "width": 4}}, ImageShape(*size), MapShape(2, *size[1:]))
    outputs = model(images(2, *size))
    assert outputs.shape == (2, 2, *size[1:])
    outputs.square().sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters()
    )


def test_unet_continues_images_by_their_last_pixels_and_crops_back() -> None:
    odd = built({"unet": {"depth": 3, "width": 4}}, ImageShape(2, 21, 13), MapShape(1, 21, 13)).eval()
    even = built({"unet": {"depth": 3, "width": 4}}, ImageShape(2, 24, 16), MapShape(1, 24, 16)).eval()
    x = images(2, 2, 21, 13)
    continued = torch.cat([x, x[:, :, -1:].expand(-1, -1, 3, -1)], dim=2)
    continued = torch.cat([continued, continued[..., -1:].expand(-1, -1, -1, 3)], dim=3)
    torch.testing.assert_close(odd(x), even(continued)[:, :, :21, :13])


def test_highway_takes_vectors_and_images_and_has_a_plain_twin() -> None:
    gated, plain = built("highway", ImageShape(1, 4, 4), 3), built({"highway": {"gate_bias": None}}, 16, 3)
    x = images(2, 1, 4, 4)
    assert gated(x).shape == plain(x.flatten(1)).shape == (2, 3)
    layers = [sum(isinstance(layer, nn.Linear) for layer in model.modules()) for model in (gated, plain)]
    assert layers == [50 + 48, 50]
    gate_biases = [gated.get_parameter(f"features.{layer}.gate.bias") for layer in (2, 3)]
    assert [float(bias.detach().mean()) for bias in gate_biases] == [-4.0, -4.0]


@pytest.mark.parametrize("shape", [(1, 6, 8, 8), (2, 1, 9, 4), (3, 16, 5, 5)])
def test_volumes_of_any_size(shape: tuple[int, ...]) -> None:
    model = built("volume_cnn", VolumeShape(*shape), 3)
    assert model(images(2, *shape)).shape == (2, 3)
    assert model(images(1, *shape)).isfinite().all()


def test_volumes_of_one_layer_are_images() -> None:
    """With a kernel's middle layer copied and zeros around, the 3-D network is the 2-D one."""
    arguments = {"widths": [4, 6], "convolutions": 1, "normalisation": "none"}
    flat = built({"cnn": arguments}, ImageShape(2, 8, 8), 3)
    solid = built({"volume_cnn": arguments}, VolumeShape(2, 1, 8, 8), 3)
    for ours, theirs in zip(solid.parameters(), flat.parameters(), strict=True):
        ours.data.zero_()
        (ours.data[:, :, 1] if ours.ndim == 5 else ours.data).copy_(theirs.data)
    x = images(3, 2, 8, 8)
    torch.testing.assert_close(solid(x.unsqueeze(2)), flat(x))


@pytest.mark.parametrize(
    ("spec", "inputs", "outputs", "message"),
    [
        (
            {"cnn": {"widths": [], "kernel": 4}},
            GREY,
            2,
            r"(?s)2 mistakes.*model\.cnn\.widths: found an empty.*kernel: found 4",
        ),
        (
            {"volume_cnn": {"kernel": 2}},
            VolumeShape(1, 4, 4, 4),
            2,
            r"model\.volume_cnn\.kernel: found 2; expected an odd number",
        ),
        ({"local_net": {"kernel": 2}}, GREY, 2, r"model\.local_net\.kernel: found 2; expected an odd number"),
        (
            {"series_cnn": {"widths": []}},
            SeriesShape(1, 9),
            2,
            r"model\.series_cnn\.widths: found an empty list",
        ),
        ("unet", GREY, MapShape(1, 14, 14), r"images of 28×28 pixels and masks of 14×14"),
        ({"resnet": {"depth": 21}}, GREY, 2, r"model\.resnet\.depth: found 21; expected 18, 20"),
        (
            {"lenet5": {"pooling": "mean"}},
            GREY,
            2,
            r"model\.lenet5\.pooling: found 'mean'; expected 'max', 'average' or 'stochastic'",
        ),
    ],
)
def test_impossible_settings_are_refused(spec: Any, inputs: Any, outputs: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build("model", spec, inputs, outputs)


# What they can learn


def train(model: nn.Module, x: Tensor, y: Tensor, *, steps: int, rate: float, batch: int = 32) -> float:
    """Mean loss of the last tenth of the steps."""
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    chance, losses = torch.Generator().manual_seed(0), []
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,), generator=chance)
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses[-steps // 10 :]))


def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 8 - 1, torch.tensor(data.target)


def test_fifty_layers_learn_with_gates_and_not_without() -> None:
    x, y = _digits()
    losses = [
        train(built({"highway": {"gate_bias": bias}}, ImageShape(1, 8, 8), 10), x, y, steps=120, rate=3e-3)
        for bias in (-4.0, None)
    ]
    assert losses[0] < 0.4
    assert losses[1] > 4 * losses[0]


@pytest.mark.parametrize(
    "spec", ["lenet5", {"cnn": {"widths": [16, 32], "convolutions": 1}}, "local_net"], ids=str
)
@pytest.mark.parametrize("wrap", [lambda model: model, Lowered], ids=["float32", "lowered"])
def test_digits_are_learned_and_recognised(spec: Any, wrap: Callable[[nn.Module], nn.Module]) -> None:
    x, y = _digits()
    model = wrap(built(spec, ImageShape(1, 8, 8), 10))
    train(model, x[:1200], y[:1200], steps=200, rate=3e-3)
    with torch.no_grad():
        right = (model.eval()(x[1200:]).argmax(dim=1) == y[1200:]).float().mean()
    assert right > 0.87


def _series(folder: Path, name: str, part: str) -> tuple[Tensor, list[str]]:
    text = (folder / "ucr" / name / f"{name}_{part}.ts").read_text()
    lines = [line.rsplit(":", 1) for line in text.split("@data\n")[-1].splitlines() if line.strip()]
    return torch.tensor(
        [[[float(value) for value in row.split(",")] for row in line[0].split(":")] for line in lines]
    ), [line[1] for line in lines]


@pytest.mark.parametrize(
    ("name", "steps", "published"), [("ItalyPowerDemand", 100, 0.94), ("BasicMotions", 60, 0.95)]
)
def test_series_are_classified_as_published(
    shared_data: Path, name: str, steps: int, published: float
) -> None:
    (x, y), (x_test, y_test) = _series(shared_data, name, "TRAIN"), _series(shared_data, name, "TEST")
    classes = sorted(set(y))
    middle, spread = x.mean(dim=(0, 2), keepdim=True), x.std(dim=(0, 2), keepdim=True)
    model = built("series_cnn", SeriesShape(*x.shape[1:]), len(classes))
    assert isinstance(model, SeriesCNN)
    train(
        model,
        (x - middle) / spread,
        torch.tensor([classes.index(label) for label in y]),
        steps=steps,
        rate=1e-3,
        batch=16,
    )
    with torch.no_grad():
        answers = model.eval()((x_test - middle) / spread).argmax(dim=1)
    assert (
        np.mean([classes[answer] == label for answer, label in zip(answers.tolist(), y_test, strict=True)])
        >= published
    )


@pytest.mark.slow
def test_fifty_six_layers_learn_worse_without_shortcuts(shared_data: Path) -> None:
    """He 2016, figure 6, in the small: 1,000 photos, both twins trained alike."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.array(image.open(shared_data / "cifar10-convnetjs" / "cifar10_batch_0.png").convert("RGB"))
    x = torch.tensor(pixels).view(1000, 32, 32, 3).permute(0, 3, 1, 2).float() / 64 - 2
    labels = (shared_data / "cifar10-convnetjs" / "cifar10_labels.txt").read_text().split()[:1000]
    y = torch.tensor([int(label) for label in labels])
    residual, plain = (
        built({"resnet": {"depth": 56}}, COLOUR, 10),
        built({"plain_net": {"depth": 56}}, COLOUR, 10),
    )
    assert isinstance(residual, ResNet)
    losses = [train(Lowered(model), x, y, steps=150, rate=1e-3, batch=64) for model in (residual, plain)]
    assert losses[1] > 1.2 * losses[0]
