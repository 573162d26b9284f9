"""Attention, token by token: what each asks for, finds, and takes."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field

from handrail.components import component
from handrail.components.arguments import Count
from handrail.components.pictures import Cells
from handrail.errors import DataError
from handrail.layers.attention import SelfAttention
from handrail.traces.given import Given
from handrail.traces.layers.numbers import Rows, matrix_of
from handrail.traces.reached import first_reached, plain, refuse_with_run
from handrail.traces.steps import Steps, Value, steps_of
from handrail.traces.trace import Trace

_WORDS = ["the", "cat", "sees", "it"]
_INPUTS: Rows = [[1, 0, 0, 0], [0, 2, 0, 1], [0, 0, 2, 1], [1, 1, 0, 0]]
_QUERIES: Rows = [[0, 0, 0, 1], [2, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
_KEYS: Rows = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
_VALUES: Rows = [[0, 1, 0, 1], [1, 0, 1, 0]]


@dataclass(frozen=True, eq=False)
class Head:
    """One head: what it reads, its queries, keys and values.

    Arguments:
        seen: how many tokens each may see, from the first on.
        weighed_by: Wq, Wk and Wv, where they are to be shown.
    """

    inputs: Float[np.ndarray, "tokens width"]
    queries: Float[np.ndarray, "tokens d"]
    keys: Float[np.ndarray, "tokens d"]
    values: Float[np.ndarray, "tokens numbers"]
    seen: list[int]
    weighed_by: tuple[np.ndarray, ...] = ()

    def scores(self, token: int) -> Float[np.ndarray, " seen"]:
        """q·k/√d with each token that may be seen."""
        return self.keys[: self.seen[token]] @ self.queries[token] / np.sqrt(self.keys.shape[1])

    def weights(self, token: int) -> Float[np.ndarray, " tokens"]:
        """The softmax of the scores, 0 for what may not be seen."""
        scores = self.scores(token)
        powers = np.exp(scores - scores.max())
        return np.concatenate([powers / powers.sum(), np.zeros(len(self.keys) - len(powers))])


@component("trace")
def attention(
    given: Given | None,
    *,
    inputs: Rows | None = None,
    query_weights: Rows | None = None,
    key_weights: Rows | None = None,
    value_weights: Rows | None = None,
    words: list[str] | None = None,
    causal: bool = False,
    head: Annotated[int, Field(ge=0)] = 0,
    tokens: Count = 5,
    numbers: Count = 4,
) -> Trace:
    """q = Wq·x, k = Wk·x, v = Wv·x; each token takes Σ of softmax(q·k/√d)·v over the tokens that it may see.

    Of a run the first attention of its network is followed, one head of it, on the row. What a network adds
    to W·x, a bias, is added here, too; the mixing of its heads is not followed.

    Arguments:
        inputs: x of each token, a list of numbers each.
        query_weights, key_weights: Wq and Wk, d rows each, as long as an x.
        value_weights: Wv, any number of rows as long.
        words: what the tokens are called.
        causal: let a token see itself and earlier ones alone.
        head: of a run's attention, from 0.
        tokens: shown at most; all tokens are worked out.
        numbers: of a vector of tokens to be shown at most.

    Raises: `DataError` for weights and words that do not fit, a head that there is not, a network without
        attention, and settings without effect.

    Source: Vaswani et al. 2017
    """
    own = {"inputs": inputs, "query_weights": query_weights, "key_weights": key_weights}
    own |= {"value_weights": value_weights, "words": words, "causal": causal}
    if given is None:
        if head:
            raise DataError("head: chooses one of a run's network; the example has one.")
        followed, names = _example(inputs, query_weights, key_weights, value_weights, causal), words
        names = (_WORDS if inputs is None else _numbered(len(followed.keys))) if names is None else names
        subject = " ".join(names) if inputs is None else f"{len(names)} tokens"
        if len(names) != len(followed.keys):
            raise DataError(f"words: found {len(names)}, expected {len(followed.keys)}, one for each token.")
    else:
        refuse_with_run(own)
        followed = _followed(given, head)
        names, subject = _numbered(len(followed.keys)), f"head {head} of the first attention, {given.subject}"
    vectors = _vectors(followed, names, tokens, numbers)
    tables = (
        *_given(followed),
        vectors,
        _looks(followed, names, tokens),
        _takes(followed, names, tokens, numbers),
    )
    return Trace("Attention", subject, tables, "Vaswani et al. 2017", (_drawn(followed, names),))


def _numbered(count: int) -> list[str]:
    return [str(place) for place in range(1, count + 1)]


def _example(
    inputs: Rows | None, queries: Rows | None, keys: Rows | None, values: Rows | None, causal: bool
) -> Head:
    x = matrix_of(_INPUTS if inputs is None else inputs, "inputs", shape=(None, None))
    width = x.shape[1]
    asks = matrix_of(_QUERIES if queries is None else queries, "query_weights", shape=(None, width))
    offers = matrix_of(_KEYS if keys is None else keys, "key_weights", shape=(len(asks), width))
    gives = matrix_of(_VALUES if values is None else values, "value_weights", shape=(None, width))
    seen = [place + 1 if causal else len(x) for place in range(len(x))]
    return Head(x, x @ asks.T, x @ offers.T, x @ gives.T, seen, (asks, offers, gives))


def _followed(given: Given, head: int) -> Head:
    layer, (x, *rest) = first_reached(given, SelfAttention, what="self-attention")
    if head >= layer.heads:
        raise DataError(f"head: found {head}, expected a number from 0 to {layer.heads - 1}.")
    rows, there = plain(x)[0], rest[0] if rest else None
    mixed = rows @ plain(layer.mix_in.weight).T + plain(layer.mix_in.bias)
    queries, keys, values = mixed.reshape(len(rows), 3, layer.heads, -1)[:, :, head].transpose(1, 0, 2)
    count = len(rows) if there is None else int(there[0].sum())  # padding stands behind the last token
    seen = [min(place + 1, count) if layer.causal else count for place in range(len(rows))]
    return Head(rows, queries, keys, values, seen)


def _given(head: Head) -> list[Steps]:
    """The example's weights; a network has too many."""
    line: dict[str, Value] = dict(zip(("Wq", "Wk", "Wv"), head.weighed_by, strict=False))
    return [steps_of("The weights", [line])] if line else []


