"""Recipes: valid ones of which one place, or several, hold what does not belong there."""

import json
from random import Random
from typing import Any

from fuzz.case import Case
from fuzz.formats import as_csv
from fuzz.media import write_kind
from fuzz.oddities import NAMES, VALUES, spoil_bytes, spoil_plain, spoil_text
from fuzz.tables import TARGETS, make_grid
from system.kinds import KINDS

LONG = (
    "epochs",
    "resamples",
    "trials",
    "replicas",
    "folds",
    "layers",
    "depth",
    "steps",
    "patience",
    "thaw_after",
)


def _component(rng: Random, kind: str, *, odd: bool) -> Any:
    """A random component, by name, with none, some or odd arguments."""
    from handrail.components import available, settings

    entries = available(kind)
    name = rng.choice(sorted(entries))
    arguments = {}
    for argument, parameter in settings(entries[name]).items():
        if rng.random() < 0.3:
            arguments[argument] = _argument(rng, argument, parameter.default, odd=odd)
    if odd and rng.random() < 0.1:
        arguments[rng.choice(NAMES)] = 1
    return {name: arguments} if arguments else rng.choice((name, {name: {}}, {name: None}))


def _argument(rng: Random, name: str, default: Any, *, odd: bool) -> Any:  # noqa: PLR0911
    """Mostly near the default; networks stay small, for it is not their size that is on trial."""
    if odd and rng.random() < 0.4:
        return _odd(rng, name)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return rng.choice((1, 2, 3, 4))
    if isinstance(default, float):
        return rng.choice((default, default / 2, 0.0, 0.5, 1.0, 10.0))
    if isinstance(default, tuple | list):
        return rng.choice(([], [2], [2, 3], [4, 4, 4]))
    nested = {"optimizer": "optimizer", "schedule": "schedule", "clip": "clip", "activation": "activation"}
    if name in nested:
        return _component(rng, nested[name], odd=odd)
    return rng.choice((default if isinstance(default, str) else None, "auto", "relu", 1))


def _odd(rng: Random, name: str) -> Any:
    """An odd value; of what takes long if there is much of it, no large number."""
    values = [
        value for value in VALUES if not (name in LONG and isinstance(value, int | float) and value > 4)
    ]
    return rng.choice(values)


