"""Reconstruction: targets, figures and baselines."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from torch import Tensor

from handrail.data.columns.schema import infer
from handrail.data.encoders.row_encoder import RowEncoder, fit_encoder
from handrail.data.encoders.table import TableEncoder
from handrail.data.part import Part
from handrail.data.rows import FlatRows, cut, take
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.reconstruction import ReconstructionOutcome
from handrail.learning.principal_components import principal_components
from handrail.models.autoencoder import Autoencoder
from handrail.objectives.objective import Objective
from handrail.recipe.sections import DataRecipe
from handrail.shapes import NoTarget
from handrail.tasks.alone.reconstruction import ReconstructionTask

SPEC = TaskSpec(name="reconstruction", targets=())


def a_part(frame: pl.DataFrame, name: str = "train") -> Part:
    rows = np.arange(len(frame))
    return Part(name, frame, frame, torch.zeros(len(frame), dtype=torch.int64), rows, Table(frame, "memory"))


def a_task(frame: pl.DataFrame) -> tuple[ReconstructionTask, TableEncoder, Part]:
    schema = infer(frame)
    encoder = fit_encoder(frame, schema, {}, DataRecipe())
    assert isinstance(encoder, TableEncoder)
    part = a_part(frame)
    task = ReconstructionTask(SPEC, encoder.shape)
    task.fit(part, encoder)
    return task, encoder, part


def encoded(part: Part, encoder: RowEncoder) -> Tensor:
    rows = part.encode_with(encoder)
    assert isinstance(rows, Tensor)
    return rows


def wine() -> pl.DataFrame:
    return pl.DataFrame(
        np.asarray(load_wine(return_X_y=True)[0]), schema=[f"c{place}" for place in range(13)]
    )


def an_outcome(errors: np.ndarray, spreads: np.ndarray) -> ReconstructionOutcome:
    return ReconstructionOutcome(errors, spreads, lengths=np.arange(len(errors), dtype=np.float64))


def test_a_table_is_its_own_target_without_a_copy():
    task, encoder, part = a_task(wine())
    rows = encoded(part, encoder)
    inputs, targets = task.training_data(rows, part, encoder)
    assert inputs is rows
    assert targets is rows


def test_the_target_of_other_rows_is_what_the_model_is_given():
    rows = torch.arange(24, dtype=torch.uint8).reshape(4, 1, 2, 3)
    targets = FlatRows(rows, lambda pixels: pixels.float() / 255)
    assert len(targets) == 4
    expected = rows.flatten(1).float() / 255
    assert torch.equal(take(targets, torch.tensor([2, 0])), expected[[2, 0]])  # pyright: ignore[reportArgumentType]
    assert torch.equal(cut(targets, 1, 9), expected[1:])  # pyright: ignore[reportArgumentType]


def test_figures_are_those_of_their_formulas():
    task, encoder, part = a_task(wine())
    model = Autoencoder(13, NoTarget("reconstruction"), code=3).eval()
    rows = encoded(part, encoder)
    task.settle_network(model)
    found = task.outcome(model, rows, part).measure()
    x = rows.double().numpy()
    with torch.no_grad():
        error = np.square(model(rows).double().numpy() - x)
    assert found["reconstruction_error"] == pytest.approx(error.mean(), rel=1e-9)
    assert found["explained_variance"] == pytest.approx(1 - error.sum() / np.square(x - x.mean(0)).sum())
    assert task.reasons == {"code": "code: 3 numbers for a row of 13"}
    np.testing.assert_allclose(task.columns(model, rows)["reconstruction_error"], error.mean(axis=1))


def test_the_usual_loss_is_the_error_and_other_losses_of_values_serve():
    task, encoder, part = a_task(wine())
    rows = encoded(part, encoder)
    model = Autoencoder(13, NoTarget("reconstruction"), code=3).eval()
    with torch.no_grad():
        loss, outputs = Objective("mse")(model, rows, rows)
    assert float(loss) == pytest.approx(task.outcome(model, rows, part).measure()["reconstruction_error"])
    assert Objective("huber").rows(outputs, rows).shape == (178,)


def test_baselines_are_scikit_learns_components_and_the_mean_row():
    task, encoder, part = a_task(wine())
    task.settle_network(Autoencoder(13, NoTarget("reconstruction"), code=3))
    found = task.baselines(part.pick(np.arange(100)), part.pick(np.arange(100, 178)), encoder)
    points = encoded(part, encoder).double().numpy()
    plane = PCA(3, svd_solver="full").fit(points[:100])
    back = plane.inverse_transform(plane.transform(points[100:]))
    expected = np.square(back - points[100:]).mean(axis=1)
    np.testing.assert_allclose(found["PCA"].errors(), expected, rtol=1e-8)
    assert set(found) == {"PCA", "mean row"}
    assert found["mean row"].measure()["explained_variance"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shape", [(50, 10), (10, 50), (30, 30)])
def test_components_are_scikit_learns_whatever_the_shape(shape):
    points = np.random.default_rng(0).normal(size=shape) @ np.diag(np.linspace(3, 0.1, shape[1]))
    ours, theirs = principal_components(points, 4), PCA(4, svd_solver="full").fit(points)
    np.testing.assert_allclose(
        ours.reconstruct(points), theirs.inverse_transform(theirs.transform(points)), atol=1e-9
    )
    assert not ours.remark


def test_a_code_as_large_as_the_row_leaves_the_baseline_nothing_to_lose():
    points = np.random.default_rng(0).normal(size=(40, 5))
    plane = principal_components(points, 9)
    np.testing.assert_allclose(plane.reconstruct(points), points, atol=1e-12)
    assert plane.remark == "given as many components as a row has numbers (5), and so loses nothing"


def test_rows_that_are_all_alike_have_components_too():
    points = np.ones((30, 4))
    np.testing.assert_allclose(principal_components(points, 2).reconstruct(points), points)


def test_many_numbers_are_sampled_and_that_is_said(monkeypatch):
    monkeypatch.setattr("handrail.learning.principal_components._NUMBERS", 300)
    points = np.random.default_rng(0).normal(size=(100, 10))
    assert principal_components(points, 2).remark == "fitted on 30 of 100 training rows"


def test_before_the_size_of_the_code_is_known_there_is_no_pca():
    task, encoder, part = a_task(wine())
    found = task.baselines(part, part, encoder)
    assert set(found) == {"mean row"}
    assert "PCA" in found.remarks


def test_missing_numbers_count_as_filled_and_categories_as_one_of_several():
    frame = pl.DataFrame({"x": [1.0, None, 3.0, 8.0] * 6, "c": ["a", "b", "c", "a"] * 6})
    task, encoder, part = a_task(frame)
    assert encoder.feature_names == ["x", "x is missing", "c = a", "c = b", "c = c"]
    points = encoded(part, encoder)
    assert points[1, 1] == 1
    assert points[1, 2:].tolist() == [0, 1, 0]
    back, _ = encoder.decode(points)
    assert back["c"].to_list() == frame["c"].to_list()
    assert back["x"].to_list()[:4] == pytest.approx([1, 3, 3, 8])  # what it was filled with
    assert len(task.mean) == 5


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Rows whose spread and error are skewed, and go together, as those of real tables do."""
    rng, hits = np.random.default_rng(0), np.zeros(2)
    for _ in range(60):
        spreads = rng.gamma(0.7, size=150)
        outcome = an_outcome(spreads * rng.beta(1, 4, 150), spreads)
        found = measure_with_intervals(outcome, resamples=300)
        truths = {"reconstruction_error": 0.7 * 0.2, "explained_variance": 0.8}
        hits += [found[name].low <= truth <= found[name].high for name, truth in truths.items()]
    assert (hits >= 52).all()  # of 60, expected are 57
    assert (hits >= 1).all()


def test_two_outcomes_are_compared_on_the_same_rows():
    rng = np.random.default_rng(1)
    spreads = rng.gamma(2, size=200)
    good, bad = an_outcome(0.2 * spreads, spreads), an_outcome(0.4 * spreads, spreads)
    gap = difference(good, bad, "reconstruction_error")
    assert gap.high < 0
    assert not good.same_rows(ReconstructionOutcome(spreads, spreads, lengths=spreads))
    perfect = measure_with_intervals(an_outcome(np.zeros(50), np.ones(50)))["reconstruction_error"]
    assert np.isnan(perfect.low)
    assert "error" in perfect.reason
