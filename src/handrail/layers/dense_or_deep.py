"""Models that are dense or convolutional, as suits the rows, and settings that only one kind has."""

from collections.abc import Mapping
from typing import Any, Literal

from handrail.errors import RecipeError
from handrail.shapes import ImageShape, InputShape


def pictures_of(
    inputs: InputShape,
    where: str,
    convolutional: bool | Literal["auto"],
    *,
    dense: Mapping[str, Any],
    deep: Mapping[str, Any],
    what: str,
) -> ImageShape | None:
    """The shape of the pictures that a convolutional model takes; None for a dense one.

    Arguments:
        where: the model's place in a recipe, such as `model.gan`.
        convolutional: `auto` is for images.
        dense, deep: settings of one kind alone, None where they were not given.
        what: what the settings are of, with {} for the kind.

    Raises: `RecipeError` for convolutions without pictures, and for settings of the other kind.
    """
    pictures = inputs if isinstance(inputs, ImageShape) and convolutional in ("auto", True) else None
    if convolutional is True and pictures is None:
        raise RecipeError(f"{where}.convolutional: the rows are no pictures; leave it out.")
    kind = "dense" if pictures is None else "convolutional"
    for name, value in (deep if pictures is None else dense).items():
        if value is not None:
            raise RecipeError(f"{where}.{name}: has no effect on {what.format(kind)}; leave it out.")
    return pictures
