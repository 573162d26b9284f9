"""The Hopfield network: by hand, beside the library's memory, and an energy that never rises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import handrail
from handrail.components import build
from handrail.components.pictures import Lines, Tiles
from handrail.errors import DataError
from handrail.models.hopfield import Hopfield
from handrail.run import Run
from handrail.shapes import NoTarget

RECALL = "Recall, unit by unit"


@pytest.fixture(scope="module", params=[False, True])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {
        "data.source": "toy:patterns,units=40,rows=16",
        "model": {"hopfield": {"bias": request.param}},
        "evaluation.resamples": 100,
    }
    return handrail.fit(changes=changes, out=tmp_path_factory.mktemp("memory") / "run")


def memory_of(patterns: np.ndarray) -> Hopfield:
    model = build("model", "hopfield", patterns.shape[1], NoTarget("memory"))
    assert isinstance(model, Hopfield)
    model.store(torch.from_numpy(patterns).float())
    return model


def test_the_example_can_be_followed_by_hand() -> None:
    trace = handrail.trace("hopfield")
    assert trace["Weights by Hebb's rule"]["N·W_i"][0].tolist() == [0, 0, 2, 0, 0, -2, 0, -2]
    recall = trace[RECALL]
    assert recall["h_i"][:5].tolist() == [0.75, 0.25, 0.75, 0.25, -0.75]
    assert recall["E"][0] == -1
    assert recall["E new"][-1] == -3
    assert recall["x"][-1].tolist() == [1, 1, 1, 1, -1, -1, -1, -1]
    assert trace["Overlap with the patterns"]["m in the end"].tolist() == [1, 0]


def test_weights_energies_and_the_end_are_those_of_the_memory() -> None:
    """In the order of units that the memory itself takes in its first pass."""
    rng = np.random.default_rng(3)
    patterns = rng.choice([-1.0, 1.0], (3, 15))
    cue = patterns[0] * np.where(rng.random(15) < 0.2, -1, 1)
    model, generator = memory_of(patterns), torch.Generator().manual_seed(5)
    order = (torch.randperm(15, generator=torch.Generator().manual_seed(5)) + 1).tolist()
    trace = handrail.trace(
        "hopfield", patterns=patterns.tolist(), cue=cue.tolist(), order=order, passes=1, shown=15
    )
    assert trace["Weights by Hebb's rule"]["N·W_i"] / 15 == pytest.approx(model.weights.numpy(), abs=1e-6)
    recall = trace[RECALL]
    states = torch.from_numpy(recall["x"]).float()
    assert recall["E"] == pytest.approx(model.state_energy(states).numpy(), abs=1e-5)
    end = model.update(torch.from_numpy(cue)[None].float(), generator)
    assert recall["E new"][-1] == pytest.approx(float(model.state_energy(end)), abs=1e-5)
    overlap = trace["Overlap with the patterns"].frame.sort("pattern")["m in the end"].to_numpy()
    assert overlap == pytest.approx(patterns @ end[0].numpy() / 15)


@given(st.data(), st.integers(2, 9), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_no_update_raises_the_energy(data: st.DataObject, units: int, count: int) -> None:
    signs = st.lists(st.sampled_from([-1.0, 1.0]), min_size=units, max_size=units)
    patterns = data.draw(st.lists(signs, min_size=count, max_size=count))
    order = data.draw(st.permutations(range(1, units + 1)))
    recall = handrail.trace("hopfield", patterns=patterns, cue=data.draw(signs), order=order, shown=999)[
        RECALL
    ]
    assert (recall["E new"] <= recall["E"] + 1e-12).all()
    assert recall["E"][1:].tolist() == recall["E new"][:-1].tolist()


def test_a_run_is_followed(run: Run) -> None:
    trace = handrail.trace("hopfield", run=run, row=1, flipped=[1, 2, 40], passes=100)
    model = run.pipeline.network
    assert isinstance(model, Hopfield)
    tiles, energies = trace.pictures
    assert isinstance(tiles, Tiles)
    assert isinstance(energies, Lines)
    first, last = (torch.from_numpy(tiles.pictures[place].ravel())[None].float() for place in (0, -1))
    assert float(model.moved(last)) == 0
    curve = energies.curves["E"]
    assert curve[0] == pytest.approx(float(model.state_energy(first).detach()), abs=1e-4)
    assert curve[-1] == pytest.approx(float(model.state_energy(last).detach()), abs=1e-4)
    assert (np.diff(curve) <= 1e-9).all()


def test_of_a_large_network_changes_alone_are_shown(run: Run) -> None:
    recall = handrail.trace("hopfield", run=run, flipped=[1, 2, 3, 4], shown=2)[RECALL]
    assert [column.name for column in recall.columns] == ["pass", "i", "h_i", "x_i", "x_i new", "E", "E new"]
    assert len(recall) == 2
    assert "such lines are shown" in recall.note
    assert (recall["x_i"] == -recall["x_i new"]).all()


def test_a_stored_pattern_is_the_cue(run: Run) -> None:
    assert handrail.trace("hopfield", pattern=2)[RECALL]["x"][0].tolist() == [1, -1, 1, -1, 1, -1, 1, -1]
    found = handrail.trace("hopfield", run=run, pattern=3, flipped=[1, 2])["Overlap with the patterns"]
    frame = found.frame.filter(found.frame["pattern"] == 3)
    assert frame["m of the cue"].to_list() == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patterns": [[1, 0]]}, "patterns: found 0, expected 1 or −1"),
        ({"patterns": [[1, -1], [1]]}, "patterns: found rows of"),
        ({"cue": [1, -1]}, "cue: found 2 units, expected 8"),
        ({"pattern": 3}, "pattern: found 3, expected a number from 1 to 2"),
        ({"pattern": 1, "cue": [1] * 8}, "cue: found a pattern as well"),
        ({"flipped": [9]}, "flipped: found unit 9, expected numbers from 1 to 8"),
        ({"order": [1, 1, 2, 3, 4, 5, 6, 7]}, "order: expected each number from 1 to 8 once"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("hopfield", **settings)


def test_a_run_is_refused_where_it_does_not_fit(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="patterns: without effect where the network of a run"):
        handrail.trace("hopfield", run=run, patterns=[[1, -1]])
    changes = {"model": "kmeans", "data.task": "clusters", "training.epochs": 1, "evaluation.resamples": 100}
    other = handrail.fit("bundled:iris", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"found no Hopfield network .model=hopfield. in its network, KMeans"):
        handrail.trace("hopfield", run=other)
