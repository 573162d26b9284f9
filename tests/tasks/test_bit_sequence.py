"""Series of bits as answers: what counts, what is sealed, and that a network learns them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import handrail
from handrail.components import build
from handrail.errors import DataError, RecipeError
from handrail.evaluation.outcomes.bit_sequence import BitOutcome

COPY = "toy:copy,rows=60,test_rows=24,bits=3,shortest=1,longest=4"
NTM = {"ntm": {"units": 12, "locations": 12, "width": 5}}
QUICK: dict[str, Any] = {"model": NTM, "training.epochs": 2}


def outcome_of(wrong: int, rows: int = 30) -> BitOutcome:
    """Answers of four bits a row, of which the first row has so many wrong."""
    truth = np.full((rows, 4, 2), 255, dtype=np.uint8)
    truth[:, 2:] = np.random.default_rng(0).integers(0, 2, (rows, 2, 2))
    answers = np.where(truth <= 1, truth, 0).astype(np.uint8)
    answers[0, 2:].flat[:wrong] ^= 1
    return BitOutcome(answers, truth)


def fit(out: Path, source: str, **changes: Any) -> handrail.Run:
    return handrail.fit(source, changes={**QUICK, **changes}, out=out, progress="none")


def test_bits_that_are_not_asked_for_count_nowhere() -> None:
    assert outcome_of(0).measure() == {"bit_error_rate": 0, "exact_match": 1}
    found = outcome_of(3)
    assert found.measure() == pytest.approx({"bit_error_rate": 3 / 120, "exact_match": 29 / 30})
    assert found.errors().tolist() == [0.75] + [0] * 29
    assert found.describe(1, truth=True) == " ".join(
        "".join(map(str, bits)) for bits in found.truth[1, 2:].tolist()
    )
    assert not found.same_rows(outcome_of(3, rows=29))


def test_the_loss_is_the_mean_of_the_bits_that_are_asked_for() -> None:
    scores = torch.tensor([[[0.5, -2.0], [9.0, 9.0]], [[1.0, 1.0], [1.0, 1.0]]])
    targets = torch.tensor([[[1, 0], [255, 255]], [[255, 255], [255, 255]]], dtype=torch.uint8)
    expected = (np.log1p(np.exp(-0.5)) + np.log1p(np.exp(-2.0))) / 2
    found = build("loss", "bit_cross_entropy")(scores, targets)
    torch.testing.assert_close(found, torch.tensor([expected, 0.0], dtype=torch.float32))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> handrail.Run:
    return fit(tmp_path_factory.mktemp("bits") / "run", f"{COPY},test_shortest=5,test_longest=8")


def test_test_rows_are_the_longer_ones_and_reach_nothing_that_is_fitted(
    run: handrail.Run, tmp_path: Path
) -> None:
    """Split first: other test rows, of the same longest length, leave every bit of the fit as it is."""
    other = fit(tmp_path / "other", f"{COPY},test_shortest=8,test_longest=8")
    weights = [next((each.path / "model").glob("*.safetensors")).read_bytes() for each in (run, other)]
    assert weights[0] == weights[1]
    figures = [json.loads((each.path / "validation.json").read_text())["metrics"] for each in (run, other)]
    assert figures[0] == figures[1]


@pytest.mark.pictures
def test_the_sealed_rows_are_measured_with_baseline_and_pictures(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", f"{COPY},test_shortest=5,test_longest=8")
    assert set(run.test()["metrics"]) == {"bit_error_rate", "exact_match"}
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for text in ("The memory, step by step", "Answers beside the truth", "Wrong bits by length"):
        assert text in page
    assert "the test rows have 5 to 8 vectors, those for training and validation 1 to 4" in page
    assert "most frequent bit" in page


def test_new_rows_are_answered_with_the_bits_of_every_step(run: handrail.Run) -> None:
    answers = run.predict(
        "toy:copy,rows=3,test_rows=2,bits=3,longest=4,test_shortest=5,test_longest=8,seed=9"
    )
    words = [row.split() for row in answers.frame["prediction"]]
    assert len(words) == 5
    assert {len(row) for row in words} == {17}
    assert set("".join(words[0])) <= {"0", "1"}


def test_a_series_that_is_longer_than_the_network_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"has \d+ steps, and the network reads 6; set data.series.length: \d"
    ):
        fit(tmp_path / "run", f"{COPY},test_shortest=5,test_longest=8", **{"data.series.length": 6})


def test_a_model_that_scores_rows_alone_is_refused_with_those_that_fit(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"Expected one of .*dnc.*lstm.*ntm") as caught:
        fit(tmp_path / "run", f"{COPY},test_shortest=5,test_longest=8", model="series_cnn")
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize("model", ["lstm", "gru", "dnc"])
def test_other_networks_of_steps_serve_the_task(model: str, tmp_path: Path) -> None:
    run = fit(tmp_path / "run", f"{COPY},test_shortest=5,test_longest=5", model=model)
    assert 0 <= run.summary["metrics"]["bit_error_rate"]["value"] <= 1


@pytest.mark.slow
def test_a_turing_machine_copies_series_twice_as_long_where_an_lstm_of_its_size_does_not(
    tmp_path: Path,
) -> None:
    """Graves, Wayne & Danihelka 2014: under 1 % wrong bits where an LSTM of the same size has over 10 %."""
    source = "toy:copy,rows=5000,test_rows=200,longest=10,test_shortest=20,test_longest=20"
    changes = {"data.series.scaling": "none", "training.batch_size": 16}
    machine = fit(
        tmp_path / "ntm", source, **changes, model={"ntm": {"locations": 64}}, **{"training.epochs": 6}
    )
    lstm = fit(tmp_path / "lstm", source, **changes, model={"lstm": {"width": 52}}, **{"training.epochs": 6})
    sizes = [run.summary["training"]["parameters"] for run in (machine, lstm)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)
    assert machine.test()["metrics"]["bit_error_rate"]["value"] < 0.01
    assert lstm.test(again=True)["metrics"]["bit_error_rate"]["value"] > 0.1  # the same test rows


@pytest.mark.slow
def test_a_computer_with_a_memory_copies_at_least_99_of_100_bits(tmp_path: Path) -> None:
    """Graves et al. 2016: copy, here of series longer than those that were learned from."""
    source = "toy:copy,rows=5000,test_rows=200,longest=10,test_shortest=11,test_longest=20"
    run = fit(
        tmp_path / "run",
        source,
        model={"dnc": {"locations": 64}},
        **{"data.series.scaling": "none", "training.batch_size": 16, "training.epochs": 2},
    )
    assert run.test()["metrics"]["bit_error_rate"]["value"] < 0.01
