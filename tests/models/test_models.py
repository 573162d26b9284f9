"""The networks: parameters counted by formula, shapes checked at run time, seeds, and settings that do
nothing.
"""

import itertools
import warnings
from typing import Any

import pytest
import torch
from beartype import beartype
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError, jaxtyped
from torch import nn

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.layers.activations import is_activation
from handrail.layers.normalisation import BatchNormRows
from handrail.models.linear import Linear
from handrail.models.mlp import MLP
from handrail.shapes import ImageShape

INPUTS, OUTPUTS = 6, 3


@pytest.fixture(autouse=True)
def _shapes_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Linear, MLP, BatchNormRows):
        monkeypatch.setattr(kind, "forward", jaxtyped(typechecker=beartype)(kind.forward))


def _rows(count: int = 9, width: int = INPUTS) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(1))


def _mlp(seed: int = 0, **arguments: Any) -> MLP:
    torch.manual_seed(seed)
    return build("model", {"mlp": arguments}, INPUTS, OUTPUTS)


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_linear_has_a_weight_for_each_input_and_output_and_a_bias() -> None:
    model = build("model", "linear", INPUTS, OUTPUTS)
    assert _parameters(model) == INPUTS * OUTPUTS + OUTPUTS
    rows = _rows()
    torch.testing.assert_close(model(rows), rows @ model.head.weight.T + model.head.bias)


EXTRA = {"prelu": lambda units: units, "maxout": lambda units: 2 * units * (units + 1)}


@settings(max_examples=40, deadline=None)
@given(
    inputs=st.integers(1, 8),
    outputs=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 9), max_size=4),
    normalisation=st.sampled_from(["none", "batch", "layer"]),
    activation=st.sampled_from(["relu", "prelu", "maxout"]),
)
def test_parameters_by_formula(
    inputs: int, outputs: int, hidden: list[int], normalisation: str, activation: str
) -> None:
    normalisation = normalisation if hidden else "none"
    arguments = {"hidden": hidden, "normalisation": normalisation, "activation": activation}
    model = build("model", {"mlp": arguments}, inputs, outputs)
    expected = sum((before + 1) * after for before, after in itertools.pairwise([inputs, *hidden, outputs]))
    expected += sum(2 * units for units in hidden if normalisation != "none")
    expected += sum(EXTRA.get(activation, lambda units: 0)(units) for units in hidden)
    assert _parameters(model) == expected
    assert model.eval()(torch.zeros(5, inputs)).shape == (5, outputs)


def test_mlp_is_the_printed_formula() -> None:
    model, a = _mlp(hidden=[5, 4], activation="tanh"), _rows()
    rows = a
    for layer in model.features:
        if isinstance(layer, nn.Linear):
            a = torch.tanh(a @ layer.weight.T + layer.bias)
    torch.testing.assert_close(model(rows), a @ model.head.weight.T + model.head.bias)


def test_layers_come_in_the_order_that_the_docstring_says() -> None:
    model = _mlp(hidden=[4], normalisation="layer", dropout=0.5, input_noise=0.1)
    assert [type(layer).__name__ for layer in model.features] == [
        "GaussianNoise",
        "Linear",
        "LayerNorm",
        "ReLU",
        "Dropout",
    ]


def test_no_hidden_layers_give_a_single_layer() -> None:
    model = _mlp(hidden=[])
    assert _parameters(model) == (INPUTS + 1) * OUTPUTS
    rows = _rows()
    assert torch.equal(model(rows), model.head(rows))


def test_shapes_are_checked_at_run_time_here() -> None:
    """So that the other tests of this file would notice a wrong annotation."""
    with pytest.raises(TypeCheckError):
        build("model", "cnn", ImageShape(1, 8, 8), 2)(torch.zeros(2, 8, 8))
    with pytest.raises(TypeCheckError):
        _mlp()(torch.zeros(2, INPUTS, dtype=torch.int64))