def make_recipe(rng: Random, source: str, target: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """A valid recipe with settings of its kind of data and some of the others."""
    recipe: dict[str, Any] = {
        "name": "fuzz",
        "seed": rng.randrange(9),
        "data": {"source": source, **({"target": target} if target else {})},
        "training": {"epochs": 1, "batch_size": 16, "precision": "float32", "patience": 1},
        "evaluation": {"resamples": 100},
    }
    for path, value in changes.items():
        inside, *keys = recipe, *path.split(".")
        for key in keys[:-1]:
            inside = inside.setdefault(key, {})
        inside[keys[-1]] = value
    return json.loads(json.dumps(recipe))


def add_settings(case: Case, recipe: dict[str, Any], *, odd: bool) -> None:
    """Settings and components of random sections, all of the right type unless `odd`."""
    rng = case.rng
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        what = rng.randrange(11)
        if what == 0:
            recipe["model"] = _component(rng, "model", odd=odd)
        elif what == 1:
            recipe["learning"] = _component(rng, "rule", odd=odd)
        elif what == 2:
            recipe["learning"] = {"gradient": {"optimizer": _component(rng, "optimizer", odd=odd)}}
        elif what == 3:
            recipe["learning"] = {"gradient": {"schedule": _component(rng, "schedule", odd=odd)}}
        elif what == 4:
            recipe.setdefault("objective", {})["loss"] = _component(rng, "loss", odd=odd)
        elif what == 5:
            recipe.setdefault("objective", {})["penalties"] = [_component(rng, "penalty", odd=odd)]
        elif what == 6:
            recipe["data"]["augment"] = [
                _component(rng, "augmentation", odd=odd) for _ in range(rng.choice((1, 2)))
            ]
        elif what == 7:
            recipe["model"] = {
                "stack": {"layers": [_component(rng, "layer", odd=odd) for _ in range(rng.choice((1, 2, 3)))]}
            }
        elif what == 8:
            recipe["tuning"] = {"space": _space(rng), "trials": 2, "workers": 1}
        else:
            _add_setting(rng, recipe)
    if odd and rng.random() < 0.15:
        recipe["model"] = rng.choice(
            (
                "torch.nn:Linear",
                "torch.nn:Module",
                {"torch.nn:Linear": {"in_features": 4, "out_features": 1}},
                "os.path:join",
                "this:that",
                {"torch.nn:Nothing": {}},
                {"os:system": {"command": "true"}},
                {"mlp": {}, "cnn": {}},
            )
        )


def _space(rng: Random) -> Any:
    return rng.choice(
        (
            {"training.batch_size": [8, 16]}, {"training.batch_size": {"low": 2, "high": 9}},
            {"model": ["linear", "mlp"]},
            {"learning.gradient.optimizer.adamw.learning_rate": {"low": 1e-3, "high": 1, "log": True}},
            {"x": [1]}, [],
            {"training.batch_size": []}, {"training.batch_size": {"low": 9, "high": 2}},
            {"training.batch_size": 3}, {"": [1]},
            {"training.batch_size": {"low": 0, "high": 1, "log": True}}, {"data.target": ["x", "y"]},
            {"seed": [1, "x"]},
            {"training.batch_size": {"choices": 3}}, {"training.batch_size": {"low": "a",
            "high": float("nan")}}, {1: [2]},
        )
    )  # fmt: skip


def _add_setting(rng: Random, recipe: dict[str, Any]) -> None:
    """A setting of a section, near its default."""
    from handrail.recipe import Recipe

    section = rng.choice(("data", "training", "evaluation", "transfer", "tuning", "objective"))
    values: Any = getattr(Recipe(), section)
    name = rng.choice(
        [name for name in type(values).model_fields if name not in ("source", "target", "device")]
    )
    default = getattr(values, name)
    if hasattr(type(default), "model_fields"):
        inside = rng.choice(list(type(default).model_fields))
        value: Any = {inside: _argument(rng, inside, getattr(default, inside), odd=False)}
    else:
        value = _argument(rng, name, default, odd=False)
    recipe.setdefault(section, {})[name] = value


def _table(case: Case) -> tuple[str, Any, dict[str, Any]]:
    grid = make_grid(case.rng, 40, case.rng.choice(TARGETS))
    path = case.data / "table.csv"
    path.write_text(as_csv(case.rng, grid))
    target: Any = grid.target[0] if len(grid.target) == 1 else grid.target
    return str(path), target, {"model": {"mlp": {"hidden": [4]}}}


def generate(case: Case) -> None:
    """A command with a recipe, or with settings of it on the command line."""
    rng = case.rng
    if rng.random() < 0.7:
        source, target, changes = _table(case)
    else:
        name = rng.choice(list(KINDS))
        source, target, changes = str(write_kind(case, name)), KINDS[name].target, KINDS[name].changes
        case.note(name)
    odd = rng.random() < 0.6
    recipe = make_recipe(rng, source, target, changes)
    add_settings(case, recipe, odd=odd)
    if rng.random() < 0.6:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            spared = {
                name: recipe.pop(name) for name in ("evaluation",) if name in recipe and rng.random() < 0.7
            }
            recipe, how = _spoil_recipe(rng, recipe)
            if isinstance(recipe, dict):
                recipe |= spared
            case.note(how)
            if not isinstance(recipe, dict):
                break
    _command(case, recipe, source)


def _spoil_recipe(rng: Random, recipe: dict[str, Any]) -> tuple[Any, str]:
    """One place spoiled; epochs, trials and the like stay few."""
    spoiled, how = spoil_plain(rng, recipe)
    if any(f"{name} = " in how for name in LONG):
        name = next(name for name in LONG if f"{name} = " in how)
        found = _find(spoiled, name)
        if isinstance(found, int | float) and found > 4:
            return recipe, "nothing"
    return spoiled, how


def _find(values: Any, name: str) -> Any:
    if isinstance(values, dict):
        if name in values:
            return values[name]
        values = list(values.values())
    found = [_find(value, name) for value in values] if isinstance(values, list) else []
    return next((value for value in found if value is not None), None)


def _command(case: Case, recipe: Any, source: str) -> None:
    rng = case.rng
    tunes = isinstance(recipe, dict) and "tuning" in recipe
    command = rng.choice(("check",) * 3 + (("tune",) * 4 if tunes else ("fit",) * 4))
    out = ["-o", case.out("run"), "-q"] if command != "check" else []
    out += ["--trust"] if rng.random() < 0.15 else []
    if rng.random() < 0.25 and isinstance(recipe, dict):
        changes = [
            f"--set={path}={json.dumps(value)}" for path, value in _leaves(recipe) if path != "data.source"
        ]
        case.arguments = [command, *(change.replace("\0", "") for change in changes), *out, "--", source]
        return
    path = case.data / "recipe.yaml"
    text = json.dumps(recipe, indent=rng.choice((None, 1))) if rng.random() < 0.3 else _yaml(recipe)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.15:
        text, how = spoil_text(rng, text)
        data = text.encode("utf-8", "surrogatepass")
        case.note(how)
    elif rng.random() < 0.06:
        data, how = spoil_bytes(rng, data)
        case.note(how)
    if b"epochs: 1\n" not in data and b'"epochs": 1' not in data and command != "check":
        # the number of epochs was lost: it would be a hundred
        command, out = "check", [option for option in out if option == "--trust"]
        case.outputs.clear()
    path.write_bytes(data)
    case.arguments = [command, *out, "--", str(path)]


def _yaml(recipe: Any) -> str:
    import yaml

    return yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False)


def _leaves(values: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in values.items():
        path = f"{above}.{key}" if above else str(key)
        is_section = isinstance(value, dict) and value and above == "" and key not in ("model", "learning")
        found += _leaves(value, path) if is_section else [(path, value)]
    return found
