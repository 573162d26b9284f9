"""Cues, and the figures of what they call up."""

import math
from dataclasses import replace

import numpy as np
import torch

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.memory import MemoryOutcome
from handrail.tasks.alone.memory import draw_cues


def outcome(rows: int = 60, *, seed: int = 0, new: bool = True) -> MemoryOutcome:
    chance = np.random.default_rng(seed)
    right = np.where(chance.random(rows) < 0.7, 1.0, 0.9)
    moved = np.where(chance.random(rows) < 0.2, 0.0, 0.3)
    return MemoryOutcome(np.arange(rows), right, moved, np.full(rows, new) & (np.arange(rows) % 5 > 0))


def test_the_figures_are_shares_of_cues_units_and_new_rows():
    found = outcome()
    figures = found.measure()
    assert figures["recalled"] == np.mean(found.right == 1)
    assert math.isclose(figures["unit_accuracy"], found.right.mean())
    assert figures["false_recall"] == found.taken[found.new].mean()


def test_rows_that_repeat_stored_ones_are_no_new_ones():
    assert math.isnan(outcome(new=False).measure()["false_recall"])


def test_weights_are_copies():
    found, copies = outcome(), np.arange(60) % 3
    rows = np.repeat(np.arange(60), copies)
    repeated = MemoryOutcome(found.places[rows], found.right[rows], found.moved[rows], found.new[rows])
    weighted = found.statistics(found.names())[0](copies[:, None].astype(float))
    for name, value in repeated.measure().items():
        assert math.isclose(weighted[name][0], value)


def test_every_figure_has_an_interval_around_it():
    for name, interval in measure_with_intervals(outcome()).items():
        assert interval.low < interval.value < interval.high, name


def test_cues_are_damaged_patterns_under_a_seed_of_their_own():
    patterns = torch.randint(0, 2, (10, 40), generator=torch.Generator().manual_seed(1)).float() * 2 - 1
    cues = draw_cues(patterns, 25, damage=0.1, seed=3)
    assert torch.equal(cues.stored, patterns[cues.places])
    assert ((cues.states != cues.stored).sum(dim=1) == 4).all()
    assert sorted(torch.bincount(cues.places).tolist()) == [2] * 5 + [3] * 5
    assert torch.equal(draw_cues(patterns, 25, damage=0.1, seed=3).states, cues.states)
    assert not torch.equal(draw_cues(patterns, 25, damage=0.1, seed=4).states, cues.states)
    hardly = draw_cues(patterns, 5, damage=0.001, seed=3)
    assert ((hardly.states != hardly.stored).sum(dim=1) == 1).all()


def test_two_memories_with_the_same_cues_are_compared():
    one, other = outcome(), outcome(seed=1)
    assert one.same_rows(other)
    assert not one.same_rows(MemoryOutcome(one.places[::-1], one.right, one.moved, one.new))
    assert difference(one, other, "recalled").value is not None


def test_real_values_are_mirrored_about_their_mean():
    patterns = torch.tensor([[0.0, -2.0, 5.0], [1.0, 4.0, 5.0], [2.0, 1.0, 5.0]])
    cues = draw_cues(patterns, 3, damage=0.6, seed=0, binary=False)
    mirrored = torch.tensor([[2.0, 4.0, 5.0], [1.0, -2.0, 5.0], [0.0, 1.0, 5.0]])
    assert torch.equal(cues.states, mirrored[cues.places])


def test_units_that_few_cues_lost_have_no_interval():
    """Two of forty cues ended elsewhere, and eight lost a unit: the next forty may have none of the two."""
    right = np.ones(40)
    right[:2], right[2:10] = 0.4, 0.99
    found = MemoryOutcome(np.arange(40), right, np.ones(40), np.ones(40, dtype=bool))
    interval = measure_with_intervals(found)["unit_accuracy"]
    assert "in the equivalent of 2 cues" in interval.reason
    even = replace(found, right=np.where(np.arange(40) % 2, 1.0, 0.9))
    interval = measure_with_intervals(even)["unit_accuracy"]
    assert 0.9 < interval.low < 0.95 < interval.high < 1
