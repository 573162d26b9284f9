"""What there is to say of a system of the zoo, and the recipe that fits it."""

from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from handrail.errors import did_you_mean

# What systems have in common, in the order of the table. A newcomer adds a family here.
FAMILIES = (
    "neuron",
    "feed-forward",
    "kernel",
    "convolution",
    "recurrent",
    "attention",
    "autoencoder",
    "generative",
    "energy",
    "prototypes",
    "reservoir",
    "memory",
    "without back-propagation",
    "behaviour",
)

# The legend of the chart of neural networks, without the word "cell" (van Veen & Leijnen 2019).
CELLS = (
    "input",
    "backfed input",
    "noisy input",
    "hidden",
    "probabilistic hidden",
    "spiking hidden",
    "capsule",
    "output",
    "match input output",
    "recurrent",
    "memory",
    "gated memory",
    "kernel",
    "convolution or pool",
)


def _one_of(names: tuple[str, ...], what: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"there is no {what} '{name}'.{did_you_mean(name, names)}".removesuffix("."))
        return name

    return AfterValidator(check)


_Line = Annotated[str, Field(min_length=1, max_length=110, pattern=r"^\S[^\n]*$")]


class Entry(BaseModel):
    """A system of the zoo.

    Arguments:
        name: as in `handrail zoo NAME`; that of the file.
        title: what people call it, with the short form of the chart where it has one: `Perceptron (P)`.
        family: one of `FAMILIES`.
        year: of its source.
        source: author and year, as components name them.
        rule: the learning rule by its name in `handrail list rule`.
        cells: the kinds of cells that it is made of, of `CELLS`, from the inputs on.
        line: what it is, in one line.
        slow: whether the fit takes more than two minutes on two cores.
        needs: what it needs that is not bundled, such as a data set; empty for nothing.
        recipe: plain data, complete.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: _Line
    family: Annotated[str, _one_of(FAMILIES, "family")]
    year: Annotated[int, Field(ge=1800, le=2100)]
    source: _Line
    rule: _Line
    cells: Annotated[tuple[Annotated[str, _one_of(CELLS, "cell")], ...], Field(min_length=1)]
    line: _Line
    slow: bool = False
    needs: str = ""
    recipe: Annotated[dict[str, Any], Field(min_length=1)]

    def facts(self) -> dict[str, Any]:
        """All but the recipe, as plain data."""
        return self.model_dump(mode="json", exclude={"recipe"})

    def recipe_text(self) -> str:
        """The recipe as YAML, to start from."""
        return yaml.safe_dump(self.recipe, sort_keys=False, allow_unicode=True, width=100)
