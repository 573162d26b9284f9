"""Series of bits whose answer an algorithm gives; the test rows are longer than those that are learned from.

A row is read to its end, and the answer is asked for at its last steps, while nothing more comes in.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import polars as pl
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.data.sources.toys.toy import Rows, Seed, Toy
from handrail.data.stores.store import place_column
from handrail.errors import DataError

Length = Annotated[int, Field(ge=1, le=1000)]
Bits = Annotated[int, Field(ge=1, le=64)]
_TEST = 2  # the code of the part
_MOST = 50_000_000  # numbers, 400 MB
_TAKEN = 0.8  # of the vectors that are sorted, in the paper 16 of 20

Given = Float[np.ndarray, "channels steps"]
Asked = Float[np.ndarray, "bits steps"]
Draw = Callable[[int], tuple[Given, Asked]]
Parts = tuple[tuple[int, int, int], tuple[int, int, int]]
"How many rows, their shortest and their longest length: for training and validation, and for the test."


@component("toy")
def copy(
    *,
    rows: Rows = 5000,
    test_rows: Rows = 500,
    bits: Bits = 8,
    shortest: Length = 1,
    longest: Length = 20,
    test_shortest: Length = 21,
    test_longest: Length = 40,
    seed: Seed = 0,
) -> Toy:
    """Copy: random vectors of bits and a mark, then as many steps at which they are to be given again.

    Arguments:
        rows, test_rows: how many rows are for training and validation, and how many for the test.
        bits: of a vector.
        shortest, longest: vectors of a row in training and validation, uniform.
        test_shortest, test_longest: vectors of a test row.

    Source: Graves, Wayne & Danihelka 2014
    """
    generator = np.random.default_rng(seed)

    def draw(length: int) -> tuple[Given, Asked]:
        vectors = generator.integers(0, 2, (bits, length))
        return _join(_mark(bits + 1, bits), [_widen(vectors, bits + 1)], vectors)

    parts = ((rows, shortest, longest), (test_rows, test_shortest, test_longest))
    return _collect(draw, generator, parts, "vectors")


@component("toy")
def repeat_copy(
    *,
    rows: Rows = 5000,
    test_rows: Rows = 500,
    bits: Bits = 8,
    shortest: Length = 1,
    longest: Length = 10,
    most: Annotated[int, Field(ge=2, le=100)] = 10,
    test_shortest: Length = 11,
    test_longest: Length = 20,
    seed: Seed = 0,
) -> Toy:
    """Repeat copy: random vectors of bits and a number, then the vectors as often, and a bit for the end.

    The number stands beside the mark, with mean 0 and variance 1.

    Arguments:
        rows, test_rows, bits, shortest, longest, test_shortest, test_longest: as of `copy`.
        most: the largest number of repeats, from 1 on, in training, validation and test.

    Source: Graves, Wayne & Danihelka 2014
    """
    generator = np.random.default_rng(seed)
    spread = np.sqrt((most**2 - 1) / 12)

    def draw(length: int) -> tuple[Given, Asked]:
        vectors, repeats = generator.integers(0, 2, (bits, length)), int(generator.integers(1, most + 1))
        mark = _mark(bits + 2, bits)
        mark[-1] = (repeats - (most + 1) / 2) / spread
        answer = np.zeros((bits + 1, repeats * length + 1))
        answer[:bits, :-1] = np.tile(vectors, repeats)
        answer[bits, -1] = 1
        return _join(mark, [_widen(vectors, bits + 2)], answer)

    parts = ((rows, shortest, longest), (test_rows, test_shortest, test_longest))
    return _collect(draw, generator, parts, "vectors")


@component("toy")
def associative_recall(
    *,
    rows: Rows = 5000,
    test_rows: Rows = 500,
    bits: Bits = 6,
    width: Annotated[int, Field(ge=1, le=10)] = 3,
    shortest: Annotated[int, Field(ge=2, le=100)] = 2,
    longest: Annotated[int, Field(ge=2, le=100)] = 6,
    test_shortest: Annotated[int, Field(ge=2, le=100)] = 7,
    test_longest: Annotated[int, Field(ge=2, le=100)] = 12,
    seed: Seed = 0,
) -> Toy:
    """Associative recall: items, each behind a mark, then one of them between marks: which came after it?

    Arguments:
        rows, test_rows: as of `copy`.
        bits, width: of a vector, and vectors of an item.
        shortest, longest: items of a row in training and validation, uniform.
        test_shortest, test_longest: items of a test row.

    Source: Graves, Wayne & Danihelka 2014
    """
    generator = np.random.default_rng(seed)

    def draw(length: int) -> tuple[Given, Asked]:
        items, asked = generator.integers(0, 2, (length, bits, width)), int(generator.integers(length - 1))
        pieces = [piece for item in items for piece in (_mark(bits + 2, bits), _widen(item, bits + 2))]
        question = [_mark(bits + 2, bits + 1), _widen(items[asked], bits + 2)]
        return _join(_mark(bits + 2, bits + 1), [*pieces, *question], items[asked + 1])

    parts = ((rows, shortest, longest), (test_rows, test_shortest, test_longest))
    return _collect(draw, generator, parts, "items")


@component("toy")
def priority_sort(
    *,
    rows: Rows = 5000,
    test_rows: Rows = 500,
    bits: Bits = 8,
    shortest: Length = 2,
    longest: Length = 10,
    test_shortest: Length = 11,
    test_longest: Length = 20,
    seed: Seed = 0,
) -> Toy:
    """Priority sort: vectors with a number each, −1 to 1, and a mark, then the first four fifths by number.

    The largest comes first.

    Arguments:
        rows, test_rows, bits, shortest, longest, test_shortest, test_longest: as of `copy`.

    Source: Graves, Wayne & Danihelka 2014
    """
    generator = np.random.default_rng(seed)

    def draw(length: int) -> tuple[Given, Asked]:
        vectors, numbers = generator.integers(0, 2, (bits, length)), generator.uniform(-1, 1, length)
        given = _widen(vectors, bits + 2)
        given[-1] = numbers
        order = np.argsort(-numbers, kind="stable")[: max(1, int(_TAKEN * length))]
        return _join(_mark(bits + 2, bits), [given], vectors[:, order])

    parts = ((rows, shortest, longest), (test_rows, test_shortest, test_longest))
    return _collect(draw, generator, parts, "vectors")


def _draw_parts(draw: Draw, generator: np.random.Generator, parts: Parts) -> list[tuple[Given, Asked]]:
    """All rows; those of the test are drawn last, so that they change no other.

    Raises: `DataError` for a shortest length above the longest, and for more numbers than fit into memory.
    """
    for name, (_, shortest, longest) in zip(("", "test_"), parts, strict=True):
        if shortest > longest:
            text = f"found {name}shortest={shortest} above {name}longest={longest}"
            raise DataError(f"a generated series of bits: {text}; expected it at most as large.")
    drawn: list[tuple[Given, Asked]] = []
    numbers = 0
    for rows, shortest, longest in parts:
        for length in generator.integers(shortest, longest + 1, rows).tolist():
            drawn.append(draw(length))
            numbers += drawn[-1][0].size + drawn[-1][1].size
            if numbers > _MOST:
                raise DataError(
                    f"a generated series of bits: the first {len(drawn):,} rows have {numbers:,} numbers "
                    f"already; expected {_MOST:,} at most. Ask for fewer or shorter rows."
                )
    return drawn


def _mark(channels: int, channel: int) -> Given:
    """A step with a mark in a channel of its own."""
    step = np.zeros((channels, 1))
    step[channel] = 1
    return step


def _widen(vectors: np.ndarray, channels: int) -> Given:
    """Vectors with empty channels for marks and numbers."""
    return np.concatenate([vectors, np.zeros((channels - len(vectors), vectors.shape[1]))])


def _join(mark: Given, pieces: list[Given], answer: np.ndarray) -> tuple[Given, Asked]:
    """What is read, the mark, and silence for the answer; and the answer, which is asked there alone."""
    silence = np.zeros((len(mark), answer.shape[1]))
    given = np.concatenate([*pieces, mark, silence], axis=1)
    asked = np.full((len(answer), given.shape[1]), np.nan)
    asked[:, -answer.shape[1] :] = answer
    return given, asked


def _collect(draw: Draw, generator: np.random.Generator, parts: Parts, what: str) -> Toy:
    """The rows for training and validation, then those for the test; lengths count `what`."""
    from handrail.data.stores.bits import BitStore  # with torch
    from handrail.data.stores.series import SeriesStore

    drawn = _draw_parts(draw, generator, parts)
    longest = max(given.shape[1] for given, _ in drawn)
    names = [f"series {number}" for number in range(1, len(drawn) + 1)]
    stores = {
        "given": SeriesStore.of_arrays([given for given, _ in drawn], names, longest=longest),
        "answer": BitStore.of_arrays([asked for _, asked in drawn], names, longest=longest),
    }
    frame = pl.DataFrame([place_column(name, len(drawn)) for name in stores])
    codes = np.repeat([0, _TEST], [rows for rows, _, _ in parts]).astype(np.int8)
    (_, *learned), (_, *tested) = parts
    note = f"the test rows have {_span(tested)} {what}, those for training and validation {_span(learned)}"
    return Toy(frame, "answer", stores=stores, parts=codes, notes=(note,))


def _span(ends: list[int]) -> str:
    shortest, longest = ends
    return f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
