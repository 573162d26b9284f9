"""Recipes: mistakes all at once, the way to YAML and back, dotted settings, and secrets that are never
written.
"""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from handrail.components import available
from handrail.components import settings as settings_of
from handrail.errors import RecipeError
from handrail.recipe import (
    DataRecipe,
    ObjectiveRecipe,
    Recipe,
    read_options,
    read_yaml,
)
from handrail.recipe.dotted import parse_setting, set_setting
from handrail.tools.words import without_password


class Net(nn.Module):
    """Anybody's model."""

    def __init__(self, inputs: int, outputs: int, *, depth: int = 2) -> None:
        super().__init__()
        self.layer, self.depth = nn.Linear(inputs, outputs), depth

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def distance(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).abs().mean(dim=1)


def _written(recipe: Recipe, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.asked(), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


# Mistakes


def test_mistakes_of_three_sorts_are_all_reported_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "data: {target: y, split: {metod: random}}\ntraining: {epochs: 0}\nmodel: {mlp: {hiden: [3]}}\n"
    )
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    assert caught.value.problems == [
        "data.split.metod: unknown setting. Did you mean 'data.split.method'?",
        "training.epochs: found 0; expected greater than 0 or 'auto'.",
        "model.mlp.hiden: unknown argument. Did you mean 'model.mlp.hidden'?",
    ]
    assert str(caught.value).startswith("3 mistakes:\n  1. data.split.metod")


