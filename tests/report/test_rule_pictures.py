"""What a rule draws of a training stands in the report, of one network and of the mean of replicas."""

import re
from pathlib import Path

import numpy as np
import pytest

import handrail
from handrail.components.pictures import Lines
from handrail.learning.rules.feedback_alignment import FeedbackAlignment
from handrail.learning.rules.gradient import Gradient
from handrail.report.figures.curves import mean_records
from handrail.report.page import render
from handrail.report.replicas import replicas_in
from handrail.tools.yaml import read_yaml
from handrail.training.callbacks import read_records

ANGLES = "Angle to the true gradient by epoch"
CHANGES = {
    "model": {"mlp": {"hidden": [5]}},
    "learning": "feedback_alignment",
    "training.epochs": 3,
    "evaluation.resamples": 100,
}


def titles(page: str) -> list[str]:
    section = re.search(r'<section id="learning">.*?</section>', page, re.DOTALL)
    assert section is not None
    return re.findall(r'<span class="figure-title">(.*?)</span>', section[0])


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_angle_is_one_picture_with_a_curve_a_layer(replicas: int, tmp_path: Path) -> None:
    changes = CHANGES if replicas == 1 else {**CHANGES, "training.replicas": replicas}
    run = handrail.fit("bundled:iris", "target", changes=changes, out=tmp_path / "run")
    shown = titles(run.folder.report.read_text(encoding="utf-8"))
    assert shown == [ANGLES, "Loss by epoch", "Accuracy by epoch"]
    records = read_records(run.folder.metrics)
    assert len(records) == 3 * replicas
    assert all(line["train_angle/layer 2"] < 1 < line["train_angle/layer 1"] for line in records)
    if known := replicas_in(run.summary):
        first = [line["train_angle/layer 1"] for line in records if line["epoch"] == 1]
        means = mean_records(records, known)
        assert [line["epoch"] for line in means] == [1, 2, 3]
        assert means[0]["train_angle/layer 1"] == pytest.approx(np.mean(first))


def test_a_rule_that_cannot_be_found_again_draws_nothing(tmp_path: Path) -> None:
    run = handrail.fit("bundled:iris", "target", changes=CHANGES, out=tmp_path / "run")
    text = run.folder.resolved_recipe.read_text(encoding="utf-8")
    run.folder.resolved_recipe.write_text(text.replace("feedback_alignment", "a_rule_of_mine"))
    assert list(read_yaml(run.folder.resolved_recipe)["learning"]) == ["a_rule_of_mine"]
    assert titles(render(run)) == ["Loss by epoch", "Accuracy by epoch"]


def test_epochs_without_an_angle_are_gaps() -> None:
    name = "train_angle/layer 1"
    records = [{"epoch": 1, name: 80.0}, {"epoch": 2}, {"epoch": 3, name: 40.0}]
    (picture,) = FeedbackAlignment.pictures(records)
    assert isinstance(picture, Lines)
    np.testing.assert_array_equal(picture.x, [1, 2, 3])
    np.testing.assert_array_equal(picture.curves["layer 1"], [80, np.nan, 40])
    assert FeedbackAlignment.pictures([{"epoch": 1, "train_loss": 1.0}]) == []
    assert Gradient.pictures(records) == []
