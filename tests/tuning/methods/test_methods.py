"""What is tried next, and that it is the same when a search is told everything again."""

import math

import numpy as np
import pytest

from handrail.recipe.sections import TuningRecipe
from handrail.tuning.methods import Method, make_method, sampler_names
from handrail.tuning.space import Choices, Range, Space
from handrail.tuning.trial import Result, Trial

SPACE: Space = {"rate": Range(1e-4, 1.0, log=True), "width": Range(2, 9), "kind": Choices(([1], [2, 2], "c"))}


def run(method: Method, figure: object) -> list[list[Trial]]:
    """All batches of a search in which a trial comes to `figure(trial)`; not a number is a failure."""
    batches = []
    while batch := method.ask():
        batches.append(batch)
        values = [figure(trial) for trial in batch]  # pyright: ignore[reportCallIssue]
        method.tell(
            [
                Result(trial.number, trial.rung, failure="no")
                if math.isnan(value)
                else Result(trial.number, trial.rung, [[value]], [[0.0]])
                for trial, value in zip(batch, values, strict=True)
            ]
        )
    return batches


def make(
    name: str, *, trials: int | str = "auto", epochs: int = 30, higher: bool = True, space: Space = SPACE
) -> Method:
    return make_method(name, TuningRecipe(trials=trials), space, seed=5, epochs=epochs, higher=higher)  # pyright: ignore[reportArgumentType]


def test_halving_keeps_the_better_third_and_trains_it_three_times_as_long() -> None:
    rungs = run(make("halving", trials=18, epochs=9), lambda trial: trial.settings["rate"])
    assert [len(rung) for rung in rungs] == [18, 6, 2]
    assert [rung[0].share for rung in rungs] == [1 / 9, 1 / 3, 1.0]
    best = sorted(rungs[0], key=lambda trial: -trial.settings["rate"])[:2]
    assert {trial.number for trial in rungs[2]} == {trial.number for trial in best}


def test_halving_by_a_figure_where_less_is_better_and_with_failures() -> None:
    rungs = run(
        make("halving", trials=9, higher=False), lambda t: math.nan if t.number == 3 else t.settings["rate"]
    )
    survivor = min(
        (trial for trial in rungs[0] if trial.number != 3), key=lambda trial: trial.settings["rate"]
    )
    assert [trial.number for trial in rungs[-1]] == [survivor.number]


def test_a_short_training_has_few_rungs() -> None:
    assert [len(rung) for rung in run(make("halving", trials=27, epochs=4), lambda _: 0.0)] == [27, 9]
    assert [trial.share for trial in run(make("halving", trials=27, epochs=1), lambda _: 0.0)[0]] == [
        1.0
    ] * 27


@pytest.mark.parametrize(
    "name", ["random", "halving", *[name for name in sampler_names() if name not in ("cma_es", "gp")]]
)
def test_asked_again_from_the_beginning_it_gives_the_same_trials(name: str) -> None:
    def figure(trial: Trial) -> float:
        return math.nan if trial.number % 7 == 0 else -abs(math.log(trial.settings["rate"]) + 3)

    first, again = (run(make(name, trials=20), figure) for _ in range(2))
    assert first == again
    assert sum(len(batch) for batch in first) >= 20


def test_a_sampler_learns_from_what_it_is_told() -> None:
    pytest.importorskip("optuna")
    space: Space = {"rate": Range(1e-4, 1.0, log=True)}
    batches = run(
        make("tpe", trials=64, space=space), lambda trial: -abs(math.log10(trial.settings["rate"]) + 2)
    )
    distance = [
        np.mean([abs(math.log10(trial.settings["rate"]) + 2) for trial in batch])
        for batch in (batches[0], batches[-1])
    ]
    assert distance[1] < distance[0] / 2
    assert {len(batch) for batch in batches} == {8}


def test_values_of_a_sampler_are_of_the_space() -> None:
    pytest.importorskip("optuna")
    for trial in run(make("tpe", trials=24), lambda _: 0.5)[-1]:
        assert isinstance(trial.settings["width"], int)
        assert trial.settings["kind"] in ([1], [2, 2], "c")
