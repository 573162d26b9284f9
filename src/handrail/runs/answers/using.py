"""What a run does besides answering, each as a method: codes, reconstructions, densities, new rows, texts.

What a use does not need is imported where it is used: `handrail predict` starts in half the time.
"""

import functools
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from handrail.data.table import Table
from handrail.errors import DataError
from handrail.pipeline import Pipeline
from handrail.recipe.reading import ReadOptions
from handrail.runs.answers.predict import Answers
from handrail.tasks.next_token import LENGTH, TEMPERATURE

BLOCK = 65_536  # rows that are made at once


class Using:
    """The uses of a run that can read rows and has a pipeline.

    at_once: how many rows `generate_blocks` makes at a time.
    """

    at_once = BLOCK

    if TYPE_CHECKING:

        @functools.cached_property
        def pipeline(self) -> Pipeline: ...
        def read(self, source: Any, *, options: ReadOptions | None = None) -> Table: ...

    @property
    def uses(self) -> list[str]:
        """What the network can do besides answering, by the names that `use` takes."""
        from handrail.runs.answers.uses import available_uses

        return list(available_uses(self.pipeline))

    def use(
        self,
        name: str,
        source: Any = None,
        *,
        read_options: ReadOptions | None = None,
        skip_bad: bool = False,
        **arguments: Any,
    ) -> Answers:
        """Use the network otherwise than to predict: encode, reconstruct, generate, fill, recall, score.

        Arguments:
            name: one of `uses`.
            source: rows, as `predict` takes them, for a use that needs some.
            arguments: those of the use (`handrail list use`).

        Raises: `DataError`, `RecipeError` for a use or an argument that there is not, and as `predict`.
        """
        return self.use_with(name, source, arguments, read_options=read_options, skip_bad=skip_bad)

    def use_with(
        self,
        name: str,
        source: Any,
        arguments: Mapping[str, Any],
        *,
        read_options: ReadOptions | None = None,
        skip_bad: bool = False,
    ) -> Answers:
        """As `use`, with the arguments of the use as a mapping, so that they may have any name."""
        from handrail.runs.answers.uses import use_pipeline

        table = None if source is None else self.read(source, options=read_options)
        return use_pipeline(self.pipeline, name, table, arguments, skip_bad=skip_bad)

    def encode(self, source: Any, **arguments: Any) -> Answers:
        """The code of each row; see `tasks.uses.encode`. Arguments and errors as `use`."""
        return self.use("encode", source, **arguments)

    def reconstruct(self, source: Any, **arguments: Any) -> Answers:
        """Each row, encoded and decoded; see `tasks.uses.reconstruct`. Arguments and errors as `use`."""
        return self.use("reconstruct", source, **arguments)

    def interpolate(self, source: Any, **arguments: Any) -> Answers:
        """Rows on the way from each row to the next; by codes. Arguments and errors as `use`."""
        return self.use("interpolate", source, **arguments)

    def translate(self, source: Any, *, to: Any = None, **arguments: Any) -> Answers:
        """Each row of one domain as of the domain `to`; see `tasks.uses.translate`. Errors as `use`."""
        return self.use("translate", source, to=to, **arguments)

    def score(self, source: Any, **arguments: Any) -> Answers:
        """How usual each row is; see `tasks.uses.score`. Arguments and errors as `use`."""
        return self.use("score", source, **arguments)

    def fill(self, source: Any, **arguments: Any) -> Answers:
        """The table with its gaps filled; see `tasks.uses.fill`. Arguments and errors as `use`."""
        return self.use("fill", source, **arguments)

    def generate(
        self, rows: int = 16, *, seed: int = 0, given: dict[str, Any] | None = None, **arguments: Any
    ) -> Answers:
        """New rows; of a language model, texts; of one that makes pictures from texts, such pictures.

        Arguments:
            rows: how many.
            seed: of the random numbers; text number i is drawn with seed + i.
            given: of a network that was told a column, its class: `given={"kind": "setosa"}`.
            arguments: others of `tasks.uses.generate`; for texts `start`, `length` and `temperature`, as
                `sample`; for pictures from texts `caption`, which they need, and `temperature`.

        Raises: `DataError` for a network that makes no rows, or a caption with words never seen in training;
            errors as `use`.
        """
        from handrail.runs.answers.uses import generate_rows

        return generate_rows(self.pipeline, {"rows": rows, "seed": seed, "given": given, **arguments})

    def resolve_generation(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What `generate` is asked for, with every default written out. Errors as `generate`."""
        from handrail.runs.answers.uses import resolve_generation

        return resolve_generation(self.pipeline, arguments)

    def generate_blocks(
        self, rows: int, *, seed: int = 0, given: dict[str, Any] | None = None, **arguments: Any
    ) -> Generator[Answers]:
        """As `generate`, 65,536 rows at a time, so that there may be any number.

        Rows behind the first block are drawn with seeds that follow from this one.

        Raises: `DataError` for pictures and sounds, which are made at once; errors as `generate`.
        """
        from handrail.training.seeds import derive

        for block, start in enumerate(range(0, rows, BLOCK)):
            own = seed if not block else derive(seed, "rows", block)
            answers = self.generate(min(BLOCK, rows - start), seed=own, given=given, **arguments)
            if answers.maps:
                raise DataError(
                    f"found {rows:,} rows to generate; pictures and sounds are made at once, expected at "
                    f"most {BLOCK:,}."
                )
            yield answers

    def draw_pictures(
        self, caption: str | None = None, *, rows: int = 1, temperature: float = 1.0, seed: int = 0
    ) -> Answers:
        """Pictures of what a caption says; see `handrail.runs.answers.generate.generate_pictures`.

        Raises: `DataError` when the network makes no pictures from texts, or there is no caption.
        """
        from handrail.runs.answers.generate import generate_pictures

        if self.pipeline.task.name != "text-to-image":
            made = self.pipeline.task.name
            raise DataError(f"the network answers {made}, and makes no pictures from texts.")
        how: Any = {"rows": rows, "temperature": temperature, "seed": seed}
        return generate_pictures(self.pipeline, caption=caption, **how)

    def sample(
        self, start: str = "\n", *, length: int = LENGTH, temperature: float = TEMPERATURE, seed: int = 0
    ) -> str:
        """Let a language model continue `start`; see `handrail.runs.answers.generate.generate_text`.

        Raises: `DataError` when the network is no language model.
        """
        from handrail.runs.answers.generate import generate_text

        return generate_text(self.pipeline, start, length=length, temperature=temperature, seed=seed)
