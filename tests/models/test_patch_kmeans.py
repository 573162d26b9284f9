"""k-means on patches: normalising, whitening, codes and centres against NumPy, and what they are worth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from handrail import fit
from handrail.components.pictures import Tiles
from handrail.errors import RecipeError
from handrail.layers import patches as patches_file
from handrail.learning.kmeans import lloyd, seed_centres
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.lloyd import Lloyd
from handrail.models.patch_kmeans import PatchKMeans
from handrail.models.staged import Staged
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape, NoTarget

SHAPE = ImageShape(2, 9, 8)
ROWS = torch.rand(40, *SHAPE, generator=torch.Generator().manual_seed(0))


def model_of(**settings: Any) -> PatchKMeans:
    torch.manual_seed(0)
    return PatchKMeans(SHAPE, NoTarget("clusters"), **{"clusters": 5, "patch": 3, **settings})


def cut(pictures: np.ndarray, side: int, stride: int) -> np.ndarray:
    """Patches of pictures, `[pictures, down, across, numbers]`, by loops."""
    _, _, height, width = pictures.shape
    return np.stack(
        [
            [pictures[:, :, r : r + side, c : c + side].reshape(len(pictures), -1) for c in columns]
            for columns in [range(0, width - side + 1, stride)]
            for r in range(0, height - side + 1, stride)
        ]
    ).transpose(2, 0, 1, 3)


def whiten(known: np.ndarray, points: np.ndarray, epsilon: float) -> np.ndarray:
    """Coates, Lee & Ng 2011, in NumPy: by what is known of `[patches, numbers]`, new ones."""
    floor = 0.01 * known.var(axis=1).mean()

    def normalise(each: np.ndarray) -> np.ndarray:
        return (each - each.mean(axis=-1, keepdims=True)) / np.sqrt(each.var(axis=-1, keepdims=True) + floor)

    known, points = normalise(known), normalise(points)
    values, vectors = np.linalg.eigh(np.cov(known.T, bias=True))
    return (points - known.mean(axis=0)) @ vectors @ np.diag((values + epsilon) ** -0.5) @ vectors.T


def plan_of(rows: Tensor) -> TrainingPlan:
    objective = Objective("distance_to_nearest")
    return TrainingPlan("clusters", objective, epochs=9, steps=2, seed=0, rows=batch_of(rows))


def batch_of(rows: Tensor, weights: Tensor | None = None) -> Batch:
    return Batch(rows, torch.zeros(len(rows), dtype=torch.int64), weights)


def test_patches_are_normalised_and_whitened() -> None:
    """Coates, Lee & Ng 2011: contrast normalisation, then ZCA whitening with ε."""
    model = model_of()
    model.begin(ROWS.flatten(1))
    rows = ROWS.double().numpy()
    known = cut(rows, 3, model.step).reshape(-1, 18)
    assert len(known) == len(ROWS) * model.places
    expected = whiten(known, known, 0.1)
    np.testing.assert_allclose(model.points(ROWS), expected, atol=1e-4)
    flat = torch.zeros(1, *SHAPE)
    assert model.points(flat).isfinite().all()


def test_a_code_is_the_triangle_summed_over_quarters() -> None:
    """Coates, Lee & Ng 2011: max(0, mean of the distances − distance), in NumPy."""
    model = model_of(stride=2)
    model.begin(ROWS.flatten(1))
    (layer,) = model.coding_layers()
    rows = ROWS.double().numpy()
    known, points = cut(rows, 3, model.step).reshape(-1, 18), cut(rows, 3, 2)
    white = whiten(known, points, 0.1)  # [rows, 4, 3, 18]
    centres = model.centres.detach().double().numpy()
    distances = np.linalg.norm(white[..., None, :] - centres, axis=-1)
    near = np.maximum(0, distances.mean(axis=-1, keepdims=True) - distances)
    expected = np.stack(
        [
            [near[:, part, :][:, :, other].sum(axis=(1, 2)) for other in (slice(0, 2), slice(2, 3))]
            for part in (slice(0, 2), slice(2, 4))
        ]
    ).transpose(2, 3, 0, 1)
    found = layer(ROWS).detach()
    assert found.shape == (40, 5, 2, 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    torch.testing.assert_close(model.encode(ROWS), found.flatten(1))


def test_the_centres_are_shown_as_whitened_patches() -> None:
    """Coates, Lee & Ng 2011, figure 2; of two channels the mean, and nothing of a stage above."""
    stages = [{"patch_kmeans": {"clusters": 40, "patch": 3}}, {"rbm": {"visible": "gaussian"}}]
    staged, below = Staged(SHAPE, 2, stages=stages), model_of(clusters=40)
    staged.adopt(0, below)
    (shown,) = staged.pictures(SHAPE)
    assert isinstance(shown, Tiles)
    assert shown.title == "What stage 1 looks for"
    centres = below.centres.detach()
    strongest = centres[centres.norm(dim=1).argsort(descending=True)[:32]]
    np.testing.assert_array_equal(shown.pictures, strongest.view(32, 2, 3, 3).mean(dim=1).numpy())


def test_pictures_are_coded_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of()
    (layer,) = model.coding_layers()
    whole = layer(ROWS)
    sizes: list[int] = []
    code: Any = layer._code
    monkeypatch.setattr(patches_file, "_AT_ONCE", 3 * 42 * 18)
    monkeypatch.setattr(layer, "_code", lambda x, *places: sizes.append(len(x)) or code(x, *places))
    torch.testing.assert_close(layer(ROWS), whole)
    assert max(sizes) == 3


def test_the_rule_does_what_k_means_does_on_all_patches() -> None:
    """Lloyd 1982, against the library's k-means on the patches of all rows at once."""
    model, rule = model_of(), Lloyd()
    rule.start(model, plan_of(ROWS))
    points = model.points(ROWS)
    expected = lloyd(points, model.centres.detach().clone(), iterations=6, tolerance=0)
    losses: list[Any] = []
    for _ in range(6):
        losses = [rule.step(model, batch_of(part))["loss"] for part in ROWS.split(20)]
        rule.end_epoch(model)
    torch.testing.assert_close(model.centres.detach(), expected.centres, rtol=1e-4, atol=1e-4)
    assert torch.stack(losses).mean() < model_of()(ROWS).mean()
    torch.testing.assert_close(model(ROWS).mean(), expected.squares.mean(), rtol=1e-4, atol=1e-4)


