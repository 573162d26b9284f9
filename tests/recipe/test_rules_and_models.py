"""Every model and rule: what does not go together is refused in one message that says what does."""

from collections.abc import Iterator
from typing import Any

import pytest

from handrail.components import available
from handrail.errors import RecipeError
from handrail.recipe import compose
from handrail.recipe.alone import alone_of

MODELS = {name: entry.target for name, entry in available("model").items()}
RULES = {name: entry.target for name, entry in available("rule").items()}
TAUGHT = {name: rules for name, model in MODELS.items() if (rules := getattr(model, "rules", ()))}
WITHOUT_GRADIENT = [name for name, rules in TAUGHT.items() if "gradient" not in rules]
ALONE = [name for name in MODELS if (alone := alone_of(name)) is not None and not alone.only_stage]


def pairs_without_a_target() -> Iterator[tuple[str, str | None]]:
    """Each model that needs no target with each of its rules, or with its usual one; each rule by itself."""
    for model in ALONE:
        yield from ((model, rule) for rule in (None, *TAUGHT.get(model, ("gradient",))))
    for rule, target in RULES.items():
        if target.models and all(model in ALONE for model in target.models):
            yield "auto", rule


def message_of(**changes: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        compose("bundled:iris", changes=changes)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_the_lists_are_not_empty() -> None:
    assert {"mcculloch_pitts", "hopfield", "rbm", "boltzmann"} <= set(WITHOUT_GRADIENT)
    assert {"kmeans", "autoencoder", "hopfield"} <= set(ALONE)
    assert len(list(pairs_without_a_target())) >= 15


@pytest.mark.parametrize("model", WITHOUT_GRADIENT)
def test_learning_by_gradient_is_refused_with_the_rules_that_fit(model: str) -> None:
    message = message_of(model=model, learning="gradient")
    assert message.startswith(f"learning.gradient: cannot teach {model}; expected ")
    assert all(rule in message for rule in TAUGHT[model])


@pytest.mark.parametrize("model", TAUGHT)
def test_what_a_model_names_and_what_rules_name_agree(model: str) -> None:
    for rule in TAUGHT[model]:
        assert not RULES[rule].models or model in RULES[rule].models
        compose("bundled:iris", changes={"model": model, "learning": rule})


@pytest.mark.parametrize("rule", [name for name, target in RULES.items() if target.models])
def test_a_rule_for_some_models_refuses_others_by_name(rule: str) -> None:
    other = "mlp" if "mlp" not in RULES[rule].models else "linear"
    message = message_of(model=other, learning=rule)
    assert message.startswith(f"learning.{rule}: teaches ")
    assert all(model in message for model in RULES[rule].models)


@pytest.mark.parametrize("rule", [name for name, target in RULES.items() if target.models])
def test_a_rule_without_a_model_means_the_one_that_it_teaches(rule: str) -> None:
    recipe = compose("bundled:iris", changes={"learning": rule})
    assert recipe.model == RULES[rule].models[0]
    alone = alone_of(recipe.model)
    assert recipe.data.task == ("auto" if alone is None else alone.task)


@pytest.mark.parametrize(("model", "rule"), list(pairs_without_a_target()))
def test_a_target_is_refused_where_none_is_learned_and_a_label_offered(model: str, rule: str | None) -> None:
    learning = {} if rule is None else {"learning": rule}
    message = message_of(model=model, **learning, **{"data.target": "target"})
    assert message.startswith("data.target: has no effect on ")
    assert "label='target' (data.label) keeps the column from the rule" in message
    recipe = compose("bundled:iris", changes={"model": model, **learning, "data.label": "target"})
    assert recipe.data.label == "target"
