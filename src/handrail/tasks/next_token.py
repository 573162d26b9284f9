"""Next token: language models on windows of a stream, their baselines, and text that they write."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor, nn
from torch.nn import functional

from handrail.components.pictures import Cells, Picture
from handrail.data.encoders.codes import PADDING
from handrail.data.encoders.row_encoder import OneColumn, RowEncoder
from handrail.data.encoders.text import StreamEncoder, following, windows
from handrail.data.encoders.tokenizers import Tokenizer
from handrail.data.part import Part
from handrail.data.rows import Rows, Values, Windows, cut
from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.evaluation.outcomes.tokens import TokenOutcome
from handrail.models.markov_chain import MarkovChain
from handrail.network import model_in
from handrail.shapes import InputShape, StepShape, TokenShape
from handrail.tasks.scoring import scores_of, steps_at_once
from handrail.tasks.task import Baselines, Choice, Task

LENGTH, TEMPERATURE = 400, 0.8  # of texts, where nothing else is asked for
_SHOWN = 30  # tokens in a picture
Scores = Float[Tensor, "rows length vocabulary"]


class NextTokenTask(Task):
    """Scores at every step to the probabilities of the token that follows."""

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        assert isinstance(shape, TokenShape)
        super().__init__(spec, shape)
        self.length, self.vocabulary = shape.length, shape.vocabulary
        self.tokenizer: Tokenizer | None = None  # set by `training_data`; writes answers as text

    @property
    def outputs(self) -> StepShape:
        return StepShape(self.length, self.vocabulary)

    def training_data(self, rows: Rows, part: Part, encoder: RowEncoder) -> tuple[Rows, Windows]:
        self.tokenizer = _column(encoder).tokenizer
        return rows, _targets(rows)

    def targets(self, part: Part) -> Windows:
        """At every step the token that follows.

        Raises: `DataError` when the part does not fill one window.
        """
        assert self.tokenizer is not None, "targets are used after training data"
        return following(windows(self.tokenizer, part.raw[self.spec.targets[0]], self.length))

    def forward(self, scores: Scores) -> Scores:
        return scores.double().softmax(dim=-1)

    def network_pictures(self, network: nn.Module, encoder: RowEncoder) -> list[Picture]:
        """Those of the model; of a chain, from which token to which it goes."""
        shown, model = super().network_pictures(network, encoder), model_in(network)
        if isinstance(model, MarkovChain) and model.order:
            shown += chain_pictures(model, _column(encoder).tokenizer)
        return shown

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        assert isinstance(targets, Tensor)
        return token_accuracy(scores, targets)

    @torch.inference_mode()
    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> TokenOutcome:
        """The network's answers; scores are summed batch by batch and not kept."""
        targets, batches, start = _targets(rows), [], 0
        for scores in scores_of(network, rows, at_once=steps_at_once(self.outputs)):
            codes = cut(targets, start, start + len(scores))
            assert isinstance(codes, Tensor)
            batches.append(_sums(scores, codes.to(scores.device)))
            start += len(scores)
        loss, tokens, right, answers = (torch.cat(parts) for parts in zip(*batches, strict=True))
        return TokenOutcome(loss.numpy(), tokens.numpy(), right.numpy(), targets, answers, self.tokenizer)

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        seen, rows = (encoder.rows(each.features, each.stores) for each in (train, part))
        assert isinstance(seen, Windows)
        assert isinstance(rows, Windows)
        tokenizer = _column(encoder).tokenizer
        return Baselines(ngram_outcomes(seen, rows, vocabulary=self.vocabulary, tokenizer=tokenizer))

    def facts(self) -> dict[str, Any]:
        return {"tokenizer": None if self.tokenizer is None else self.tokenizer.facts()}

    def restore(self, facts: dict[str, Any]) -> None:
        self.tokenizer = None if facts["tokenizer"] is None else Tokenizer.from_facts(facts["tokenizer"])


def _column(encoder: RowEncoder) -> StreamEncoder:
    assert isinstance(encoder, OneColumn)
    assert isinstance(encoder.column, StreamEncoder)
    return encoder.column


def _targets(rows: Rows) -> Windows:
    assert isinstance(rows, Windows), "a stream is encoded as windows"
    return following(rows)


def token_accuracy(scores: Scores, targets: Int[Tensor, "rows length"]) -> dict[str, tuple[float, float]]:
    """Batch metric: how many tokens had the greatest score, and how many there are without padding."""
    counted = targets != PADDING
    right = (scores.argmax(dim=-1) == targets) & counted
    return {"token_accuracy": (float(right.sum()), float(counted.sum()))}