def test_weights_count_as_copies() -> None:
    weighted, copied = model_of(), model_of()
    weights = torch.tensor([2.0, 1.0, 0.0, 1.0]).repeat(10)
    rules = Lloyd(), Lloyd()
    for model, rule in zip((weighted, copied), rules, strict=True):
        rule.start(model, plan_of(ROWS))
    rules[0].step(weighted, batch_of(ROWS, weights))
    rules[1].step(copied, batch_of(ROWS.repeat_interleave(weights.long(), dim=0)))
    for model, rule in zip((weighted, copied), rules, strict=True):
        rule.end_epoch(model)
    torch.testing.assert_close(weighted.centres, copied.centres)


def test_centres_begin_at_patches_of_the_rows() -> None:
    model = model_of()
    Lloyd().start(model, plan_of(ROWS))
    generator = torch.Generator().manual_seed(0)
    torch.randperm(len(ROWS), generator=generator)
    torch.testing.assert_close(model.centres.detach(), seed_centres(model.points(ROWS), 5, generator))


REFUSED = {
    "large patch": (
        {"stages": [{"model": {"patch_kmeans": {"patch": 17}}}], "data.target": "shape"},
        r"patch: found 17, which is larger than images \[1, 16, 16\]; expected at most 16",
    ),
    "alone": (
        {"model": "patch_kmeans"},
        r"model: 'patch_kmeans' makes codes for a network on top.*stages: \[\{model: patch_kmeans\}\]",
    ),
    "alone with a target": (
        {"model": "patch_kmeans", "data.target": "shape"},
        r"model: 'patch_kmeans' makes codes for a network on top",
    ),
    "decoding": (
        {"stages": [{"model": "patch_kmeans"}], "data.task": "reconstruction"},
        r"stages\[0\]: its codes cannot be decoded",
    ),
    "numbers": (
        {"stages": [{"model": "rbm"}, {"model": "patch_kmeans"}], "data.target": "shape"},
        r"stages\[1\]: 'patch_kmeans' takes images, but it is given numbers",
    ),
    "too many": (
        {"stages": [{"model": {"patch_kmeans": {"clusters": 9000}}}], "data.target": "shape"},
        r"model\.patch_kmeans\.clusters: found 9,000, expected .* rows times the \d+ patches of each",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str, tmp_path: Path) -> None:
    changes, message = REFUSED[name]
    with pytest.raises(RecipeError, match=message):
        fit("toy:shapes,rows=60", changes=changes, out=tmp_path / "run")


def test_it_stands_below_other_stages() -> None:
    staged = Staged(ImageShape(3, 12, 12), 2, stages=["patch_kmeans", {"rbm": {"visible": "gaussian"}}])
    assert staged.shapes[1] == (100, 2, 2)
    assert staged(torch.rand(2, 3, 12, 12)).shape == (2, 2)


@pytest.mark.slow
def test_a_linear_classifier_on_its_codes_beats_one_on_the_pixels(shared_data: Path, tmp_path: Path) -> None:
    """Coates, Lee & Ng 2011, on 2,500 colour photographs of CIFAR-10, beyond the interval."""
    folder = shared_data / "cifar10-convnetjs"
    labels = np.array((folder / "cifar10_labels.txt").read_text().split(), dtype=np.uint8)
    batches = [0, 1, 2, 3]
    pixels = np.concatenate(
        [np.asarray(Image.open(folder / f"cifar10_batch_{number}.png")) for number in batches]
    ).reshape(-1, 32, 32, 3)
    known = np.concatenate([labels[1000 * number :][:1000] for number in batches])
    np.savez(tmp_path / "photographs.npz", x=pixels, y=known)
    changes = {
        "stages": [{"model": {"patch_kmeans": {"clusters": 200}}, "epochs": 15, "frozen": True}],
        "model": {"layers": {"layers": ["flatten", "batch_norm"]}},
        "objective": {"loss": "hinge", "penalties": [{"l2": {"strength": 0.03}}]},
        "training.epochs": 40,
        "data.augment": [],
        "data.split.validation": 0.1,
        "data.split.test": 0.275,
    }
    run = fit(tmp_path / "photographs.npz", changes=changes, out=tmp_path / "run")
    assert run.summary["rows"]["train"] == 2500
    tested = run.test()
    assert tested["comparison"]["baseline"] == "linear"
    assert tested["comparison"]["difference"]["low"] > 0.05
