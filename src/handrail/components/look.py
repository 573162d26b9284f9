"""What is found where somebody looks into a network: a table, pictures, and what to say of them."""

from dataclasses import dataclass, field

import polars as pl

from handrail.components.pictures import Picture


@dataclass(frozen=True, eq=False, kw_only=True)
class Look:
    """What views and audits have in common.

    Arguments:
        title: of what was looked for.
        table: what is to be read, a line for a layer, a column, a group …; empty where there are pictures
            alone.
        pictures: of the same numbers.
        note: of which rows, how often, and how to read it.
        source: of the method.
    """

    title: str
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    pictures: tuple[Picture, ...] = ()
    note: str = ""
    source: str = ""
