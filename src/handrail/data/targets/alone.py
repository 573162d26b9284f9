"""What of a table is learned without a target, and which columns only judge."""

from dataclasses import replace

from handrail.data.columns.column import STORED_KINDS
from handrail.data.columns.names import without
from handrail.data.table import Table
from handrail.data.targets.find import find_factors, find_label
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe
from handrail.tools.words import list_some


def without_target(table: Table, recipe: DataRecipe) -> Table:
    """The table as it is learned without a target; as its `target` the label, where there is one, and the
    factors beside it.

    Left out is what somebody said about the rows rather than what they are: masks, boxes, and parts of the
    names of files, except for those that the recipe names.

    Raises: `DataError` for a label or a factor that there is not, or that is a mask, boxes or a picture.
    """
    factors = find_factors(table.frame.columns, recipe.factors, own=table.target, drop=recipe.drop)
    if items := [name for name in factors if name in table.stores]:
        kind = table.stores[items[0]].kind
        raise DataError(
            f"data.factors: '{items[0]}' is of kind {kind}; expected columns of words or numbers."
        )
    label = find_label(table.frame.columns, recipe.label, own=table.target, drop=recipe.drop)
    answers = [name for name, store in table.stores.items() if store.kind not in STORED_KINDS]
    stored = table.stores.get(label or "")
    if recipe.label is not None and stored is not None:
        raise DataError(
            f"data.label: '{label}' is of kind {stored.kind}; expected a column of words or numbers."
        )
    named = {label, *factors, recipe.split.column, *recipe.drop, *recipe.columns}
    left_out = [*answers, *(name for name in table.name_parts if name not in named)]
    if not left_out:
        return replace(table, target=label, factors=factors)
    names = list_some((f"'{name}'" for name in left_out), last=" and ")
    return replace(
        table,
        frame=without(table.frame, left_out),
        stores={name: store for name, store in table.stores.items() if name not in left_out},
        notes=(*table.notes, f"learned without a target and without {names}"),
        target=None if label in left_out else label,
        factors=factors,
    )
