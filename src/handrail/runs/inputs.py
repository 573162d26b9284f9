"""Scales that suit models which take numbers from 0 to 1 alone."""

import polars as pl

from handrail.data.columns.schema import Schema
from handrail.data.part import Part
from handrail.errors import RecipeError
from handrail.recipe import Recipe
from handrail.recipe.alone import alone_of, takes_unit
from handrail.tools.words import list_some


def suit_inputs(recipe: Recipe, part: Part, *, schema: Schema) -> Recipe:
    """The recipe with scales that suit its model: pictures from 0 to 1, columns as they are.

    Raises: `RecipeError` for other columns where the model takes numbers from 0 to 1 alone.
    """
    first = recipe.stages[0].model if recipe.stages else recipe.model
    unit = takes_unit(first)
    images = recipe.data.images.scaling
    if schema.of_kind("image") and images == "auto":
        return recipe.with_values({"data.images.scaling": "unit" if unit else "standard"})
    if not unit:
        return recipe
    if images == "standard":
        raise RecipeError(
            "data.images.scaling: found standard, but the model's visible units are 0 or 1; expected auto or "
            "unit."
        )
    alone = alone_of(first)
    assert alone is not None, "it takes numbers from 0 to 1"
    found = _beyond(part.sample.features, schema, scaled=recipe.data.encoding.scaling == "minmax")
    if found:
        raise RecipeError(
            f"model: its visible units are 0 or 1, but there are other values in {list_some(found, most=5)}; "
            f"expected zeros and ones, yes and no, or words. {alone.real} takes real numbers; grey "
            "levels and shares are put between 0 and 1 by data.encoding.scaling=minmax."
        )
    if recipe.data.encoding.scaling == "standard" and schema.of_kind("numeric"):
        return recipe.with_values({"data.encoding.scaling": "none"})
    return recipe


def _beyond(features: pl.DataFrame, schema: Schema, *, scaled: bool) -> list[str]:
    """Columns that do not become numbers from 0 to 1."""
    names = [column.name for column in schema.of_kind("datetime", "series", "audio", "text")]
    if scaled:
        return names
    for column in schema.of_kind("numeric"):
        values = features[column.name].drop_nulls().drop_nans()
        if not values.is_in([0.0, 1.0]).all():
            names.append(column.name)
    return names
