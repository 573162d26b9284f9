"""The Gibbs step: by hand, and beside the library's restricted machine and its contrastive divergence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import handrail
from handrail.components import build
from handrail.errors import DataError
from handrail.learning.rules.contrastive_divergence import ContrastiveDivergence
from handrail.models.rbm import RBM
from handrail.run import Run
from handrail.shapes import NoTarget
from handrail.traces.alone.gibbs import gibbs
from handrail.traces.given import Given

VISIBLE, HIDDEN = 5, 3


@pytest.fixture(scope="module")
def bits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {
        "data": {"source": "toy:patterns,units=20,rows=60", "task": "density"},
        "model": {"rbm": {"units": 12}},
        "training.epochs": 1,
        "evaluation.resamples": 100,
    }
    return handrail.fit(changes=changes, out=tmp_path_factory.mktemp("bits") / "run")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {
        "data.task": "density",
        "model": {"rbm": {"units": 4, "visible": "gaussian"}},
        "training.epochs": 1,
        "evaluation.resamples": 100,
    }
    return handrail.fit("bundled:iris", changes=changes, out=tmp_path_factory.mktemp("numbers") / "run")


def test_the_example_can_be_followed_by_hand() -> None:
    trace = handrail.trace("gibbs")
    hidden, visible = trace["Hidden units by the visible ones"], trace["Visible units by the hidden ones"]
    assert hidden["c + v·W_·j"].tolist() == [0, 1]
    assert hidden["p"] == pytest.approx([0.5, 1 / (1 + np.exp(-1))])
    assert hidden["h"].tolist() == [1, 0]
    assert visible["b + W_i·h"].tolist() == [1, 2, -1]
    assert visible["v′"].tolist() == [1, 0, 0]
    change = trace["Change of the weights"]["ΔW_i·"]
    assert change[1].tolist() == [0, 0]
    assert change[2] == pytest.approx([0.05, 0.1 / (1 + np.exp(-1))])


@pytest.mark.parametrize("kind", ["binary", "gaussian"])
def test_the_change_is_that_of_the_rule(kind: str) -> None:
    """On the draws that the machine's own generator gives."""
    torch.manual_seed(1)
    model = machine_of(visible=kind)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    v = torch.bernoulli(torch.full((1, VISIBLE), 0.5))
    rule = ContrastiveDivergence()
    rule.machine, rule.held, rule.chains = model, None, torch.zeros(0, HIDDEN)
    rule.taken, rule.planned = 0, 1
    rule.generator = torch.Generator().manual_seed(7)
    draws = torch.rand(1, HIDDEN, generator=rule.generator)
    kinds = {"binary": torch.rand, "gaussian": torch.randn}
    both = torch.cat([draws, kinds[kind](1, VISIBLE, generator=rule.generator)], dim=1)
    rule.generator.manual_seed(7)
    rule.speed = {name: torch.zeros_like(model.get_parameter(name)) for name in rule.parts}
    with torch.no_grad():
        rule.phases(v, None, 0.3)

    row = Given(model, "density", v, None, (), "a row")
    trace = gibbs(row, draws=both[0].double().tolist(), learning_rate=0.3)
    assert trace["Change of the weights"]["ΔW_i·"] == pytest.approx(rule.speed["weights"].numpy(), abs=1e-6)
    changes = trace["Change of the biases"].frame["Δ"].to_list()
    assert changes[0] == pytest.approx(rule.speed["visible_bias"].numpy(), abs=1e-6)
    assert changes[1] == pytest.approx(rule.speed["hidden_bias"].numpy(), abs=1e-6)


