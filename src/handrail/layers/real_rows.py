"""Densities of real numbers, which no other kind of number has."""

from handrail.errors import RecipeError
from handrail.shapes import InputShape, TableShape


def refuse_other_kinds(model: str, inputs: InputShape) -> None:
    """Raises: `RecipeError` for columns of zeros and ones, categories and gaps.

    Arguments:
        model: its name, for the message.
    """
    if not isinstance(inputs, TableShape) or not (inputs.bits or inputs.choices):
        return
    some = ["categories"] if inputs.choices else []
    some += ["0 or 1 (booleans, gaps)"] if inputs.bits else []
    raise RecipeError(
        f"model.{model}: takes real numbers alone, and the rows hold {' and '.join(some)}, which have no "
        "density of this kind; leave them out (data.drop), or choose model=vae, which takes all kinds."
    )
