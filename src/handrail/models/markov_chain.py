"""The Markov chain: the next token by how often it followed the last few."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from handrail.components import component
from handrail.errors import RecipeError
from handrail.shapes import StepShape, TokenShape
from handrail.tools.words import plural

Order = Annotated[int, Field(ge=0, le=60)]
_LARGEST = 2**62  # of a key
_NEVER = 1e-30  # the probability of a token that is none, such as padding


@component("model")
class MarkovChain(nn.Module):
    """p(b | c) = (n(c, b) + k(c)·p(b | c′)) / (n(c) + k(c)), for the last tokens c, in c′ but the oldest.

    n counts what was seen in training, and k(c) is how many different tokens followed c. After a context that
    was never seen it is the shorter one's probability; without any context (n(b) + 1) / (N + V − 1). Counts
    are kept for what was seen alone. The scores are the logarithms.

    Arguments:
        inputs: tokens; a window's first tokens have shorter contexts.
        outputs: scores at every step.
        order: tokens of the longest context; 1 is the classical chain, and 0 counts tokens alone.

    Raises: `RecipeError` for an order beyond the window, or of too many possible contexts to number, and
        where the outputs do not fit the inputs.

    Source: Markov 1913; interpolation: Bell, Cleary & Witten 1990 (method C)
    """

    causal: ClassVar[bool] = True
    "Causal: no step's score depends on later steps."
    rules: ClassVar[tuple[str, ...]] = ("counting",)

    def __init__(self, inputs: TokenShape, outputs: StepShape, *, order: Order = 3) -> None:
        super().__init__()
        _check(inputs, outputs, order)
        self.order, self.vocabulary = order, outputs.scores
        self.never = sorted({0, *outputs.never})
        for size in range(order + 1):
            self.register_buffer(f"keys_{size}", torch.zeros(0, dtype=torch.int64))
            self.register_buffer(f"counts_{size}", torch.zeros(0, dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_make_room)

    def forget(self) -> None:
        """Begin with nothing counted."""
        for size in range(self.order + 1):
            keys, counts = self._counted(size)
            self._set(size, keys[:0], counts[:0])

    @torch.no_grad()
    def count(self, x: Int[Tensor, "rows length"], following: Int[Tensor, "rows length"]) -> None:
        """Count what follows each token, after contexts of every length up to the order."""
        for size, (contexts, there) in enumerate(self._contexts(x)):
            keys = (contexts * self.vocabulary + following)[there]
            known, numbers = self._counted(size)
            all_keys, places = torch.cat([known, keys]).unique(return_inverse=True)
            counts = torch.zeros_like(all_keys).index_add_(
                0, places, torch.cat([numbers, torch.ones_like(keys)])
            )
            self._set(size, all_keys, counts)

    def _counted(self, size: int) -> tuple[Int[Tensor, " keys"], Int[Tensor, " keys"]]:
        """The numbers, rising, of what was seen: a context of this size and what followed; and how often."""
        return getattr(self, f"keys_{size}"), getattr(self, f"counts_{size}")

    def _set(self, size: int, keys: Tensor, counts: Tensor) -> None:
        setattr(self, f"keys_{size}", keys)
        setattr(self, f"counts_{size}", counts)

    def _contexts(
        self, x: Int[Tensor, "rows length"]
    ) -> Iterator[tuple[Int[Tensor, "rows length"], Bool[Tensor, "rows length"]]]:
        """For each size of context its number at each step, and where the window holds so many tokens."""
        x = x.long()
        contexts, steps = torch.zeros_like(x), torch.arange(x.shape[1], device=x.device)
        yield contexts, torch.ones_like(x, dtype=torch.bool)
        for size in range(1, self.order + 1):
            older = torch.zeros_like(x)
            older[:, size - 1 :] = x[:, : max(0, x.shape[1] - size + 1)]
            contexts = contexts + older * self.vocabulary ** (size - 1)
            yield contexts, (steps >= size - 1).expand_as(x)

    def forward(self, x: Int[Tensor, "rows length"]) -> Float[Tensor, "rows length scores"]:
        """Log-probabilities of the token after each step."""
        rows, length = x.shape
        scores = self._shortest(x.device).expand(rows * length, -1)
        for size, (contexts, there) in enumerate(self._contexts(x)):
            if size:
                scores = self._blend(scores, size, contexts.flatten(), there.flatten())
        return scores.log().float().view(rows, length, -1)

    def _shortest(self, device: torch.device) -> Float[Tensor, " scores"]:
        counts = torch.ones(self.vocabulary, dtype=torch.float64, device=device)
        tokens, numbers = self._counted(0)
        counts[tokens] += numbers
        counts[self.never] = 0
        return (counts / counts.sum()).clamp_min(_NEVER)

    def _blend(self, shorter: Tensor, size: int, contexts: Tensor, there: Tensor) -> Tensor:
        """(n(c, b) + k(c)·p(b | c′)) / (n(c) + k(c))."""
        keys, counts = self._counted(size)
        first, kinds, totals = self._found(size, contexts, there)
        blended = shorter * kinds.unsqueeze(1)
        steps = torch.repeat_interleave(torch.arange(len(kinds), device=kinds.device), kinds)
        within = torch.arange(len(steps), device=kinds.device) - (kinds.cumsum(0) - kinds)[steps]
        seen = first[steps] + within
        blended[steps, keys[seen] % self.vocabulary] += counts[seen]
        known, sums = (kinds > 0).unsqueeze(1), (totals + kinds).clamp_min(1).unsqueeze(1)
        return torch.where(known, blended / sums, shorter)

    def _found(
        self, size: int, contexts: Int[Tensor, " steps"], there: Bool[Tensor, " steps"]
    ) -> tuple[Int[Tensor, " steps"], Int[Tensor, " steps"], Int[Tensor, " steps"]]:
        """Of each context, where it begins among the keys, how many tokens followed, and how often."""
        keys, counts = self._counted(size)
        first = torch.searchsorted(keys, contexts * self.vocabulary)
        last = torch.searchsorted(keys, (contexts + 1) * self.vocabulary)
        before = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return first, (last - first) * there, (before[last] - before[first]) * there

    def remark(self, batches: Iterable[Int[Tensor, "rows length"]]) -> str:
        """How many of the longest contexts in these rows were never seen in training."""
        new = every = 0
        for x in batches if self.order else ():
            *_, (contexts, there) = self._contexts(x)
            _, kinds, _ = self._found(self.order, contexts.flatten(), there.flatten())
            every += int(there.sum())
            new += int((there.flatten() & (kinds == 0)).sum())
        if not new:
            return ""
        return (
            f"{new:,} of {every:,} contexts of {plural(self.order, 'token')} ({new / every:.1%}) never "
            "occurred in training; there the chain goes by shorter ones."
        )

    def transitions(self) -> Float[Tensor, "tokens tokens"]:
        """n(a, b) / n(a), from each token to each, without smoothing; a row of zeros where nothing followed.

        Raises: `RecipeError` for a chain of order 0.
        """
        if not self.order:
            raise RecipeError("model.markov_chain.order: found 0, expected 1 or more for transitions.")
        counts = torch.zeros(self.vocabulary**2, dtype=torch.float64)
        keys, numbers = self._counted(1)
        counts[keys.cpu()] = numbers.cpu().double()
        matrix = counts.view(self.vocabulary, -1)
        return matrix / matrix.sum(dim=1, keepdim=True).clamp_min(1)

    def stationary(self) -> Float[Tensor, " tokens"]:
        """π = πP: how often each token comes in the long run, the eigenvector to the eigenvalue 1."""
        matrix = self.transitions()
        values, vectors = torch.linalg.eig(matrix.T)
        found = vectors[:, (values - 1).abs().argmin()].real
        return found / found.sum()


def _check(inputs: TokenShape, outputs: StepShape, order: int) -> None:
    problems = []
    if inputs.length != outputs.length:
        problems.append(
            f"model.markov_chain: gives scores at each of the {inputs.length} steps that it reads; expected "
            f"{outputs.length}. The model encoder_decoder reads and writes different lengths."
        )
    if order > inputs.length:
        problems.append(
            f"model.markov_chain.order: found {order}, expected {inputs.length} or less, which is all that "
            "the network sees at once (data.text.length)."
        )
    elif outputs.scores ** (order + 1) > _LARGEST:
        most = next(size for size in range(order, -1, -1) if outputs.scores ** (size + 1) <= _LARGEST)
        problems.append(
            f"model.markov_chain.order: found {order}, expected {most} or less: contexts of {order} out of "
            f"{outputs.scores:,} tokens are too many to be numbered."
        )
    if problems:
        raise RecipeError(problems)


def _make_room(chain: Any, state: Any, prefix: str, *_: Any) -> None:
    """For as many counts as were saved."""
    for size in range(chain.order + 1):
        keys, counts = (state.get(f"{prefix}{name}_{size}") for name in ("keys", "counts"))
        if keys is not None and counts is not None and keys.ndim == 1 and keys.shape == counts.shape:
            chain._set(size, keys.new_zeros(keys.shape), counts.new_zeros(counts.shape))
