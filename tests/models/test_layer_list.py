"""A network written as a list of layers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from handrail.components import build, resolve
from handrail.errors import RecipeError
from handrail.layers.residual import HighwayLayer
from handrail.models.layer_list import Layers
from handrail.shapes import ImageShape, InputShape, SeriesShape, TokenShape, VolumeShape

GREY, ROW, SERIES, TOKENS = ImageShape(1, 32, 32), 20, SeriesShape(4, 16), TokenShape(9, 13)
LENET5: list[Any] = [
    {"convolution": {"channels": 6, "kernel": 5}},
    "tanh",
    {"pool": {"kind": "average"}},
    {"convolution": {"channels": 16, "kernel": 5}},
    "tanh",
    {"pool": {"kind": "average"}},
    "flatten",
    {"dense": {"units": 120}},
    "tanh",
    {"dense": {"units": 84}},
    "tanh",
]


def make(layers: list[Any], inputs: InputShape, outputs: int = 10, seed: int = 0, **settings: Any) -> Layers:
    torch.manual_seed(seed)
    return build("model", {"layers": {"layers": layers, **settings}}, inputs, outputs)


def rows_of(inputs: InputShape, rows: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if isinstance(inputs, TokenShape):
        return torch.randint(2, inputs.vocabulary, (rows, inputs.length), generator=generator)
    return torch.randn(rows, *((inputs,) if isinstance(inputs, int) else inputs), generator=generator)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def problems(layers: list[Any], inputs: InputShape) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        build("model", {"layers": layers}, inputs, 10)
    return caught.value.problems


def test_lenet5_has_the_classic_number_of_parameters() -> None:
    network = make(LENET5, GREY)
    assert parameters(network) == 61_706
    assert [tuple(parameter.shape) for parameter in network.parameters()][-2:] == [(10, 84), (10,)]


def test_lenet5_computes_what_torch_computes() -> None:
    network, rows = make(LENET5, GREY), rows_of(GREY)
    torch.manual_seed(3)
    plain = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        theirs.data.copy_(ours.data)
    torch.testing.assert_close(network(rows), plain(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "inputs"),
    [
        ([], ROW),
        (["linear"], SERIES),
        ([{"dense": {"units": 8}}, "batch_norm", "prelu", {"dropout": {"rate": 0.2}}, "maxout"], ROW),
        ([{"noise": {"std": 0.1}}, {"repeat": {"times": 3, "layers": ["highway"]}}], ROW),
        ([{"residual": [{"dense": {"units": 7}}, "relu"]}, "layer_norm", "softmax"], ROW),
        ([{"convolution": {"padding": "same"}}, "batch_norm", "maxout", "pool", "layer_norm"], GREY),
        ([{"convolution": {"channels": 8, "stride": 2, "padding": 1}}, "global_pool"], GREY),
        ([{"residual_block": {"channels": 8, "stride": 2}}, {"bottleneck": {"channels": 16}}], GREY),
        ([{"residual": [{"convolution": {"channels": 4, "stride": 2, "padding": 1}}, "relu"]}], GREY),
        (["locally_connected", "relu"], GREY),
        ([{"convolution": {"channels": 4}}, "relu", "pool", "global_pool"], VolumeShape(1, 6, 8, 8)),
        ([{"convolution": {"channels": 4, "kernel": 5}}, "relu", "pool", "recurrent"], SERIES),
        ([{"recurrent": {"cell": "gru", "gives": "steps", "bidirectional": True}}, "global_pool"], SERIES),
        ([{"recurrent": {"cell": "rnn", "bidirectional": True}}], SERIES),
        (["positions", {"transformer_block": {"heads": 2}}, "attention", "global_pool"], SERIES),
        (["embedding", {"positions": {"kind": "learned"}}, "transformer_block", "global_pool"], TOKENS),
        (["embedding", {"convolution": {"channels": 5}}, "relu", {"global_pool": {"kind": "max"}}], TOKENS),
        ([nn.Tanh(), {"torch.nn:ReLU": {}}, {"dense": {"units": 3}}], ROW),
    ],
)
def test_lists_of_layers_give_scores_and_gradients(layers: list[Any], inputs: InputShape) -> None:
    network, rows = make(layers, inputs), rows_of(inputs)
    outputs = network(rows)
    assert outputs.shape == (6, 10)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    same, again = make(layers, inputs), make(layers, inputs)
    assert same.training
    assert torch.equal(same.eval()(rows), again.eval()(rows))


def test_each_time_of_a_repeat_has_weights_of_its_own() -> None:
    network = make([{"repeat": {"times": 3, "layers": [{"dense": {"units": ROW}}, "relu"]}}], ROW)
    assert parameters(network) == 3 * (ROW * ROW + ROW) + ROW * 10 + 10


def test_the_gates_of_highway_layers_begin_where_they_are_set() -> None:
    network = make([{"highway": {"gate_bias": -2.0}}], ROW)
    gates = [layer.gate for layer in network.modules() if isinstance(layer, HighwayLayer)]
    assert [gate.bias.unique().tolist() for gate in gates] == [[-2.0]]


def test_weights_begin_as_the_initialisation_says() -> None:
    network = make([{"dense": {"units": 50}}], ROW, initialisation={"small_random": {"std": 1e-6}})
    assert all(parameter.abs().max() < 1e-4 for parameter in network.parameters())


# Mistakes


@pytest.mark.parametrize(
    ("layers", "inputs", "message"),
    [
        (
            [{"dense": {"units": 120}}, "tanh", "pool"],
            ROW,
            "model.layers[2]: pool needs series, images or volumes, found 120 numbers.",
        ),
        (
            [{"dense": {"units": 3}}],
            GREY,
            "model.layers[0]: dense needs numbers, found images [1, 32, 32]. "
            "Put flatten or global_pool before it.",
        ),
        (["recurrent"], TOKENS, "model.layers[0]: recurrent needs series, found tokens [9, 13]. "
         "Put embedding before it."),
        (
            [{"convolution": {"kernel": 40}}],
            GREY,
            "model.layers[0].convolution.kernel: 40 is larger than images [1, 32, 32]; "
            "take a smaller one, or padding.",
        ),
        (
            ["relu", {"residual": {"layers": ["flatten", "pool"]}}],
            GREY,
            "model.layers[1].residual.layers[1]: pool needs series, images or volumes, found 1,024 numbers.",
        ),
        (
            [{"residual": ["convolution"]}],
            GREY,
            "model.layers[0].residual.layers: turn images [1, 32, 32] into images [32, 30, 30], which cannot "
            "be added; expected the same size, such as by padding: same, or one divided by a stride.",
        ),
        (
            [{"attention": {"heads": 3}}],
            SERIES,
            "model.layers[0].attention.heads: 3 heads cannot share 4 channels; expected a divisor.",
        ),
        (
            [{"convolution": {"groups": 3}}],
            GREY,
            "model.layers[0].convolution.groups: 3 groups cannot share 1 channels and 32 maps; "
            "expected a divisor of both.",
        ),
    ],
)  # fmt: skip
def test_a_layer_that_does_not_fit_is_named_by_its_place(
    layers: list[Any], inputs: InputShape, message: str
) -> None:
    assert problems(layers, inputs) == [message]


def test_tokens_cannot_be_scored() -> None:
    assert problems([], TOKENS) == [
        "model.layers: the output units need numbers, found tokens; begin with embedding."
    ]


def test_a_module_that_cannot_take_the_rows_is_named() -> None:
    message = "model.layers[0]: Linear cannot take 20 numbers: "
    assert problems([nn.Linear(3, 4)], ROW)[0].startswith(message)


def test_all_unknown_names_and_arguments_come_at_once() -> None:
    assert problems(
        [{"dens": {"units": 3}}, {"dense": {"unit": 1}}, "tahn", {"residual": [{"dropout": {"rate": 2}}]}],
        ROW,
    ) == [
        "model.layers[0]: there is no layer 'dens'. Did you mean 'dense'?",
        "model.layers[1].dense.unit: unknown argument. Did you mean 'model.layers[1].dense.units'?",
        "model.layers[2]: there is no layer 'tahn'. Did you mean 'tanh'?",
        "model.layers[3].residual.layers[0].dropout.rate: found 2; expected less than 1.",
    ]


def test_a_list_in_the_place_of_the_arguments_is_written_out() -> None:
    short = resolve("model", {"layers": ["tanh"]}, "model")
    assert short == resolve("model", {"layers": {"layers": ["tanh"]}}, "model")
    assert short["layers"]["layers"] == [{"tanh": {}}]
