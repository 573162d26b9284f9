"""Weights between all pairs of units: whether they fit into memory."""

from handrail.errors import RecipeError
from handrail.tools.machine import free_memory


def refuse_large(model: str, units: int, *, copies: int, instead: str) -> None:
    """Raises: `RecipeError` for units whose weights, a number for each pair, take more memory than is free.

    Arguments:
        copies: of the weights that training holds at once.
        instead: what else can be done, after smaller rows.
    """
    needed, free = 4 * units**2, free_memory()
    if copies * needed > free:
        raise RecipeError(
            f"model.{model}: {units:,} units have {units:,}² = {units**2:,} weights, which take "
            f"{needed / 1e9:,.1f} GB, with the copies that training keeps {copies * needed / 1e9:,.1f} GB; "
            f"{free / 1e9:,.1f} GB of memory are free. Expected fewer columns or smaller pictures "
            f"(data.images.size), or {instead}."
        )