@pytest.mark.parametrize(
    ("setting", "value", "meant"),
    [
        ("epoch", 3, "'training.epochs'"),
        ("train.epochs", 3, "'training.epochs'"),
        ("training.batchsize", 3, "'training.batch_size'"),
        ("training.seed", 3, "'seed' or 'data.split.seed'"),
        ("missing", ["?"], "'data.missing', 'data.read.missing' or 'data.encoding.missing'"),
        ("learning_rate", 0.1, "'learning.gradient.optimizer.adamw.learning_rate'"),
        ("lr", 0.1, "'learning.gradient.optimizer.adamw.learning_rate'"),
        ("learning.learning_rate", 0.1, "'learning.gradient.optimizer.adamw.learning_rate'"),
        ("learning.gradient.learning_rate", 0.1, "'learning.gradient.optimizer.adamw.learning_rate'"),
        ("learning.adam.beta_1", 0.1, "'learning.gradient.optimizer.adam.beta_1'"),
        ("hidden", [8], "'model.mlp.hidden'"),
        ("mlp.hidden", [8], "'model.mlp.hidden'"),
        ("model.hidden", [8], "'model.mlp.hidden'"),
        ("heads", 2, "'model.decoder_only.heads', 'model.gpt.heads' or 'model.transformer.heads'"),
        ("objective.los", "mse", "'objective.loss'"),
    ],
)
def test_the_dotted_name_of_an_unknown_setting(setting: str, value: Any, meant: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().with_values({setting: value})
    (problem,) = caught.value.problems
    assert problem.endswith(f". Did you mean {meant}?")


def test_the_components_of_the_recipe_are_suggested_before_others() -> None:
    recipe = {"model": {"highway": {}}, "learning": {"gradient": {"optimizer": "sgd"}}}
    with pytest.raises(RecipeError) as caught:
        Recipe.parse({**recipe, "depth": 3, "learning_rate": 0.1, "nothing": 1})
    said = " ".join(caught.value.problems)
    assert "depth: unknown setting. Did you mean 'model.highway.depth'?" in said
    assert "Did you mean 'learning.gradient.optimizer.sgd.learning_rate'?" in said
    assert "nothing: unknown setting. Known: data, evaluation" in said


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"modle": "mlp"}, "modle: unknown setting. Did you mean 'model'?"),
        ({"epochs": 3}, "epochs: unknown setting. Did you mean 'training.epochs'?"),
        (
            {"training": {"scaling": "none"}},
            "training.scaling: unknown setting. Did you mean 'data.encoding.scaling', 'data.images.scaling'",
        ),
        (
            {"data": {"target": 1.5}},
            "data.target: found 1.5; expected a valid string or a valid integer or a valid list",
        ),
        (
            {"data": {"target": ["a", 1.5]}},
            "data.target[1]: found 1.5; expected a valid string or a valid integer",
        ),
        ({"data": {"columns": {"age": 3}}}, "data.columns.age: found 3; expected a valid string."),
        ({"data": {"drop": "age"}}, "data.drop: found 'age'; expected a valid list."),
        ({"data": 5}, "data: found 5; expected settings, each as NAME: VALUE."),
        ({"transfer": {"start": 5}}, "transfer.start: found 5; expected a valid string or a path."),
        (
            {"data": {"split": "random"}},
            "data.split: found 'random'; expected settings, each as NAME: VALUE.",
        ),
        ({"data": {"split": {"method": "group"}}}, "data.split: split method 'group' needs split.column."),
        ({"data": {"read": {"decimal": ";"}}}, "data.read.decimal: found ';'; expected '.' or ','."),
        (
            {"training": {"batch_size": "large"}},
            "training.batch_size: found 'large'; expected a valid integer or 'auto'.",
        ),
        (
            {"training": {"epochs": "1e2"}},
            "training.epochs: found '1e2'; expected a valid integer or 'auto'.",
        ),
        (
            {"evaluation": {"threshold": 1.2}},
            "evaluation.threshold: found 1.2; expected less than 1 or 'auto', 'accuracy', 'f1'",
        ),
        ({"seed": -1}, "seed: found -1; expected greater than or equal to 0."),
        ({"name": "a/b"}, "name: found 'a/b'; String should match pattern"),
        ({"name": ""}, "name: found ''; String should match pattern"),
        ({"objective": {"loss": "mes"}}, "objective.loss: there is no loss 'mes'. Did you mean 'mse'?"),
        (
            {"objective": {"penalties": ["l2", {"l1": {"strength": -1}}]}},
            "objective.penalties[1].l1.strength: found -1; expected greater",
        ),
        (
            {"learning": {"gradient": {"schedule": {"warm_up": {"then": "cosin"}}}}},
            "learning.gradient.schedule.warm_up.then: there is no",
        ),
        ({"model": 3}, "model: found 3, expected the name of a model"),
        ({"model": None}, "model: found None, expected the name of a model"),
        ({"learning": ["gradient"]}, "learning: found ['gradient'], expected the name of a rule"),
    ],
)
def test_each_mistake_has_its_place_and_a_way_out(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(values)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(problem)


@pytest.mark.parametrize(
    ("encoding", "problem"),
    [
        ({"missing": "constant"}, "data.encoding.missing: 'constant' needs a number in data.encoding.fill"),
        ({"fill": 0.0}, "data.encoding.fill: has no effect with missing: median"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(encoding: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        Recipe.parse({"data": {"encoding": encoding}})
    with pytest.raises(RecipeError, match=r"split\.column has no effect with method 'random'"):
        Recipe.parse({"data": {"split": {"method": "random", "column": "part"}}})


def test_mistakes_inside_ready_sections_are_found_too() -> None:
    with pytest.raises(RecipeError, match=r"objective\.loss: there is no loss 'mes'"):
        Recipe.parse({"objective": ObjectiveRecipe(loss="mes")})


@pytest.mark.parametrize("values", [None, [], "mlp", 3])
def test_a_recipe_is_a_mapping(values: Any) -> None:
    with pytest.raises(RecipeError, match="expected a recipe's sections"):
        Recipe.parse(values)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.parse({"data": {"target": pl.DataFrame({"a": range(500)})}})
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    recipe = Recipe.parse(
        {
            "learning": {"gradient": {"optimizer": {"adam": {"learning_rate": "1e-3"}}}},
            "training": {"min_delta": "1e-4"},
        }
    )
    assert recipe.training.min_delta == 1e-4
    assert recipe.resolved()["learning"]["gradient"]["optimizer"]["adam"]["learning_rate"] == 0.001


@pytest.mark.parametrize(
    "values",
    [
        {"training": None},
        {"data": {"split": None, "columns": None, "drop": None}},
        {"objective": {"penalties": None}},
    ],
)
def test_sections_with_nothing_but_comments_say_nothing(values: dict[str, Any]) -> None:
    assert Recipe.parse(values) == Recipe()


@pytest.mark.parametrize("name", ["wine-red", "Größe_2.0", "..", "数据", "a" * 200])
def test_odd_names(name: str, tmp_path: Path) -> None:
    recipe = Recipe.parse({"name": name})
    assert Recipe.load(_written(recipe, tmp_path)) == recipe


# YAML


def test_a_recipe_and_its_files_say_the_same(tmp_path: Path) -> None:
    recipe = Recipe.parse(
        {
            "name": "x",
            "data": {
                "source": ["a.csv", "b.csv"],
                "target": ["y", -1],
                "positive": "yes",
                "split": {"method": "time", "column": "day"},
            },
            "model": {"mlp": {"hidden": [], "activation": {"leaky_relu": {"negative_slope": 0.2}}}},
            "objective": {"loss": {"huber": {"delta": 2}}, "penalties": ["l1", {"l2": {"strength": 0.5}}]},
            "evaluation": {"threshold": 0.25},
        }
    )
    assert Recipe.load(_written(recipe, tmp_path)) == recipe
    assert Recipe.parse(recipe.plain()) == recipe
    assert Recipe.parse(recipe.asked()) == recipe
    assert Recipe().asked() == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("off", "off"),
        ("007", "007"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1e-3", "1e-3"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("0.5", 0.5),
        (".5e-3", 0.0005),
        ("1.0e+3", 1000.0),
        (".inf", float("inf")),
        ("[1, no, {a: 2.0}]", [1, "no", {"a": 2.0}]),
        ("'true'", "true"),
    ],
)
def test_yaml_without_its_surprises(text: str, value: Any) -> None:
    assert parse_setting(f"a.b={text}") == ("a.b", value)


@given(
    st.text(max_size=8)
    | st.text("0123456789+-.eE_:xo~nfyNY", max_size=8)
    | st.floats(allow_nan=False)
    | st.integers()
)
def test_yaml_reads_what_yaml_wrote(value: Any) -> None:
    assert parse_setting(f"a={yaml.safe_dump({'b': value})}") == ("a", {"b": value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: mlp\nseed: 1\nmodel: linear\n", r"line 3, column 1: is not YAML \('model' stands twice\)"),
        ("model: {mlp: {hidden: [1}}\n", r"line 1, column \d+: is not YAML"),
        ("data:\n\ttarget: y\n", r"line 2, column 1: is not YAML"),
        ("? [a]\n: 1\n", r"is not YAML"),
        ("", r"is empty, expected sections such as data"),
        ("- a\n- b\n", r"holds list, expected sections"),
        ("model: !!python/object/apply:os.getcwd []\n", r"is not YAML \(could not determine a constructor"),
        ("model: !!python/name:os.getcwd\n", r"is not YAML"),
    ],
)
def test_what_is_no_recipe_is_said_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_yaml(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no recipe file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RecipeError, match=r"cannot be read|is not YAML"):
        read_yaml(tmp_path / "binary.yaml")


@pytest.mark.parametrize("text", ["training.epochs", "=3", " =3", "a=[1", "a={b: }}"])
def test_settings_that_are_none(text: str) -> None:
    with pytest.raises(RecipeError, match="--set"):
        parse_setting(text)


def test_settings_of_reading() -> None:
    assert read_options({"delimiter": "tab"}).delimiter == "\t"
    with pytest.raises(RecipeError) as caught:
        read_options({"delimeter": ";", "decimal": "x"})
    assert caught.value.problems == [
        "data.read.delimeter: unknown setting. Did you mean 'data.read.delimiter'?",
        "data.read.decimal: found 'x'; expected '.' or ','.",
    ]


# Without line separators: PyYAML writes them raw between quotes, and reads them back as a space.
LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
TEXT = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda text: "://" not in text and not text.startswith("<object ")
)


def _component(kind: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(
        [
            name
            for name, entry in available(kind).items()
            if all(p.default is not p.empty for p in settings_of(entry).values())
        ]
    )


RECIPES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True),
        "seed": st.integers(0, 2**63 - 1),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "source": TEXT | st.lists(TEXT, min_size=1, max_size=3),
                "target": TEXT | st.integers(-9, 9) | st.lists(TEXT | st.integers(-9, 9), max_size=3),
                "positive": TEXT | st.integers(),
                "columns": st.dictionaries(TEXT, TEXT, max_size=3),
                "drop": st.lists(TEXT, max_size=3),
                "sample": st.floats(0.01, 1e6),
                "balance": st.sampled_from(["none", "class_weights", "oversample"]),
                "read": st.fixed_dictionaries(
                    {},
                    optional={"header": st.booleans(), "missing": st.lists(TEXT, max_size=2), "table": TEXT},
                ),
                "split": st.fixed_dictionaries({"seed": st.integers(0, 99)}),
            },
        ),
        "model": _component("model")
        | st.fixed_dictionaries({"mlp": st.fixed_dictionaries({"hidden": st.lists(st.integers(1, 99))})}),
        "objective": st.fixed_dictionaries(
            {},
            optional={"loss": _component("loss"), "penalties": st.lists(_component("penalty"), max_size=2)},
        ),
        "learning": st.fixed_dictionaries(
            {
                "gradient": st.fixed_dictionaries(
                    {},
                    optional={"optimizer": _component("optimizer"), "clip": st.none() | _component("clip")},
                )
            }
        ),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 10**6),
                "patience": st.none() | st.integers(1, 99),
                "min_delta": st.floats(0, 1e3),
            },
        ),
        "evaluation": st.fixed_dictionaries(
            {}, optional={"calibrate": st.booleans(), "confidence": st.floats(0.51, 0.99)}
        ),
    },
)