@pytest.mark.parametrize("spec", ["linear", "mlp"])
def test_the_seed_decides_how_weights_begin(spec: str) -> None:
    def first(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return next(build("model", spec, INPUTS, OUTPUTS).parameters()).detach()

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


@pytest.mark.parametrize("name", available("initialisation"))
def test_the_initialisation_is_used_everywhere(name: str) -> None:
    torch.manual_seed(0)
    model = build(
        "model", {"mlp": {"hidden": [40], "activation": "maxout", "initialisation": {name: {}}}}, 40, 40
    )
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 3
    spread = {"small_random": 0.01, "he": (2 / 40) ** 0.5, "orthogonal": 40**-0.5, "sparse": (15 / 40) ** 0.5}
    if name in spread:
        assert float(layers[0].weight.detach().std()) == pytest.approx(spread[name], rel=0.15)
    assert all((layer.bias == 0).all() for layer in layers) == (name != "torch_default")


@pytest.mark.parametrize("activation", [name for name in available("activation") if name != "heaviside"])
@pytest.mark.parametrize("normalisation", ["batch", "layer"])
def test_all_options_together_train_and_are_silent_in_evaluation(activation: str, normalisation: str) -> None:
    model = _mlp(
        hidden=[8, 5],
        activation=activation,
        dropout=0.3,
        input_noise=0.1,
        weight_noise=0.1,
        normalisation=normalisation,
        initialisation={"xavier": {"distribution": "normal"}},
    )
    rows = _rows(32)
    assert not torch.equal(model(rows), model(rows))
    model(rows).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    model.eval()
    assert torch.equal(model(rows), model(rows))
    torch.testing.assert_close(model(rows)[:1], model(rows[:1]))


def test_dropout_is_a_share_of_the_hidden_units() -> None:
    model = _mlp(hidden=[2000], activation="softplus", dropout=0.25)
    dropped = (model.features(_rows()) == 0).float().mean()
    assert float(dropped) == pytest.approx(0.25, abs=0.02)
    assert not (model.eval().features(_rows()) == 0).any()


def test_a_last_batch_of_one_row_does_not_stop_batch_normalisation() -> None:
    model = _mlp(hidden=[4], normalisation="batch")
    for _ in range(50):
        model(_rows(64) * 3 + 1)
    single = model(_rows(1))
    before = model.get_buffer("features.1.running_var").clone()
    torch.testing.assert_close(single, model.eval()(_rows(1)))
    assert torch.equal(model.get_buffer("features.1.running_var"), before)
    model.train()(_rows(1)).sum().backward()
    gradient = model.get_parameter("features.0.weight").grad
    assert gradient is not None
    assert gradient.isfinite().all()


def test_batch_normalisation_is_torchs_for_more_rows() -> None:
    ours, theirs = BatchNormRows(INPUTS), nn.BatchNorm1d(INPUTS)
    for _ in range(3):
        torch.testing.assert_close(ours(_rows()), theirs(_rows()))
    torch.testing.assert_close(ours.eval()(_rows()), theirs.eval()(_rows()))
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_each_hidden_layer_has_an_activation_of_its_own() -> None:
    model = _mlp(hidden=[4, 4], activation="prelu")
    activations = [layer for layer in model.features if is_activation(layer)]
    assert len(activations) == len({id(layer) for layer in activations}) == 2


def test_an_activation_given_as_a_class() -> None:
    assert isinstance(_mlp(hidden=[4], activation=nn.Mish).features[1], nn.Mish)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden": [0]}, r"model\.mlp\.hidden\[0\]: found 0; expected greater than 0"),
        ({"hidden": 64}, r"model\.mlp\.hidden: found 64; expected a valid list"),
        ({"dropout": 1.5}, r"model\.mlp\.dropout: found 1\.5; expected less than 1"),
        ({"dropout": float("nan")}, r"model\.mlp\.dropout: found nan"),
        ({"input_noise": -0.1}, r"model\.mlp\.input_noise: found -0\.1"),
        (
            {"normalisation": "bach"},
            r"model\.mlp\.normalisation: found 'bach'; expected 'none', 'batch' or 'layer'",
        ),
        (
            {"activation": "rellu"},
            r"model\.mlp\.activation: there is no activation 'rellu'\. Did you mean 'relu'",
        ),
        (
            {"activation": {"leaky_relu": {"slope": 1}}},
            r"activation\.leaky_relu\.slope: unknown argument\. Known: negative_slope",
        ),
        ({"activation": None}, r"model\.mlp\.activation: found None, expected the name of an activation"),
        ({"initialisation": "xaver"}, r"model\.mlp\.initialisation: .* Did you mean 'xavier'"),
        ({"hiden": [3]}, r"model\.mlp\.hiden: unknown argument\. Did you mean 'model.mlp.hidden'"),
        ({"hidden": [], "dropout": 0.1}, r"model\.mlp\.dropout: has no effect without hidden layers"),
        (
            {"hidden": [], "normalisation": "batch"},
            r"model\.mlp\.normalisation: has no effect without hidden layers",
        ),
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        _mlp(**arguments)


def test_no_warnings_for_rows_that_are_no_batch() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _mlp().eval()(_rows(0)).shape == (0, OUTPUTS)
