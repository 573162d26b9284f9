"""Transfer: what is loaded and frozen, how fast each layer learns, and features that are computed once."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from handrail.components import available
from handrail.data.rows import Stored
from handrail.errors import HandrailError, RecipeError, RunError
from handrail.layers.precision import Lowered
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.network import Network
from handrail.objectives.objective import Objective
from handrail.recipe.sections import TransferRecipe
from handrail.training.callbacks import Callback
from handrail.training.checkpoint import copy_state
from handrail.training.transfer import freeze, parameter_groups, transfer_weights
from handrail.training.transfer.features import feature_rows, head_of
from handrail.training.transfer.names import first_layers, layers
from handrail.training.transfer.weights import load_weights


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one, self.norm = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.skip = nn.Sequential(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.one(x)).relu() + self.skip(x)


class Net(nn.Module):
    def __init__(self, classes: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            Block(6),
            Block(6),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.hidden, self.head = (
            nn.Sequential(nn.Linear(24, 8), nn.Dropout(0.5), nn.ReLU()),
            nn.Linear(8, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(self.features(x)))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def images(rows: int = 10) -> Tensor:
    return torch.rand(rows, 3, 9, 9, generator=torch.Generator().manual_seed(1))


def written(path: Path, network: nn.Module, prefix: str = "", **more: Tensor) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()} | more, path)
    return path


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("prefix", ["", "network.", "model.", "module.backbone."])
def test_weights_come_back_whatever_stands_before_their_names(prefix: str, net: Net, tmp_path: Path) -> None:
    torch.manual_seed(9)
    other = Net()
    assert not same(other, net)
    loaded = load_weights(other, written(tmp_path / "any.safetensors", net, prefix))
    assert same(other, net)
    assert set(loaded.names) == set(net.state_dict())
    assert (loaded.left_out, loaded.kept) == ({}, ())


def test_a_run_folder_gives_its_network_and_not_its_encoder(net: Net, tmp_path: Path) -> None:
    written(
        tmp_path / "run" / "model" / "weights.safetensors",
        net,
        "network.",
        **{"encoder.mean": torch.zeros(3)},
    )
    for folder in (tmp_path / "run", tmp_path / "run" / "model"):
        other = Net()
        assert load_weights(other, folder).left_out == {}
        assert same(other, net)


def test_a_network_that_stands_behind_another_module_is_found(net: Net, tmp_path: Path) -> None:
    path = written(tmp_path / "any.safetensors", net, "network.")
    behind = nn.Sequential(nn.Identity(), Net())
    assert load_weights(behind, path).kept == ()
    assert same(behind[1], net)  # pyright: ignore[reportArgumentType]
    first = Net()
    load_weights(first, written(tmp_path / "behind.safetensors", behind, "network."))
    assert same(first, net)


def test_what_stands_around_a_model_is_no_matter(net: Net, tmp_path: Path) -> None:
    """A run with augmentation or in half precision names the same tensors otherwise; so do learned vectors
    before it.
    """
    wrapped = Network(nn.Sequential(nn.Linear(2, 2), nn.Identity()), [], Lowered(net))
    path = written(tmp_path / "any.safetensors", wrapped, "network.")
    bare, half, whole = (
        Net(),
        Network(None, [], Lowered(Net())),
        Network(nn.Sequential(nn.Linear(2, 2), nn.Identity()), [], Net()),
    )
    for other, model in ((bare, bare), (half, half.model.network), (whole, whole.model)):
        loaded = load_weights(other, path)
        assert loaded.kept == ()
        assert same(model, net)  # pyright: ignore[reportArgumentType]
    assert same(whole.front, wrapped.front)
    assert freeze(whole, first_layers(whole, 2)) == [
        "front.0.weight",
        "front.0.bias",
        *freeze(net, first_layers(net, 1)),
    ]
    with pytest.raises(RecipeError, match=r"named 'model\.haed'\. Did you mean"):
        freeze(whole, ["model.haed"])


def test_a_head_alone_is_no_beginning(tmp_path: Path) -> None:
    """Biases of heads have the same size for the same classes, whatever the network."""
    path = tmp_path / "bias.safetensors"
    save_file({"head.bias": torch.zeros(4), "other.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(RunError, match=r"no tensor of .* fits the network behind its head"):
        load_weights(Net(), path)
    line = nn.Sequential(nn.Linear(3, 3))
    save_file({"0.weight": torch.ones(3, 3)}, path)
    assert load_weights(line, path).names == ("0.weight",)


def test_a_head_of_another_size_begins_anew_and_is_named(net: Net, tmp_path: Path) -> None:
    other = Net(classes=2)
    before = other.head.weight.clone()
    extra = {"features.0.wieght": torch.zeros(2)}
    loaded = load_weights(other, written(tmp_path / "any.safetensors", net, "", **extra))
    assert torch.equal(other.head.weight, before)
    assert torch.equal(other.features[0].weight, net.features[0].weight)  # pyright: ignore
    assert loaded.kept == ("head.weight", "head.bias")
    assert loaded.left_out["head.weight"] == "its shape is [4, 8], the network's [2, 8]"
    assert "Did you mean 'features.0.weight'" in loaded.left_out["features.0.wieght"]
    assert "begin anew: head.weight, head.bias" in loaded.summary


def test_numbers_of_another_precision_are_taken(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_file({name: tensor.half() for name, tensor in net.state_dict().items()}, path)
    other = Net()
    load_weights(other, path)
    assert other.head.weight.dtype == torch.float32
    assert torch.equal(other.head.weight, net.head.weight.half().float())


def test_files_that_cannot_serve_are_named(net: Net, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there are no weights at '.*nowhere'"):
        load_weights(net, tmp_path / "nowhere")
    pickled = tmp_path / "net.pt"
    torch.save({"w": torch.zeros(2)}, pickled)
    with pytest.raises(RunError, match=r"net\.pt' is no safetensors file.*may run any program"):
        load_weights(net, pickled)
    strange = written(tmp_path / "strange.safetensors", nn.Linear(3, 3), "haed.")
    with pytest.raises(
        RunError,
        match=r"(?s)no tensor of .*fits.*Found 'haed\.\w+' \[3.*expected 'features.*Did you mean 'head",
    ):
        load_weights(net, strange)
    broken = Net()
    with torch.no_grad():
        broken.head.bias[1] = float("nan")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(RunError, match=r"not finite, in 'head\.bias'"):
        load_weights(net, written(tmp_path / "broken.safetensors", broken))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items()), (
        "all or nothing"
    )


def test_layers_are_what_a_person_would_call_so(net: Net) -> None:
    assert layers(net) == [
        ("features.0", "features.1"),
        ("features.3",),
        ("features.4",),
        ("hidden.0",),
        ("head",),
    ]
    assert first_layers(net, 2) == ["features.0", "features.1", "features.3"]
    assert first_layers(net, -1) == ["features.0", "features.1", "features.3", "features.4", "hidden.0"]
    assert first_layers(net, 0) == []
    assert layers(nn.Linear(2, 2)) == [("",)]
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, batch_first=True), 3, enable_nested_tensor=False
    )
    assert layers(encoder) == [("layers.0",), ("layers.1",), ("layers.2",)]
    with pytest.raises(RecipeError, match="found 9 layers to take, but the network has 5"):
        first_layers(net, 9)


@pytest.mark.parametrize(
    ("patterns", "trained"),
    [
        (["features", "hidden"], {"head.weight", "head.bias"}),
        (["*.weight", "features.?.*"], {"hidden.0.bias", "head.bias"}),
        (["features.0.weight"], None),
    ],
)
def test_only_what_is_thawed_learns(net: Net, patterns: list[str], trained: set[str] | None) -> None:
    names = {name for name, _ in net.named_parameters()}
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def changed() -> set[str]:
        return {name for name, value in net.named_parameters() if not torch.equal(value, before[name])}

    with freezing(net, patterns):
        one_step(net)
    assert changed() == (names - {"features.0.weight"} if trained is None else trained)
    one_step(net)
    assert changed() == names


def test_something_is_left_to_train(net: Net) -> None:
    with pytest.raises(RecipeError, match="nothing is left to train"), freezing(net, ["*"]):
        pass
    assert all(parameter.requires_grad for parameter in net.parameters())


def freezing(net: nn.Module, patterns: list[str]) -> AbstractContextManager[tuple[Callback, ...]]:
    task: Any = None
    return transfer_weights(net, TransferRecipe(freeze=patterns), task=task)


def one_step(net: nn.Module) -> None:
    net.train()
    torch.manual_seed(2)
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    net.zero_grad()
    (net(images()) ** 2).sum().backward()
    optimizer.step()


def test_frozen_batch_normalisation_keeps_its_statistics(net: Net) -> None:
    def statistics() -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in net.named_buffers()}

    before = statistics()
    with freezing(net, first_layers(net, 2)):
        one_step(net)
        assert net.hidden[1].training, "dropout is none of its business"
    after = statistics()
    changed = {name.rpartition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"features.4.norm"}
    one_step(net)
    assert all(not torch.equal(tensor, after[name]) for name, tensor in statistics().items())


def test_normalisation_without_parameters_follows_what_holds_it() -> None:
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)), nn.Flatten(), nn.LazyLinear(2)
    )
    net(images())
    norm: nn.BatchNorm2d = net[0][1]  # pyright: ignore
    before = norm.running_mean.clone()  # pyright: ignore
    with freezing(net, ["0"]):
        one_step(net)
    assert torch.equal(norm.running_mean, before)  # pyright: ignore
    one_step(net)
    assert not torch.equal(norm.running_mean, before)  # pyright: ignore


def test_patterns_that_fit_nothing_are_all_named(net: Net) -> None:
    with pytest.raises(
        RecipeError, match=r"(?s)2 mistakes.*named 'haed'\. Did you mean 'head'.*named 'body\.\*'"
    ):
        freeze(net, ["haed", "head", "body.*"])
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_rates_fall_with_depth(net: Net) -> None:
    freeze(net, ["features.3"])
    groups = parameter_groups(net, 0.1, 0.5)
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.05, 0.025, 0.00625])
    held = [parameter for group in groups for parameter in group["params"]]
    expected = [parameter for parameter in net.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in held} == {id(parameter) for parameter in expected}
    assert len(held) == len(expected)
    torch.optim.SGD(groups)
    with pytest.raises(RecipeError, match=r"found 1\.5, expected a number above 0 and at most 1"):
        parameter_groups(net, 0.1, 1.5)


def a_rule(net: nn.Module, optimizer: str, decay: float = 0.5, **settings: object) -> Gradient:
    rule = Gradient(
        optimizer=optimizer, **{"schedule": "one_cycle", "clip": {"by_norm": {"limit": 1.0}}, **settings}
    )  # pyright: ignore
    rule.groups = lambda model, rate: parameter_groups(model, rate, decay)
    rule.start(net, TrainingPlan("multi-class", Objective("cross_entropy"), epochs=2, steps=5, seed=0))
    return rule


@pytest.mark.parametrize("optimizer", sorted(set(available("optimizer")) - {"lbfgs"}))
def test_every_optimizer_keeps_rates_by_depth_under_a_schedule_and_resumes(optimizer: str, net: Net) -> None:
    batch = Batch(images(), torch.arange(10) % 4)
    freeze(net, ["features.0", "features.1"])
    rule = a_rule(net, optimizer)

    def rates() -> list[float]:
        return [group["lr"] for group in rule.optimizer.param_groups]

    first = rates()
    states = []
    for _ in range(10):
        assert rates() == pytest.approx([rates()[0] * 0.5**depth for depth in range(4)])
        states.append((copy_state(rule.state_dict()), copy_state(net.state_dict()), torch.get_rng_state()))
        rule.step(net, batch)
    assert max(rates()) < max(first)
    end = copy_state(net.state_dict())
    state, tensors, chance = states[4]
    net.load_state_dict(tensors)
    torch.set_rng_state(chance)
    rule = a_rule(net, optimizer)
    rule.load_state_dict(state)
    for _ in range(4, 10):
        rule.step(net, batch)
    assert all(torch.equal(tensor, end[name]) for name, tensor in net.state_dict().items())


def test_layers_move_in_proportion_to_their_rates(net: Net) -> None:
    """One step of sgd: Δθ = −η·γᵈ·g, and g is what it is without rates by depth."""
    batch, start = Batch(images(), torch.arange(10) % 4), copy_state(net.state_dict())
    moved = []
    for decay in (1.0, 0.1):
        net.load_state_dict(start)
        torch.manual_seed(3)
        a_rule(net, "sgd", decay, schedule="constant", clip=None).step(net, batch)
        moved.append({name: tensor - start[name] for name, tensor in net.named_parameters()})
    for name, depth in (
        ("head.weight", 0),
        ("hidden.0.weight", 1),
        ("features.4.one.weight", 2),
        ("features.0.weight", 4),
    ):
        torch.testing.assert_close(moved[1][name], moved[0][name] * 0.1**depth, rtol=1e-2, atol=1e-7)


def test_what_takes_no_rates_by_depth_is_refused(net: Net) -> None:
    with pytest.raises(RecipeError, match="LBFGS takes no rates by depth"):
        a_rule(net, "lbfgs", clip=None)
    with pytest.raises(RecipeError, match="brings all layers to one learning rate"):
        a_rule(net, "adamw", schedule={"warm_up": {"then": {"one_cycle": {"max_learning_rate": 0.1}}}})


def test_a_shared_matrix_is_in_one_group() -> None:
    net = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5, bias=False))
    net[2].weight = net[0].weight
    groups = parameter_groups(net, 1.0, 0.5)
    assert [group["lr"] for group in groups] == [1.0, 0.5]
    torch.optim.SGD(groups)


def test_features_and_a_head_are_the_network(net: Net) -> None:
    one_step(net)
    rows = images(23)
    modes = [module.training for module in net.modules()]
    features = feature_rows(net, rows, "head", batch_size=5)
    assert [module.training for module in net.modules()] == modes
    assert features.shape == (23, 8)
    net.eval()
    torch.testing.assert_close(net.head(features), net(rows), atol=1e-6, rtol=1e-5)
    stored = feature_rows(net, Stored(rows, torch.tensor([4, 2])), "head")
    torch.testing.assert_close(stored, features[[4, 2]])


def test_a_head_on_features_learns_what_it_would_in_the_network(net: Net) -> None:
    """Steps on cached features and steps of the frozen network with the same data give the same head."""
    rows, targets = images(30), torch.arange(30) % 4
    freeze(net, first_layers(net, -1))
    net.eval()
    features = feature_rows(net, rows, "head")
    head = nn.Linear(8, 4)
    head.load_state_dict(net.head.state_dict())
    for module, inputs in ((net, rows), (head, features)):
        optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.5)
        for _ in range(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(inputs), targets).backward()
            optimizer.step()
    torch.testing.assert_close(head.weight, net.head.weight, atol=1e-4, rtol=0)


def test_layers_that_are_no_head_are_refused(net: Net) -> None:
    with pytest.raises(RecipeError, match=r"no layer 'haed'\. Did you mean 'head'"):
        feature_rows(net, images(), "haed")
    with pytest.raises(RecipeError, match="'hidden' is not the network's head"):
        feature_rows(net, images(), "hidden")
    net.spare = nn.Linear(2, 2)
    with pytest.raises(RecipeError, match="'spare' is not used"):
        feature_rows(net, images(), "spare")
    with pytest.raises(HandrailError, match="no rows"):
        feature_rows(net, images(0), "head")
    assert not any(module._forward_hooks for module in net.modules())


def test_heads_that_features_cannot_serve_are_refused(net: Net) -> None:
    with pytest.raises(RecipeError, match="Dropout would have no effect on features"):
        head_of(net)
    net.hidden[1] = nn.Identity()
    assert head_of(net) == ("head", net.head)
    lstm = nn.ModuleDict({"body": nn.LSTM(3, 3, num_layers=2, dropout=0.1), "head": nn.Linear(3, 2)})
    with pytest.raises(RecipeError, match="LSTM would have no effect"):
        head_of(lstm)
    tied = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5, bias=False))
    tied[2].weight = tied[0].weight
    with pytest.raises(RecipeError, match="the head, '2', shares weights"):
        head_of(tied)
    adding = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    adding.added_loss = lambda *given: given[1]  # pyright: ignore[reportArgumentType]
    with pytest.raises(RecipeError, match="the model adds a loss of its own"):
        head_of(adding)


def test_features_of_half_precision_train_the_head_in_it(net: Net) -> None:
    net.hidden[1] = nn.Identity()
    whole = Network(None, [], Lowered(net)).eval()
    name, head = head_of(whole)
    assert name == "model.network.head"
    torch.testing.assert_close(head(feature_rows(whole, images(), name)), whole(images()))