@settings(max_examples=120, deadline=None)
@given(values=RECIPES)
def test_every_recipe_survives_the_way_through_a_file(
    values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        recipe = Recipe.parse(values)
    except RecipeError as error:
        assume(
            "has no effect" not in str(error) and "teach" not in str(error)
        )  # what does not go together, such as rprop and a clip, or a rule and a model of another kind
        raise
    folder = tmp_path_factory.mktemp("recipe")
    back = Recipe.load(_written(recipe, folder))
    assert back == recipe
    assert back.fingerprint() == recipe.fingerprint()
    assert Recipe.parse(recipe.plain()) == recipe
    resolved = recipe.resolved()
    assert Recipe.parse(resolved).resolved() == resolved
    assert yaml.safe_load(yaml.safe_dump(resolved)) == resolved


# Every default


def test_resolved_writes_out_every_default() -> None:
    resolved = Recipe.parse(
        {"objective": {"loss": "huber", "penalties": ["l2"]}, "model": "mlp", "learning": "gradient"}
    ).resolved()
    assert resolved["model"]["mlp"]["initialisation"] == {
        "he": {"distribution": "normal", "negative_slope": 0.0}
    }
    assert resolved["objective"] == {
        "loss": {"huber": {"delta": 1.0}},
        "penalties": [{"l2": {"strength": 1e-4}}],
    }
    assert resolved["learning"]["gradient"]["schedule"] == {"constant": {}}
    assert resolved["data"]["split"] == {
        "method": "auto",
        "column": None,
        "validation": 0.15,
        "test": 0.15,
        "seed": 0,
    }
    assert list(resolved) == list(Recipe.model_fields)
    assert Recipe.parse(resolved).resolved() == resolved


def test_resolving_changes_no_recipe() -> None:
    recipe = Recipe.parse({"model": {"mlp": {"hidden": [3]}}, "objective": {"penalties": ["l1"]}})
    before = copy.deepcopy(recipe)
    recipe.resolved()["model"]["mlp"]["hidden"].append(4)
    assert recipe == before


# Dotted settings


@pytest.mark.parametrize(
    ("values", "path", "value", "expected"),
    [
        ({}, "model", "linear", {"model": "linear"}),
        ({"model": "mlp"}, "model.mlp.hidden", [64, 32], {"model": {"mlp": {"hidden": [64, 32]}}}),
        ({"model": {"mlp": None}}, "model.mlp.dropout", 0.1, {"model": {"mlp": {"dropout": 0.1}}}),
        (
            {"model": {"mlp": {"hidden": [3]}}},
            "model.mlp.dropout",
            0.1,
            {"model": {"mlp": {"hidden": [3], "dropout": 0.1}}},
        ),
        (
            {"model": {"mlp": {"hidden": [3]}}},
            "model.linear.initialisation",
            "he",
            {"model": {"linear": {"initialisation": "he"}}},
        ),
        (
            {"model": {"mlp": {"hidden": [3]}}},
            "model.mlp",
            {"dropout": 0.5},
            {"model": {"mlp": {"dropout": 0.5}}},
        ),
        (
            {"model": {"mlp": {"activation": "relu"}}},
            "model.mlp.activation.elu.alpha",
            2,
            {"model": {"mlp": {"activation": {"elu": {"alpha": 2}}}}},
        ),
        (
            {"learning": {"gradient": {"optimizer": {"adamw": {"weight_decay": 0.1}}, "clip": "by_norm"}}},
            "learning.gradient.optimizer.adam.learning_rate",
            0.01,
            {"learning": {"gradient": {"optimizer": {"adam": {"learning_rate": 0.01}}, "clip": "by_norm"}}},
        ),
        (
            {},
            "learning.gradient.optimizer.momentum.momentum",
            0.8,
            {"learning": {"gradient": {"optimizer": {"momentum": {"momentum": 0.8}}}}},
        ),
        (
            {},
            "learning.gradient.schedule.step.every",
            5,
            {"learning": {"gradient": {"schedule": {"step": {"every": 5}}}}},
        ),
        (
            {"learning": {"gradient": {"schedule": {"warm_up": {"length": 9}}}}},
            "learning.gradient.schedule.warm_up.then.cosine.final",
            0.1,
            {
                "learning": {
                    "gradient": {"schedule": {"warm_up": {"length": 9, "then": {"cosine": {"final": 0.1}}}}}
                }
            },
        ),
        (
            {"objective": {"loss": "auto", "penalties": ["l2"]}},
            "objective.loss.hinge.margin",
            2,
            {"objective": {"loss": {"hinge": {"margin": 2}}, "penalties": ["l2"]}},
        ),
        ({}, "objective.penalties", ["l1"], {"objective": {"penalties": ["l1"]}}),
        (
            {"stages": [{"model": {"rbm": {"units": 8}}}, {"model": "kmeans"}]},
            "stages.0.epochs",
            3,
            {"stages": [{"model": {"rbm": {"units": 8}}, "epochs": 3}, {"model": "kmeans"}]},
        ),
        (
            {"stages": [{"model": "kmeans"}, {"model": {"rbm": {"units": 8}}}]},
            "stages.1.model.rbm.hidden",
            "rectified",
            {"stages": [{"model": "kmeans"}, {"model": {"rbm": {"units": 8, "hidden": "rectified"}}}]},
        ),
        (
            {"model": {"layers": {"layers": [{"dense": {"units": 8}}, "relu"]}}},
            "model.layers.layers.0.dense.units",
            9,
            {"model": {"layers": {"layers": [{"dense": {"units": 9}}, "relu"]}}},
        ),
        (
            {"data": {"target": "y"}},
            "data.split.method",
            "random",
            {"data": {"target": "y", "split": {"method": "random"}}},
        ),
        ({}, "data.columns.petal.length", "category", {"data": {"columns": {"petal.length": "category"}}}),
        (
            {"data": {"columns": {"a": "numeric"}}},
            "data.columns.b",
            "category",
            {"data": {"columns": {"a": "numeric", "b": "category"}}},
        ),
        ({}, "model.my.nets:Tree.depth", 4, {"model": {"my.nets:Tree": {"depth": 4}}}),
        (
            {},
            "learning.gradient.optimizer.torch.optim:SGD.lr",
            0.1,
            {"learning": {"gradient": {"optimizer": {"torch.optim:SGD": {"lr": 0.1}}}}},
        ),
    ],
)
def test_dotted_settings(values: dict[str, Any], path: str, value: Any, expected: dict[str, Any]) -> None:
    before = copy.deepcopy(values)
    assert set_setting(values, path, value) == expected
    assert values == before


@pytest.mark.parametrize(
    ("stages", "expected"), [(["rbm", "rbm"], "0 to 1"), ([], "none, as the list is empty")]
)
def test_a_place_that_a_list_does_not_have_is_told(stages: list[str], expected: str) -> None:
    with pytest.raises(RecipeError, match=rf"stages\.2: found the place 2, expected {expected}"):
        set_setting({"stages": stages}, "stages.2.epochs", 3)


def test_changes_are_checked_and_leave_the_recipe_alone() -> None:
    recipe = Recipe.parse({"model": {"mlp": {"hidden": [8]}}})
    changed = recipe.with_values({"model.mlp.dropout": 0.2, "training.epochs": 3})
    assert changed.asked() == {"model": {"mlp": {"hidden": [8], "dropout": 0.2}}, "training": {"epochs": 3}}
    assert recipe.asked() == {"model": {"mlp": {"hidden": [8]}}}
    with pytest.raises(RecipeError) as caught:
        recipe.with_values(
            {
                "model.mlp.drpout": 0.2,
                "training.epoch": 3,
                "lerning.gradient.clip": "by_norm",
                "model.mlp..x": 1,
            }
        )
    assert "model.mlp.drpout: unknown argument. Did you mean 'model.mlp.dropout'?" in caught.value.problems
    assert "training.epoch: unknown setting. Did you mean 'training.epochs'?" in caught.value.problems
    assert "lerning: unknown setting. Did you mean 'learning.gradient.clip'?" in caught.value.problems


def test_data_in_memory_passes_through_changes_untouched() -> None:
    frame = pl.DataFrame({"a": [1]})
    arrays = (torch.zeros(2), [torch.ones(2)])
    recipe = Recipe.parse({"data": DataRecipe(source=frame, test=arrays, target="a")}).with_values(
        {"seed": 3}
    )
    assert recipe.data.source is frame
    assert recipe.data.test is arrays
    assert recipe.plain()["data"]["source"].startswith("<object polars.")


# Objects


def test_classes_and_functions_are_written_as_import_paths(tmp_path: Path) -> None:
    recipe = Recipe.parse({"model": {f"{__name__}:Net": {"depth": 3}}}).with_values(
        {"objective.loss": distance}
    )
    assert recipe.with_values({"model": Net}).model == f"{__name__}:Net"
    assert recipe.asked() == {
        "model": {f"{__name__}:Net": {"depth": 3}},
        "objective": {"loss": f"{__name__}:distance"},
    }
    back = Recipe.load(_written(recipe, tmp_path), trust=True)
    assert back == recipe
    assert back.resolved()["model"] == {f"{__name__}:Net": {"depth": 3}}
    nested = Recipe.parse({"learning": {"gradient": {"optimizer": torch.optim.SGD}}})
    assert nested.asked() == {"learning": {"gradient": {"optimizer": "torch.optim.sgd:SGD"}}}


def test_other_objects_leave_a_mark_that_can_be_read_but_not_built(tmp_path: Path) -> None:
    module = Net(3, 1)
    recipe = Recipe.parse({"model": module, "objective": {"loss": lambda outputs, targets: outputs}})
    assert recipe.model is module
    assert recipe.resolved()["model"] == f"<object {__name__}:Net>"
    back = Recipe.load(_written(recipe, tmp_path))
    assert back.model == f"<object {__name__}:Net>"
    assert back.objective.loss.startswith("<object ")
    assert "lambda" in back.objective.loss
    assert back.with_values({"model": module}).model is module
    from handrail.components import build

    with pytest.raises(
        RecipeError,
        match=rf"the model was given as an object in Python \({__name__}:Net\), which no file holds",
    ):
        build("model", back.model, 3, 1)


# Secrets


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        (
            "postgresql+psycopg://me:secret@host/db?sslmode=require",
            "postgresql+psycopg://me@host/db?sslmode=require",
        ),
        ("mysql://me:s%40cr%2Fet@host/db", "mysql://me@host/db"),
        ("mysql://me:secret:secret@host/db", "mysql://me@host/db"),
        ("mysql://me:secret@secret@host/db", "mysql://me@host/db"),
        ("mysql://me:secret/secret?secret#secret@host/db", "mysql://me@host/db"),
        ("mysql://me:sec ret@host/db", "mysql://me@host/db"),
        ("redis://:secret@host", "redis://@host"),
        (" postgresql://me:secret@host/db", " postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me"),
        ("postgresql://host/db?password=secret&user=me", "postgresql://host/db?user=me"),
        ("postgresql://host/db?PWD=secret", "postgresql://host/db"),
        ("postgresql://me:secret@host/db?mail=a@b", "postgresql://me@host/db?mail=a@b"),
        (
            "mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dsecret%3BTIMEOUT%3D3",
            "mssql+pyodbc:///?odbc_connect=UID%3Dme%3B%3BTIMEOUT%3D3",
        ),
    ],
)
def test_passwords_are_never_written(url: str, bare: str, tmp_path: Path) -> None:
    assert without_password(url) == bare
    assert without_password(bare) == bare
    recipe = Recipe.parse({"data": {"source": [url], "test": url, "target": "y"}})
    written = _written(recipe, tmp_path).read_text() + json.dumps([recipe.plain(), recipe.resolved()])
    assert "secret" not in written
    assert "sec ret" not in written
    assert recipe.data.test == url
    assert (
        recipe.fingerprint()
        == Recipe.parse({"data": {"source": [bare], "test": bare, "target": "y"}}).fingerprint()
    )


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me@host:5432/db",
        "postgresql://host:5432/db",
        "sqlite:///a:b.db",
        "sqlite:////abs/path.db",
        "C:\\data\\a.csv",
        "a:b@c.csv",
        "bundled:iris",
        "data/*.csv",
        "12:30@noon",
        "password=1",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_password(text) == text