def test_a_run_is_followed(bits: Run) -> None:
    trace = handrail.trace("gibbs", run=bits, row=1, shown=20, numbers=20)
    machine = bits.pipeline.network
    assert isinstance(machine, RBM)
    hidden = trace["Hidden units by the visible ones"]
    v = torch.from_numpy(hidden["v"][:1]).float()
    assert set(hidden["v"].ravel()) == {0, 1}
    assert hidden["p"] == pytest.approx(machine.hidden_given(v)[0].detach().numpy(), abs=1e-6)
    h = torch.from_numpy(hidden["h"])[None].float()
    visible = trace["Visible units by the hidden ones"]["p"]
    assert visible == pytest.approx(machine.visible_given(h)[0].detach().numpy(), abs=1e-6)
    assert "row 1" in trace.subject


def test_a_large_machine_is_cut(bits: Run) -> None:
    (first, *_) = handrail.trace("gibbs", run=bits, shown=3).steps
    assert len(first) == 3
    assert "The first 3 of 20 visible units are shown. The first 3 of 12 hidden units" in first.note


def test_gaussian_units_are_moved_by_noise(numbers: Run) -> None:
    visible = handrail.trace("gibbs", run=numbers)["Visible units by the hidden ones"]
    assert visible["v′"] == pytest.approx(visible["b + W_i·h"] + visible["n"])


def test_draws_are_those_of_the_seed() -> None:
    settings = {"weights": [[1, 2], [0, 1]], "visible": [1, 0]}
    first, again, other = (handrail.trace("gibbs", seed=seed, **settings) for seed in (0, 0, 1))
    assert first.to_dict() == again.to_dict()
    assert first.to_dict() != other.to_dict()
    assert handrail.trace("gibbs", seed=3).to_dict() != handrail.trace("gibbs").to_dict()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": [[1, 2], [3]]}, "weights: found rows of .1, 2. numbers"),
        ({"weights": [[1, 2]]}, "visible: found 3, expected 1, as the weights are 1 × 2"),
        ({"hidden_bias": [1]}, "hidden_bias: found 1, expected 2"),
        ({"draws": [0.5]}, "draws: found 1, expected 5: 2 for the hidden units"),
        ({"draws": [0.5] * 5, "seed": 1}, "seed: has no effect beside draws"),
        ({"draws": [0.5, 2, 0, 0, 0]}, "draws: expected numbers from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("gibbs", **settings)


def test_a_run_has_its_own_weights(bits: Run) -> None:
    with pytest.raises(DataError, match="weights: without effect where the network of a run"):
        handrail.trace("gibbs", run=bits, weights=[[1.0]])


def machine_of(*, visible: str = "binary", hidden: str = "binary") -> RBM:
    kinds = {"visible": visible, "hidden": hidden}
    model = build("model", {"rbm": {"units": HIDDEN, **kinds}}, VISIBLE, NoTarget("density"))
    assert isinstance(model, RBM)
    return model


def within(model: nn.Module) -> Given:
    return Given(model, "density", torch.ones(1, VISIBLE), None, (), "a row")


def test_a_machine_within_a_network_is_found_with_what_reaches_it() -> None:
    """Here the half of each number."""
    halves = nn.Linear(VISIBLE, VISIBLE, bias=False)
    halves.load_state_dict({"weight": torch.eye(VISIBLE) / 2})
    trace = gibbs(within(nn.Sequential(halves, machine_of())))
    assert (trace["Hidden units by the visible ones"]["v"] == 0.5).all()


def test_a_machine_that_nothing_reaches_is_refused() -> None:
    unused = nn.Identity()
    unused.add_module("machine", machine_of())
    with pytest.raises(DataError, match="found no restricted Boltzmann machine"):
        gibbs(within(unused))


def test_rectified_units_are_refused() -> None:
    with pytest.raises(DataError, match="run: found rectified hidden units, expected binary ones"):
        gibbs(within(machine_of(hidden="rectified")))


def test_a_network_without_such_a_machine_is_refused(tmp_path: Path) -> None:
    changes = {"model": {"mlp": {"hidden": [3]}}, "training.epochs": 1, "evaluation.resamples": 100}
    run = handrail.fit("bundled:iris", target="target", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"Boltzmann machine .model=rbm. in its network, MLP"):
        handrail.trace("gibbs", run=run)
