"""Translation: figures beside their formulas, baselines, and labels that name no two domains."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from handrail.data.encoders.row_encoder import fit_encoder
from handrail.data.prepare import prepare
from handrail.data.sources import read
from handrail.errors import DataError
from handrail.evaluation.bootstrap import measure_with_intervals
from handrail.evaluation.outcomes.made.translation import TranslationOutcome
from handrail.evaluation.points.sample_quality import energy_scores
from handrail.models.cyclegan import CycleGAN
from handrail.recipe.sections import DataRecipe
from handrail.tasks import make_task
from handrail.tasks.alone.domains.translation import TranslationTask
from handrail.tasks.alone.points import points_before
from handrail.tasks.baselines.maps import matched_columns, optimal_transport, unchanged

SOURCE = "toy:two_domains,rows=400"


def prepared(source: Any = SOURCE, **settings: Any) -> tuple[TranslationTask, Any, Any]:
    """The task, fitted, the data and the encoder."""
    recipe = DataRecipe(source=source, task="translation", **settings)
    data = prepare(recipe)
    encoder = fit_encoder(data.train.features, data.schema, data.train.stores, recipe)
    task = make_task(data.task, encoder.shape)
    assert isinstance(task, TranslationTask)
    task.fit(data.train, encoder)
    return task, data, encoder


@pytest.mark.parametrize(("angle", "scale", "shift"), [(60.0, 0.6, 4.0), (-90.0, 2.0, 0.0)])
def test_the_partner_of_each_row_follows_from_the_map(angle: float, scale: float, shift: float) -> None:
    """Also the way back: the partner of a row of B is the row of A that leads to it."""
    frame = read(f"toy:two_domains,rows=50,angle={angle},scale={scale},shift={shift}").frame
    turn = np.deg2rad(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    of_a, of_b = (frame.filter(pl.col("domain") == name) for name in "ab")
    own, partner = ("x1", "x2"), ("true_x1", "true_x2")
    for rows, first, second in ((of_a, own, partner), (of_b, partner, own)):
        ahead = rows.select(first).to_numpy() @ linear.T + [shift, shift / 2]
        np.testing.assert_allclose(ahead, rows.select(second).to_numpy(), atol=1e-12)


def test_partners_are_no_inputs() -> None:
    task, data, encoder = prepared()
    assert [column.name for column in encoder.schema.used] == ["x1", "x2"]
    assert task.spec.partners == ("true_x1", "true_x2")
    assert task.outputs == ("translation", 2)
    assert set(task.targets(data.train).tolist()) == {1, 2}


def test_figures_are_those_of_the_formulas() -> None:
    task, data, encoder = prepared()
    part = data.validation
    model = CycleGAN(2, task.outputs, hidden=[4]).eval()
    for place, parameter in enumerate(model.averages.parameters()):  # which begin as the identity
        parameter.data.add_(
            0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(place))
        )
    points, codes = points_before(encoder, part).double().numpy(), task.targets(part).numpy()
    outcome = task.judge(
        task.outcome(model, part.encode_with(encoder), part),
        model,
        train=data.train,
        part=part,
        encoder=encoder,
    )
    assert isinstance(outcome, TranslationOutcome)
    made = np.stack([generated(model, point, code) for point, code in zip(points, codes, strict=True)])
    back = np.stack([generated(model, point, 3 - code) for point, code in zip(made, codes, strict=True)])
    for code in (1, 2):
        expected = energy_scores(points[codes == code], made[codes == 3 - code])
        np.testing.assert_allclose(outcome.scores[codes == code], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outcome.cycles, np.linalg.norm(back - points, axis=1), rtol=1e-4)
    renamed = part.raw.select(x1="true_x1", x2="true_x2")
    true = points_before(encoder, prepared_part(part, renamed)).double().numpy()
    assert outcome.partners is not None
    np.testing.assert_allclose(outcome.partners, np.linalg.norm(made - true, axis=1), rtol=1e-4)
    measured = measure_with_intervals(outcome, resamples=200)
    assert list(measured) == ["energy_score", "translation_error", "cycle_error"]
    for figure in measured.values():
        assert figure.low < figure.value < figure.high


def generated(model: CycleGAN, point: np.ndarray, code: int) -> np.ndarray:
    with torch.no_grad():
        return model.averages[code - 1](torch.from_numpy(point[None]).float())[0].double().numpy()


def prepared_part(part: Any, features: pl.DataFrame) -> Any:
    from dataclasses import replace

    return replace(part, features=features)


def test_baselines_are_judged_alike() -> None:
    """Rows as they are come back as they are, and lie as far from their partners as the map moves them."""
    task, data, encoder = prepared()
    found = task.baselines(data.train, data.validation, encoder)
    assert list(found) == [
        "rows as they are",
        "matched means and variances",
        "optimal transport of Gaussians",
    ]
    same = found["rows as they are"]
    assert isinstance(same, TranslationOutcome)
    assert same.cycles.max() == 0
    figures = {name: outcome.measure() for name, outcome in found.items()}
    assert all(figure["cycle_error"] < 1e-6 for figure in figures.values())
    errors = [figure["translation_error"] for figure in figures.values()]
    assert errors[0] > errors[1]
    scores = [figure["energy_score"] for figure in figures.values()]
    assert scores[0] > max(scores[1:])


def test_maps_match_what_they_say() -> None:
    """Source: Dowson & Landau 1982; a symmetric linear map, which leads the covariances into each other."""
    chance = np.random.default_rng(0)
    first, second = (
        chance.normal(size=(3000, 3)),
        chance.normal(size=(3000, 3)) @ chance.normal(size=(3, 3)) + 5,
    )
    assert unchanged(first, second)(first) is first
    matched = matched_columns(first, second)(first)
    np.testing.assert_allclose(matched.mean(axis=0), second.mean(axis=0))
    np.testing.assert_allclose(matched.std(axis=0), second.std(axis=0))
    moved = optimal_transport(first, second)(first)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(second.T), atol=0.05)
    ahead, back = optimal_transport(first, second), optimal_transport(second, first)
    np.testing.assert_allclose(back(ahead(first)), first, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c"], r"goes between two domains, and 'kind' has 3 .*'a', 'b' and 'c'"),
        (["a"], r"goes between two domains, and 'kind' has 1 "),
        (None, r"translation goes between two domains, and no column tells them apart"),
    ],
)
def test_a_label_that_names_no_two_domains_is_refused(labels: list[str] | None, message: str) -> None:
    chance = np.random.default_rng(0)
    frame = pl.DataFrame(chance.normal(size=(60, 2)), schema=["x", "y"])
    named = frame if labels is None else frame.with_columns(kind=pl.Series(labels * (60 // len(labels))))
    with pytest.raises(DataError, match=message):
        prepared(named, **({} if labels is None else {"label": "kind"}))


def test_rows_of_no_known_domain_count_in_the_energy_score_alone() -> None:
    task, data, encoder = prepared()
    part = data.validation
    raw = part.raw.with_columns(domain=pl.Series(["?", *part.raw["domain"].to_list()[1:]]))
    from dataclasses import replace

    odd = replace(part, raw=raw)
    model = CycleGAN(2, task.outputs, hidden=[4]).eval()
    outcome = task.outcome(model, odd.encode_with(encoder), odd)
    assert isinstance(outcome, TranslationOutcome)
    assert outcome.known.tolist() == [False, *[True] * (len(part) - 1)]
    assert outcome.measure()["cycle_error"] == pytest.approx(outcome.cycles[1:].mean())
    assert outcome.measure()["energy_score"] == pytest.approx(outcome.scores.mean())
