"""Let a network write a text, or make pictures of one: tokens are drawn one by one."""

from typing import Any

import polars as pl
import torch

from handrail.components.arguments import Count, NonNegative
from handrail.data.encoders.codes import UNKNOWN
from handrail.errors import DataError, did_you_mean
from handrail.pipeline import Pipeline
from handrail.runs.answers.predict import Answers, made_pictures
from handrail.tasks.next_token import LENGTH, TEMPERATURE, sample
from handrail.tasks.uses import Given, Seed, refuse_given
from handrail.tools.interface import argument, argument_name
from handrail.tools.words import list_some


def generate_texts(
    pipeline: Pipeline,
    *,
    rows: Count = 1,
    start: str = "\n",
    length: Count = LENGTH,
    temperature: NonNegative = TEMPERATURE,
    seed: Seed = 0,
    given: dict[str, Given] | None = None,
) -> Answers:
    """Texts of a language model, a row each; text number i is drawn with seed + i. See `generate_text`."""
    refuse_given(given)
    how: Any = {"length": length, "temperature": temperature}
    texts = [generate_text(pipeline, start, seed=seed + place, **how) for place in range(rows)]
    return Answers(pl.DataFrame({"text": texts}), [])


def generate_text(
    pipeline: Pipeline,
    start: str,
    *,
    length: int = LENGTH,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> str:
    """Let a language model continue the text `start`.

    Arguments:
        length: tokens to add.
        temperature: sampling temperature; 0 is greedy.
        seed: random seed.

    Raises: `DataError` when the network is no language model, or knows no token of the start.
    """
    if pipeline.task.name != "next-token":
        raise DataError(
            f"the network answers {pipeline.task.name}, and writes no text; expected one trained with "
            "data.task=next-token."
        )
    encoder: Any = pipeline.encoder
    tokenizer = encoder.column.tokenizer
    codes = tokenizer.begin(start)
    pieces = tokenizer.pieces(start or "\n")
    unseen = dict.fromkeys(piece for piece, code in zip(pieces, codes, strict=False) if code == UNKNOWN)
    if unseen or not codes:
        found = list_some([f"'{piece}'" for piece in unseen]) or "nothing"
        raise DataError(
            f"{argument_name('start')}: found {found}, which did not occur in training; expected "
            f"{tokenizer.expected}."
        )
    tokens = torch.tensor([codes], dtype=torch.int64, device=pipeline.device)
    generator = torch.Generator(device=pipeline.device).manual_seed(seed)
    context = pipeline.encoder.shape.length  # pyright: ignore[reportAttributeAccessIssue]
    how: Any = {"steps": length, "context": context, "temperature": temperature}
    tokens = sample(pipeline.network, tokens, generator=generator, **how)
    return tokenizer.decode(tokens[0].tolist())


def generate_pictures(
    pipeline: Pipeline,
    *,
    caption: str | None = None,
    rows: Count = 16,
    temperature: NonNegative = 1.0,
    seed: Seed = 0,
    given: dict[str, Given] | None = None,
) -> Answers:
    """Pictures of what a caption says, as the network draws them, beside their tokens.

    Arguments:
        rows: how many pictures.
        temperature: sampling temperature; 0 takes the likeliest token, so that all pictures are alike.
        seed: random seed.

    Raises: `DataError` without a caption, and for words that did not occur in training, with known ones that
        are alike.
    """
    refuse_given(given)
    if caption is None:
        needed = argument("caption", "WHAT IT SHOWS")
        raise DataError(f"a picture is made from a text; say what it is to show ({needed}).")
    encoder, task = pipeline.encoder, pipeline.decoder
    column: Any = encoder.column  # pyright: ignore[reportAttributeAccessIssue]
    _refuse_unknown_words(column.tokenizer, caption, length=column.length)
    texts = column.rows(pl.Series(column.name, [caption] * rows, dtype=pl.String))
    how: Any = {"temperature": temperature, "seed": seed}
    frame, maps = made_pictures(*task.draw(pipeline.network, texts, **how))  # pyright: ignore
    return Answers(frame.insert_column(0, pl.Series("caption", [caption] * rows)), [], maps)


def _refuse_unknown_words(tokenizer: Any, caption: str, *, length: int) -> None:
    """Raises: `DataError` for an empty caption, one that is too long, and words never seen in training."""
    codes, pieces = tokenizer.encode([caption])[0], tokenizer.pieces(caption)
    where = argument_name("caption")
    if not codes:
        raise DataError(f"{where}: found nothing; expected what the picture is to show, in words.")
    unseen = dict.fromkeys(
        piece for piece, code in zip(pieces, codes, strict=False) if code == UNKNOWN and piece
    )
    if unseen:
        known = tokenizer.known
        told = (f"'{piece}' did not occur in training.{did_you_mean(piece, known)}" for piece in unseen)
        raise DataError(f"{where}: {' '.join(told)}")
    if len(codes) > length:
        raise DataError(
            f"{where}: found {len(codes)} tokens; the network reads at most {length}. Say it in fewer words."
        )
