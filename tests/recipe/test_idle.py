"""Settings that would do nothing are refused, each with its name; what has an effect is not."""

from typing import Any

import pytest

import handrail
from handrail.errors import HandrailError, RecipeError
from handrail.learning.rules.gradient import Gradient
from handrail.recipe import Recipe, compose
from handrail.recipe.idle import idle_sections
from handrail.recipe.sections import DataRecipe

RPROP = {"gradient": {"optimizer": "rprop"}}


def _with(section: str, **values: Any) -> dict[str, Any]:
    return {section: values}


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (_with("data", forecast={"horizon": 3}), "data.forecast.horizon"),
        (_with("data", forecast={"stride": 2}, task="regression"), "data.forecast.stride"),
        (_with("data", split={"method": "column", "column": "part", "test": 0.3}), "data.split.test"),
        (_with("data", test="other.csv", split={"test": 0.3}), "data.split.test"),
        (_with("data", split={"method": "time", "column": "when", "seed": 3}), "data.split.seed"),
        (_with("data", task="forecast", split={"seed": 3}), "data.split.seed"),
        (_with("training", keep="best"), "training.keep"),
        (
            _with("learning", gradient={"optimizer": "rprop", "schedule": "cosine"}),
            "learning.gradient.schedule",
        ),
        (
            _with("learning", gradient={"optimizer": "rprop", "schedule": "on_plateau"}),
            "learning.gradient.schedule",
        ),
        (
            _with("learning", feedback_alignment={"optimizer": "rprop", "schedule": "cosine"}),
            "learning.feedback_alignment.schedule",
        ),
        ({"learning": "oja", "model": "linear_code", "training": {"compile": True}}, "training.compile"),
        (
            _with("learning", gradient={"optimizer": {"rprop": {}}, "clip": "by_norm"}),
            "learning.gradient.clip",
        ),
        ({"learning": "least_squares", "objective": {"loss": "mae"}}, "objective.loss"),
        ({"learning": "rosenblatt", "training": {"compile": True}}, "training.compile"),
    ],
)
def test_a_setting_without_effect_is_refused(settings: dict[str, Any], place: str) -> None:
    with pytest.raises(RecipeError) as stop:
        Recipe.parse(settings)
    assert [text for text in stop.value.problems if text.startswith(f"{place}: ")], stop.value.problems
    assert len(stop.value.problems) == 1


@pytest.mark.parametrize(
    "settings",
    [
        _with("data", task="forecast", forecast={"horizon": 3}),
        _with("data", split={"method": "time", "column": "when", "seed": 3}, sample=100),
        _with("data", split={"method": "time", "column": "when", "test": 0.3}),
        _with("training", keep="best", replicas=2),
        _with("learning", gradient={"optimizer": "rprop", "schedule": "constant"}),
        _with("learning", gradient={"optimizer": "lbfgs", "schedule": "cosine"}),
        {"learning": "least_squares", "objective": {"loss": "mse"}},
    ],
)
def test_a_recipe_with_every_default_written_out_is_read(settings: dict[str, Any]) -> None:
    recipe = Recipe.parse(settings)
    assert Recipe.parse(recipe.resolved()).resolved() == recipe.resolved()


def test_what_a_file_lacks_may_come_with_the_command() -> None:
    given = _with("data", forecast={"horizon": 3}, source="a.csv")
    assert compose("a.csv", recipe=given, changes={"data.task": "forecast"}).data.forecast.horizon == 3


@pytest.mark.parametrize(
    ("section", "settings", "kind"),
    [
        ("images", {"size": 32}, "image"),
        ("text", {"lower": False}, "text"),
        ("text", {"tokens": "words"}, "stream"),
        ("series", {"scaling": "none"}, "series"),
        ("audio", {"mels": 8}, "audio"),
        ("encoding", {"scaling": "none"}, "datetime"),
    ],
)
def test_a_section_needs_columns_of_its_kind(section: str, settings: dict[str, Any], kind: str) -> None:
    data = DataRecipe.model_validate({section: settings})
    others = {"numeric", "image", "text", "series", "audio"} - {kind}
    if section == "encoding":
        others -= {"numeric"}
    elif section == "text":
        others -= {"text"}
    name = next(iter(settings))
    assert [text.split(":")[0] for text in idle_sections(data, others)] == [f"data.{section}.{name}"]
    assert not list(idle_sections(data, {kind}))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"data.images.size": 16, "data.text.length": 5}, r"data\.images\.size(.|\n)*data\.text\.length"),
        ({"data.masks.ignore": 255}, "data.masks.ignore: has no effect on "),
        ({"learning": Gradient(optimizer="rprop", schedule="cosine")}, "no effect under rprop"),
        ({"data.source": "bundled:diabetes", "evaluation.calibrate": False}, "evaluation.calibrate: has no"),
    ],
)
def test_a_fit_refuses_what_its_data_has_no_use_for(
    changes: dict[str, Any], text: str, tmp_path: Any
) -> None:
    source = changes.pop("data.source", "bundled:iris")
    with pytest.raises(HandrailError, match=text):
        handrail.fit(source, "target", changes={"training.epochs": 1, **changes}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
