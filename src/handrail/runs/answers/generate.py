"""Let a language model write: tokens are drawn one by one after a beginning."""

from typing import Any

import torch

from handrail.data.encoders.codes import UNKNOWN
from handrail.errors import DataError
from handrail.pipeline import Pipeline
from handrail.tasks.next_token import sample
from handrail.tools.interface import argument_name
from handrail.tools.words import list_some


def generate_text(
    pipeline: Pipeline, start: str, *, length: int, temperature: float = 0.8, seed: int = 0
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