def _sums(scores: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """Nats, tokens and right tokens of each row, and the most probable tokens."""
    counted, answers = targets != PADDING, scores.argmax(dim=-1)
    nats = functional.cross_entropy(
        scores.float().flatten(0, 1), targets.flatten().long(), ignore_index=PADDING, reduction="none"
    ).view_as(targets)
    right = (answers == targets) & counted
    sums = (nats.double().sum(dim=1), counted.sum(dim=1), right.sum(dim=1), answers.int())
    return tuple(part.cpu() for part in sums)


NgramModel = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From tokens and their successors to the probability of each successor, and the most probable one."""


def chain_pictures(chain: MarkovChain, tokenizer: Tokenizer) -> list[Picture]:
    """The transitions among the tokens that come most often in the long run; bins in their order."""
    often = chain.stationary()
    shown = often.argsort(descending=True)[: min(_SHOWN, int((often > 0).sum()))]
    in_order = tokenizer.kind == "bins"
    shown = shown.sort().values if in_order else shown
    matrix = chain.transitions()[shown][:, shown].numpy()[None]
    names = tuple(tokenizer.decode([code]).replace("\n", "↵") or "padding" for code in shown.tolist())
    order = "in the order of the numbers" if in_order else "in the order of how often they come"
    note = f"From a row's token to that of the column with a number above, by the counts alone, {order}."
    return [Cells("Transitions from token to token", matrix, note=note, columns=1, sides=names)]


def ngram_outcomes(
    train: Windows, rows: Windows, *, vocabulary: int, tokenizer: Tokenizer | None = None
) -> dict[str, TokenOutcome]:
    """The answers for these windows of unigram and bigram, counted in the whole training stream.

    Arguments:
        train, rows: windows as the encoder returns them, each on the stream of its part.
    """
    seen = train.data.numpy()
    models = {"unigram": unigram(seen, vocabulary), "bigram": bigram(seen, vocabulary)}
    return {name: _outcome(model, rows, tokenizer) for name, model in models.items()}


def _outcome(model: NgramModel, rows: Windows, tokenizer: Tokenizer | None) -> TokenOutcome:
    stream, starts = rows.data.numpy(), rows.starts.numpy()
    probability, answers = model(stream[:-1], stream[1:])

    def window_sums(values: np.ndarray) -> np.ndarray:
        before = np.concatenate([[0], np.cumsum(values)])
        return before[starts + rows.length] - before[starts]

    loss, right = window_sums(-np.log(probability)), window_sums((answers == stream[1:]).astype(np.int64))
    tokens = np.full(len(rows), rows.length, dtype=np.int64)
    windows = Windows(torch.from_numpy(answers), rows.starts, rows.length)
    return TokenOutcome(loss, tokens, right, following(rows), windows, tokenizer)


def unigram(stream: Int32[np.ndarray, " tokens"], vocabulary: int) -> NgramModel:
    """p(b) = (n(b) + 1) / (N + V − 1): the frequency of a token, whatever precedes it, without padding.

    Source: Laplace 1814 (one added to each count)
    """
    probability = _unigram(stream, vocabulary)
    answer = np.int32(probability.argmax())
    return lambda before, after: (probability[after], np.full(len(after), answer))


def _unigram(stream: np.ndarray, vocabulary: int) -> np.ndarray:
    counts = np.bincount(stream, minlength=vocabulary) + 1.0
    counts[PADDING] = 0
    return counts / counts.sum()


def bigram(stream: Int32[np.ndarray, " tokens"], vocabulary: int) -> NgramModel:
    """p(b | a) = (n(a, b) + k(a)·p(b)) / (n(a) + k(a)), with k(a) the number of different tokens after a.

    After a token that nothing followed in training it is the unigram.

    Source: Bell, Cleary & Witten 1990 (interpolation, method C)
    """
    single = _unigram(stream, vocabulary)
    pairs, counts = np.unique(stream[:-1].astype(np.int64) * vocabulary + stream[1:], return_counts=True)
    firsts, seconds = np.divmod(pairs, vocabulary)
    total = np.bincount(firsts, weights=counts, minlength=vocabulary)  # n(a)
    kinds = np.bincount(firsts, minlength=vocabulary)  # k(a)
    best = _best_after(firsts, seconds, counts + kinds[firsts] * single[seconds], kinds, single)

    def model(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked = before.astype(np.int64) * vocabulary + after
        place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
        seen = np.where(pairs[place] == asked, counts[place], 0)
        weight = np.maximum(kinds[before], 1)  # never followed: 0 counts, the unigram alone
        return (seen + weight * single[after]) / (total[before] + weight), best[before]

    return model


def _best_after(
    firsts: np.ndarray, seconds: np.ndarray, score: np.ndarray, kinds: np.ndarray, single: np.ndarray
) -> np.ndarray:
    """The most probable token after each: one that was seen there, or the most frequent one."""
    mode = int(single.argmax())
    best = np.full(len(kinds), mode, dtype=np.int32)
    order = np.lexsort((seconds, -score, firsts))
    first, place = np.unique(firsts[order], return_index=True)
    top = order[place]
    wins = score[top] >= kinds[first] * single[mode]
    best[first[wins]] = seconds[top][wins]
    return best


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
