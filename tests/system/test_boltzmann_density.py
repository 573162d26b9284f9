"""The Boltzmann machine from the table to the density, against the distribution that the table came from."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import handrail
from handrail import fit
from handrail.errors import DataError, RecipeError

QUICK: dict[str, Any] = {"evaluation.resamples": 100}


def states_of(units: int) -> np.ndarray:
    return np.array(list(itertools.product([0, 1], repeat=units)))


def as_table(states: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({f"bit_{place}": states[:, place] for place in range(states.shape[1])})


def drawn_table(p: np.ndarray, rows: int) -> pl.DataFrame:
    """Rows that follow p, each state as often as it is likely, in a random order."""
    states = states_of(int(np.log2(len(p)))).repeat(np.round(p * rows).astype(int), axis=0)
    return as_table(np.random.default_rng(0).permutation(states))


def divergence(run: Any, p: np.ndarray) -> float:
    """KL(p ‖ model) in nats, over all states."""
    rows = as_table(states_of(int(np.log2(len(p)))))
    log_q = run.use("score", rows).frame["log_density"].to_numpy().astype(np.float64)
    assert np.exp(log_q).sum() == pytest.approx(1, abs=1e-3)
    there = p > 0
    return float((p[there] * (np.log(p[there]) - log_q[there])).sum())


def pairwise_distribution() -> np.ndarray:
    """Of eight units with random weights between them."""
    rng, states = np.random.default_rng(3), states_of(8)
    weights = np.triu(rng.normal(size=(8, 8)), 1) * 1.5
    bias = -(weights + weights.T).sum(axis=1) / 2  # each unit is on half of the time
    p = np.exp(np.einsum("si,ij,sj->s", states, weights, states) + states @ bias)
    return p / p.sum()


def noisy_parity() -> np.ndarray:
    """Three units of which an even number is on, but for a twentieth: any two are independent."""
    even = states_of(3).sum(axis=1) % 2 == 0
    return np.where(even, 0.95, 0.05) / 4


def fitted(p: np.ndarray, path: Path, *, hidden: int, epochs: int, rows: int = 2000) -> Any:
    changes = {
        **QUICK,
        "model": {"boltzmann": {"hidden": hidden}},
        "learning": {"boltzmann_learning": {"learning_rate": 0.3, "steps": 3}},
        "training.epochs": epochs,
    }
    return fit(drawn_table(p, rows), changes=changes, out=path)


def test_without_hidden_units_a_label_judges_no_codes(tmp_path):
    """There are none; the label still stands beside the rows."""
    rows = np.random.default_rng(0).integers(0, 2, (120, 4))
    table = pl.DataFrame({f"bit_{place}": rows[:, place] for place in range(4)}).with_columns(
        group=np.where(rows[:, 0], "a", "b")
    )
    changes = {"model": "boltzmann", "data.label": "group", "training.epochs": 2, **QUICK}
    run = fit(table, changes=changes, out=tmp_path / "run")
    assert "linear_probe" not in run.summary["metrics"]
    assert "rows as encoded" not in run.summary["baselines"]
    assert run.test()["metrics"]["log_likelihood"]["value"] < 0


def test_visible_units_alone_learn_what_pairs_tell(tmp_path: Path) -> None:
    """Ackley, Hinton & Sejnowski 1985: on eight visible units the divergence falls below 0.05 nats."""
    p = pairwise_distribution()
    run = fitted(p, tmp_path / "run", hidden=0, epochs=30, rows=4000)
    assert divergence(run, p) < 0.05
    others = {name: each["log_likelihood"]["value"] for name, each in run.summary["baselines"].items()}
    own = run.summary["metrics"]["log_likelihood"]["value"]
    assert own > others["independent columns"] + 0.3
    assert own > others["Chow–Liu tree"] + 0.05
    assert "exact, by enumeration" in run.summary["reasons"]["density"]
    assert sorted(run.uses) == ["generate", "score"]


def test_hidden_units_learn_what_pairs_cannot_tell(tmp_path: Path) -> None:
    """Ackley, Hinton & Sejnowski 1985: hidden units for regularities of higher order; here those of XOR.

    Means and moments of pairs are those of independent units, so that without hidden units nothing is learned
    and log 2 − H(0.05) = 0.495 nats remain.
    """
    p = noisy_parity()
    plain = fitted(p, tmp_path / "plain", hidden=0, epochs=20)
    assert divergence(plain, p) == pytest.approx(0.495, abs=0.02)
    run = fitted(p, tmp_path / "run", hidden=4, epochs=90)
    assert divergence(run, p) < 0.05
    codes = run.use("encode", as_table(states_of(3))).frame
    assert codes.width == 4
    drawn = run.use("generate", rows=2000, steps=100).frame.to_numpy()
    assert (drawn.sum(axis=1) % 2 == 0).mean() == pytest.approx(0.95, abs=0.04)
    again = handrail.load(run.path)
    assert divergence(again, p) == pytest.approx(divergence(run, p), abs=1e-6)


def test_misuse_is_refused_with_a_way_out(tmp_path: Path) -> None:
    table = drawn_table(noisy_parity(), 200)
    real = table.with_columns(weight=pl.Series(np.random.default_rng(0).normal(size=len(table))))
    for source, changes, message in (
        (real, {"model": "boltzmann"}, r"other values in weight.*rbm\.visible=gaussian.*scaling=minmax"),
        (
            table,
            {"model": "boltzmann", "learning": "contrastive_divergence"},
            r"contrastive_divergence: (teaches rbm and conv_rbm, and not boltzmann|cannot teach boltzmann)",
        ),
        (
            table,
            {"model": "rbm", "learning": "boltzmann_learning"},
            r"boltzmann_learning: (teaches boltzmann, and not rbm|cannot teach rbm)",
        ),
        (table, {"model": {"boltzmann": {"hidden": 30}}}, r"found 30 hidden units.*expected at most 20"),
        (table, {"model": {"boltzmann": {"hidden": -1}}}, r"boltzmann\.hidden"),
        (table, {"model": "boltzmann", "data.target": "bit_0"}, r"data\.target: has no effect on density"),
    ):
        with pytest.raises((RecipeError, DataError), match=message):
            fit(source, changes={**QUICK, **changes}, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()
    assert not handrail.check(real, changes={"model": "boltzmann", "data.encoding.scaling": "minmax"}).errors
