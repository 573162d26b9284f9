"""Text from a network that predicts the next token: one token is drawn, appended, and so on."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrail.errors import RecipeError


@torch.no_grad()
def sample(
    model: nn.Module,
    start: Int[Tensor, "rows begun"],
    *,
    steps: int,
    context: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    never: tuple[int, ...] = (0, 1),
) -> Int[Tensor, "rows length"]:
    """The start, followed by tokens drawn from p = softmax(scores / temperature), each given those before it.

    Arguments:
        model: tokens `[rows, length]` to scores `[rows, length, vocabulary]`; called in evaluation mode.
        start: at least one token for each row.
        steps: how many tokens are appended.
        context: the most tokens that the network sees; of longer texts the last ones.
        generator: of random numbers, on the device of `start`.
        temperature: sampling temperature; 0 is greedy.
        top_k: draw from this number of the most probable tokens; by default from all.
        never: tokens that are not drawn, by default padding and unknown.

    Returns: `[rows, begun + steps]`.

    Raises: `RecipeError` for settings out of range, or a start without a token.

    Source: Radford et al. 2018; top-k: Fan, Lewis & Dauphin 2018
    """
    _check(start, steps, context, temperature, top_k)
    trained = model.training
    model.eval()
    try:
        tokens = start
        for _ in range(steps):
            scores = model(tokens[:, -context:])[:, -1].float()
            tokens = torch.cat([tokens, _draw(scores, temperature, top_k, never, generator)], dim=1)
        return tokens
    finally:
        model.train(trained)


def _draw(
    scores: Float[Tensor, "rows vocabulary"],
    temperature: float,
    top_k: int | None,
    never: tuple[int, ...],
    generator: torch.Generator,
) -> Int[Tensor, "rows 1"]:
    scores = scores.index_fill(1, torch.tensor(never, dtype=torch.long, device=scores.device), -torch.inf)
    if temperature == 0:
        return scores.argmax(dim=1, keepdim=True)
    if top_k is not None:
        values, places = scores.topk(min(top_k, scores.shape[1]), dim=1)
        scores = torch.full_like(scores, -torch.inf).scatter(1, places, values)
    return torch.multinomial((scores / temperature).softmax(dim=1), 1, generator=generator)


def _check(start: Tensor, steps: int, context: int, temperature: float, top_k: int | None) -> None:
    problems = [
        f"{name}: found {value}; expected {expected}."
        for name, value, expected, valid in (
            ("start", f"rows of {start.shape[-1]} tokens", "at least one token", start.shape[-1] >= 1),
            ("steps", steps, "zero or more", steps >= 0),
            ("context", context, "one or more", context >= 1),
            ("temperature", temperature, "a finite number, zero or above", 0 <= temperature < float("inf")),
            ("top_k", top_k, "one or more", top_k is None or top_k >= 1),
        )
        if not valid
    ]
    if problems:
        raise RecipeError(problems)