def _vectors(head: Head, names: list[str], most: int, numbers: int) -> Steps:
    lines: list[dict[str, Value]] = []
    for place, name in enumerate(names[:most]):
        line: dict[str, Value] = {"token": name}
        parts = {"x": head.inputs, "q": head.queries, "k": head.keys, "v": head.values}
        lines.append(line | {part: vectors[place][:numbers] for part, vectors in parts.items()})
    bias = "" if head.weighed_by else " + b"
    width, depth = head.inputs.shape[1], head.keys.shape[1]
    cut = f" Of each vector {numbers} numbers are shown (numbers)."
    return steps_of(
        "Queries, keys and values",
        lines,
        answers=("q", "k", "v"),
        formula=f"q = Wq·x{bias}    k = Wk·x{bias}    v = Wv·x{bias}",
        note="Each token asks for something (q), is found by something (k), and gives something (v)."
        + _left_out(len(names), most)
        + (cut if max(width, depth) > numbers else ""),
    )


def _looks(head: Head, names: list[str], most: int) -> Steps:
    lines: list[dict[str, Value]] = []
    for place, name in enumerate(names[:most]):
        scores, weights = head.scores(place), head.weights(place)
        for other, score in enumerate(scores[:most]):
            line: dict[str, Value] = {"token": name, "looks at": names[other]}
            line["q·k"] = float(head.queries[place] @ head.keys[other])
            lines.append({**line, "q·k/√d": float(score), "softmax": float(weights[other])})
    depth = head.keys.shape[1]
    hidden = " A token that may not be seen has no score; its weight is 0."
    return steps_of(
        "Who looks at whom",
        lines,
        answers=("q·k", "q·k/√d", "softmax"),
        formula=f"softmax(z)ⱼ = e^zⱼ / Σ e^z over all that is seen    √d = √{depth} = {np.sqrt(depth):.4g}",
        note="The weights of a token are 1 in sum."
        + _left_out(len(names), most)
        + (hidden if min(head.seen) < len(names) else ""),
    )


def _takes(head: Head, names: list[str], most: int, numbers: int) -> Steps:
    lines: list[dict[str, Value]] = []
    for place, name in enumerate(names[:most]):
        weights = head.weights(place)
        line: dict[str, Value] = {"token": name, "looks most at": names[int(weights.argmax())]}
        lines.append({**line, "output": (weights @ head.values)[:numbers]})
    return steps_of(
        "What each takes",
        lines,
        answers=("looks most at", "output"),
        formula="output = Σ softmaxⱼ·vⱼ",
        note="The values of all tokens, as much of each as its weight says." + _left_out(len(names), most),
    )


def _left_out(count: int, most: int) -> str:
    return f" {count - most:,} more of {count:,} tokens are left out (tokens)." if count > most else ""


def _drawn(head: Head, names: list[str]) -> Cells:
    """All weights, a row for each token that looks."""
    weights = np.stack([head.weights(place) for place in range(len(names))])
    note = "A row is a token that looks, a column one that is looked at."
    return Cells("How much each token takes from each", weights[None], note=note, sides=tuple(names))
