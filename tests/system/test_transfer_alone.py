"""Beginning with another run's weights where nothing is learned by gradient: it counts, or it is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from kinds import bare_pictures
from safetensors.torch import load_file

from handrail import fit
from handrail.components import available
from handrail.errors import RecipeError, RunError
from handrail.run import Run

STILL = 1e-9  # a rate at which nothing is learned
BITS = {"data.encoding.scaling": "minmax"}
# of models that a rule teaches: model, settings, what the rule is then told so that it stays where it begins
BEGUN: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "contrastive_divergence": ({"rbm": {"units": 6}}, BITS, {"learning_rate": STILL}),
    "boltzmann_learning": ({"boltzmann": {"hidden": 2}}, BITS, {"learning_rate": STILL}),
    "kohonen": (
        {"kohonen": {"height": 2, "width": 3}},
        {},
        {"mode": "online", "learning_rate": STILL},
    ),
    "oja": ({"linear_code": {"code": 2}}, {"learning": "oja"}, {"learning_rate": STILL}),
    "sanger": ({"linear_code": {"code": 2}}, {}, {"learning_rate": STILL}),
    "adversarial": (
        {"gan": {"latent": 3}},
        {},
        {
            "optimizer": {"sgd": {"learning_rate": STILL}},
            "critic_optimizer": {"sgd": {"learning_rate": STILL}},
            "average": 1 - STILL,
        },
    ),
    "factor_pairs": (
        {"inverse_graphics": {"code": 2, "hidden": [4]}},
        {"data.factors": ["c5"]},
        {"optimizer": {"sgd": {"learning_rate": STILL}}},
    ),
    "cycle": (
        {"cyclegan": {"hidden": [4]}},
        {"data.label": "c0"},
        {
            "optimizer": {"sgd": {"learning_rate": STILL}},
            "critic_optimizer": {"sgd": {"learning_rate": STILL}},
            "average": 1 - STILL,
        },
    ),
    "gradient": (
        {"autoencoder": {"code": 2, "hidden": [4]}},
        {},
        {"optimizer": {"sgd": {"learning_rate": STILL}}},
    ),
}
ANEW = {
    "hebb": "hopfield",
    "storkey": "hopfield",
    "store": "modern_hopfield",
    "truth_table": "mcculloch_pitts",
    "counting": "markov_chain",
}
# What they learn, and the settings for it, where it is no table of bits.
SOURCES = {
    "truth_table": ("toy:xor", {}),
    "counting": (
        "toy:chain,rows=60",
        {"data.target": "text", "data.task": "next-token", "data.text.length": 9},
    ),
}


def bits(rows: int = 120, columns: int = 6) -> pl.DataFrame:
    chance = np.random.default_rng(2)
    kind = chance.integers(0, 2, (rows, 1))
    values = (chance.random((rows, columns)) < np.where(kind, 0.8, 0.2)).astype(int)
    return pl.DataFrame(values, schema=[f"c{number}" for number in range(columns)])


def run_of(source: Any, out: Path, **changes: Any) -> Run:
    given = {"training.epochs": 3, "evaluation.resamples": 100, **changes}
    return fit(source, changes=given, out=out)


def weights_of(run: Run) -> dict[str, np.ndarray]:
    """Those that are learned: the constant of a density follows from them, and is estimated."""
    tensors = load_file(run.folder.model / "weights.safetensors")
    return {
        name: tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith("network.") and "log_z" not in name
    }


def divide(folder: Path) -> None:
    """Move the pictures of a folder into two within it, one a domain."""
    for place, path in enumerate(sorted(folder.glob("*.png"))):
        path.parent.joinpath("ab"[place % 2]).mkdir(exist_ok=True)
        path.rename(folder / "ab"[place % 2] / path.name)


@pytest.mark.parametrize("rule", BEGUN)
@pytest.mark.parametrize("pictures", [False, True])
def test_what_learns_in_steps_begins_with_the_weights_of_a_run(
    rule: str, pictures: bool, tmp_path: Path
) -> None:
    model, settings, still = BEGUN[rule]
    if pictures and rule == "boltzmann_learning":
        model = {"boltzmann": {"hidden": 0}}
    source = bare_pictures(tmp_path / "pictures", ()) if pictures else bits()
    if pictures and rule == "cycle":
        model = {"cyclegan": {"maps": 2, "blocks": 1}}
        divide(tmp_path / "pictures")
    of_pictures = {
        "data.images.size": 4,
        **({"data.factors": ["name_2"]} if "data.factors" in settings else {}),
    }
    changes: dict[str, Any] = {"model": model, **(of_pictures if pictures else settings)}
    first = run_of(source, tmp_path / "first", **changes)
    assert first.summary["training"]["transfer"] is None
    start = {"transfer.start": first.path, "learning": {rule: still}}
    second = run_of(source, tmp_path / "second", **{**changes, **start})
    assert second.summary["training"]["transfer"]["begun_anew"] == []
    before, after = weights_of(first), weights_of(second)
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-4)
    other = run_of(source, tmp_path / "other", **{**changes, "learning": {rule: still}, "seed": 1})
    assert any(not np.allclose(weights_of(other)[name], before[name], atol=1e-2) for name in before)


def test_lloyd_goes_on_from_the_centres_of_a_run(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"model": {"kmeans": {"clusters": 3}}, "training.epochs": 100}
    first = run_of("bundled:iris", tmp_path / "first", **changes)
    second = run_of("bundled:iris", tmp_path / "second", **changes, **{"transfer.start": first.path}, seed=5)
    (before,), (after,) = weights_of(first).values(), weights_of(second).values()
    same_rows = run_of("bundled:iris", tmp_path / "third", **changes, **{"transfer.start": first.path})
    assert same_rows.summary["training"]["epochs"] <= first.summary["training"]["epochs"]
    order = np.square(before[:, None] - after).sum(axis=2).argmin(axis=1)
    assert order.tolist() == [0, 1, 2]


@pytest.mark.parametrize("rule", ANEW)
def test_what_begins_anew_in_any_case_is_refused(rule: str, tmp_path: Path) -> None:
    source, settings = SOURCES.get(rule, (bits(), BITS))
    changes = {"model": ANEW[rule], "learning": rule, "transfer.start": "elsewhere", **settings}
    with pytest.raises(
        RecipeError, match=rf"transfer\.start: has no effect under learning\.{rule}, which begins anew"
    ):
        fit(source, changes=changes, out=tmp_path / "run")
    # also where the rule was left to the model
    del changes["learning"]
    with pytest.raises(RecipeError, match=r"transfer\.start: has no effect under learning\."):
        fit(source, changes=changes, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_two_lists_name_every_rule_that_begins_anew_or_needs_no_target() -> None:
    anew = {name for name, entry in available("rule").items() if getattr(entry.target, "begins_anew", False)}
    assert anew == set(ANEW)
    alone = {entry.name for entry in available("model").values() if hasattr(entry.target, "alone")}
    taught = {rule for name in alone for rule in getattr(available("model")[name].target, "rules", ())}
    assert taught <= {*ANEW, *BEGUN, "lloyd"}


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"rbm": {"units": 5}}},  # whose visible biases fit
        {"model": {"kmeans": {"clusters": 6}}},
        {"model": {"rbm": {"units": 6}}, "data.drop": ["c1"]},
    ],
)
def test_other_sizes_models_and_columns_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    first = run_of(bits(), tmp_path / "first", **BITS, model={"rbm": {"units": 6}})
    with pytest.raises(RunError, match=r"no tensor of .* fits the network .* Choose the same model"):
        run_of(bits(), tmp_path / "second", **BITS, **changes, **{"transfer.start": first.path})


def test_layers_of_what_learns_without_a_gradient_are_not_frozen(tmp_path: Path) -> None:
    message = r"transfer\.freeze: has no effect under learning\.contrastive_divergence; leave it out\.$"
    with pytest.raises(RecipeError, match=message):
        run_of(bits(), tmp_path / "run", **BITS, model="rbm", **{"transfer.freeze": 1})