@given(
    user=st.from_regex(r"[a-z%0-9]{0,8}", fullmatch=True),
    password=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="@"), min_size=1).map(
        lambda text: f"§{text}§"
    ),
)
def test_no_part_of_any_password_is_left(user: str, password: str) -> None:
    from urllib.parse import quote

    assert (
        without_password(f"postgresql://{user}:{quote(password, safe='')}@host:1/db?x=1")
        == f"postgresql://{user}@host:1/db?x=1"
    )
    assert (
        without_password(f"postgresql://{user}:{password}@host:1/db?x=1")
        == f"postgresql://{user}@host:1/db?x=1"
    )


# Fingerprint


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    values = {
        "data": {"source": "a.csv", "columns": {"b": "numeric", "a": "category"}},
        "model": {"mlp": {"hidden": [3], "dropout": 0.1}},
    }
    code = f"from handrail.recipe import Recipe; print(Recipe.parse({values!r}).fingerprint())"
    environment = {"PYTHONHASHSEED": "77"}
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()
    assert other == Recipe.parse(values).fingerprint()
    assert len(other) == 12


def test_the_fingerprint_changes_with_each_setting() -> None:
    changes: dict[str, Any] = {
        "name": "other",
        "seed": 1,
        "model": "linear",
        "model.mlp.dropout": 0.1,
        "objective.loss": "mse",
        "objective.penalties": ["l2"],
        "learning": "rosenblatt",
        "learning.gradient.optimizer": "sgd",
        "data.source": "a.csv",
        "data.target": "y",
        "data.target ": 1,
        "data.task": "binary",
        "data.positive": "yes",
        "data.read.header": False,
        "data.columns.a": "numeric",
        "data.drop": ["a"],
        "data.validation": "v.csv",
        "data.test": "t.csv",
        "data.split.seed": 1,
        "data.split.test": 0.2,
        "data.sample": 0.5,
        "data.duplicates": "drop",
        "data.balance": "oversample",
        "data.encoding.rare": 2,
        "data.encoding.scaling": "none",
        "training.epochs": 3,
        "training.batch_size": 8,
        "training.validate_every": 2,
        "training.patience": None,
        "training.min_delta": 0.1,
        "training.checkpoint_seconds": 1,
        "training.device": "cpu",
        "training.threads": 1,
        "evaluation.calibrate": False,
        "evaluation.threshold": 0.4,
        "evaluation.resamples": 200,
        "evaluation.confidence": 0.9,
    }
    fingerprints = {
        Recipe().fingerprint(),
        *(Recipe().with_values({path.strip(): value}).fingerprint() for path, value in changes.items()),
    }
    assert len(fingerprints) == len(changes) + 1


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "section",
    [
        lambda number: {"training": {"min_delta": number}},
        lambda number: {"training": {"checkpoint_seconds": number}},
        lambda number: {"data": {"positive": number}},
        lambda number: {"data": {"encoding": {"missing": "constant", "fill": number}}},
        lambda number: {"data": {"read": {"limits": {"unpacked": number}}}},
        lambda number: {"model": {"torch.nn:Dropout": {"p": number}}},
        lambda number: {
            "learning": {"gradient": {"optimizer": {"torch.optim:Adam": {"betas": [0.9, number]}}}}
        },
    ],
)
def test_a_number_that_json_cannot_write_is_refused(
    section: Callable[[float], dict[str, Any]], number: float
) -> None:
    with pytest.raises(RecipeError, match=r"found .*(nan|inf).*(finite number|expected)"):
        Recipe.parse(section(number))
