"""Mistakes in the settings of a search, found before anything is read."""

from collections.abc import Iterator

from handrail.errors import RecipeError, did_you_mean
from handrail.recipe import Recipe
from handrail.tuning.methods import METHODS, is_known, sampler_names
from handrail.tuning.space import Range, Space, read_space, size

# sections of data that apply after the split
_ENCODED = ("encoding", "images", "text", "series", "audio", "augment", "balance")
_OF_TRAINING = ("device", "threads", "checkpoint_seconds", "replicas", "keep", "together", "compile")
_MOST_COMBINATIONS = 10_000


def check_space(recipe: Recipe) -> Space:
    """The space of a recipe.

    Raises: `RecipeError` with every mistake: names and values that the recipe does not take, settings that a
    search cannot vary, settings of the search that contradict each other or would do nothing.
    """
    space, problems = read_space(recipe.tuning.space)
    problems += [text for name in space for text in _forbid(name)]
    allowed = {name: dimension for name, dimension in space.items() if not list(_forbid(name))}
    problems += _misfits(recipe, allowed)
    problems += _contradictions(recipe, space) if space else []
    if problems:
        raise RecipeError(problems)
    return space


def choose_method(recipe: Recipe, space: Space) -> str:
    """The method's name, with `auto` settled."""
    if recipe.tuning.method != "auto":
        return recipe.tuning.method
    has_range = any(isinstance(dimension, Range) for dimension in space.values())
    return "random" if has_range or size(space) is None else "grid"


def _forbid(name: str) -> Iterator[str]:
    section, _, rest = name.partition(".")
    where = f"tuning.space: {name}: "
    if section == "seed":
        yield where + "a lucky seed is no setting; tuning.replicas trains each trial with several."
    elif section == "data" and rest.split(".")[0] not in _ENCODED:
        reason = "decides which rows are trained and judged on, or what they are, and trials are compared"
        yield f"{where}{reason} on the same rows; of data, a search can vary {', '.join(_ENCODED)}."
    elif section == "evaluation":
        yield where + "is decided when training is over, and has no part in a search."
    elif section in ("name", "tuning"):
        yield where + "has no effect on training; leave it out."
    elif section == "training" and rest in _OF_TRAINING:
        yield where + "says how trainings are run, not what comes of them; set it for all trials."


def _misfits(recipe: Recipe, space: Space) -> list[str]:
    """The mistakes that the recipe finds in each value on its own."""
    mistakes: dict[str, None] = {}
    for name, dimension in space.items():
        for value in dimension.examples():
            try:
                recipe.with_values({name: value})
            except RecipeError as error:
                mistakes |= dict.fromkeys(f"tuning.space: {text}" for text in error.problems)
    return list(mistakes)


def _contradictions(recipe: Recipe, space: Space) -> Iterator[str]:
    settings, count = recipe.tuning, size(space)
    method = choose_method(recipe, space)
    if not is_known(method):
        similar = did_you_mean(method, [*METHODS, *sampler_names()])
        yield f"tuning.method: there is no method '{method}'.{similar}"
    trials = 0 if settings.trials == "auto" else settings.trials
    if method == "grid":
        yield from _grid_mistakes(recipe, space)
    elif count is not None and trials > count and method in ("random", "halving"):
        holds = f"found {trials}, but the space holds {count} different settings"
        yield f"tuning.trials: {holds}; expected at most so many, or method: grid."
    if method == "halving" and "training.epochs" in space:
        reason = "halving gives each trial its epochs; set training.epochs for all of them"
        yield f"tuning.space: training.epochs: {reason}."
    if settings.cluster is not None and settings.workers != "auto" and settings.cluster != "local":
        yield "tuning.workers: has no effect on an existing cluster; leave it out."


def _grid_mistakes(recipe: Recipe, space: Space) -> Iterator[str]:
    if recipe.tuning.trials != "auto":
        reason = "has no effect with method: grid, which tries every combination"
        yield f"tuning.trials: {reason}; leave it out, or choose method: random."
    for name, dimension in space.items():
        if dimension.all_values() is None:
            yield f"tuning.space: {name}: a grid needs values: a list, or a step; or choose method: random."
    count = size(space)
    if count is not None and count > _MOST_COMBINATIONS:
        expected = f"{count:,} combinations; expected at most {_MOST_COMBINATIONS:,}"
        yield f"tuning.space: {expected}. Choose method: random, or fewer values."
