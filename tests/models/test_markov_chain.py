"""The Markov chain against plain counts, its baselines, and a law that is known."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

import handrail
from handrail.components import build
from handrail.data.sources.toys.chains import transitions
from handrail.errors import DataError, RecipeError
from handrail.models.markov_chain import MarkovChain
from handrail.shapes import StepShape, TokenShape
from handrail.tasks.next_token import bigram

LENGTH, TOKENS = 20, 7


def chain(order: int, *, length: int = LENGTH, tokens: int = TOKENS) -> MarkovChain:
    shapes = TokenShape(length, tokens), StepShape(length, tokens)
    return build("model", {"markov_chain": {"order": order}}, *shapes)


def stream(windows: int = 40) -> torch.Tensor:
    return torch.randint(1, TOKENS, (windows, LENGTH + 1), generator=torch.Generator().manual_seed(0))


def counted(order: int, rows: torch.Tensor, batch: int = 7) -> MarkovChain:
    model = chain(order)
    for some in rows.split(batch):
        model.count(some[:, :-1], some[:, 1:])
    return model


def test_transitions_are_the_counts():
    """Markov 1913."""
    rows, expected = stream(), np.zeros((TOKENS, TOKENS))
    for row in rows.tolist():
        for before, after in itertools.pairwise(row):
            expected[before, after] += 1
    expected /= np.maximum(expected.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(counted(1, rows).transitions().numpy(), expected, atol=1e-15)


def test_the_stationary_distribution_is_the_eigenvector():
    model = counted(1, stream())
    found, matrix = model.stationary().numpy(), model.transitions().numpy()
    values, vectors = np.linalg.eig(matrix.T)
    vector = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    np.testing.assert_allclose(found, vector / vector.sum(), atol=1e-12)
    np.testing.assert_allclose(found @ matrix, found, atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_probabilities_are_those_of_the_formula(order: int):
    """Bell, Cleary & Witten 1990, method C; in dictionaries, step by step."""
    rows = stream()
    model, counts = counted(order, rows), Counter()
    for row in rows.tolist():
        for step in range(LENGTH):
            for size in range(min(order, step + 1) + 1):
                counts[tuple(row[step + 1 - size : step + 1]), row[step + 1]] += 1

    def probability(context: tuple[int, ...], token: int) -> float:
        followed = {b: counts[context, b] for b in range(TOKENS) if counts[context, b]}
        if not context:
            return (followed.get(token, 0) + 1) / (sum(followed.values()) + TOKENS - 1)
        shorter = probability(context[1:], token)
        if not followed:
            return shorter
        return (followed.get(token, 0) + len(followed) * shorter) / (sum(followed.values()) + len(followed))

    others = stream(43)[40:, :-1]  # windows that were not counted
    scores = model(others)
    torch.testing.assert_close(scores.exp().sum(dim=2), torch.ones(3, LENGTH))
    for step in (0, 1, 5, 19):
        context = tuple(others[1, max(0, step + 1 - order) : step + 1].tolist()) if order else ()
        expected = [probability(context, token) for token in range(1, TOKENS)]
        np.testing.assert_allclose(scores[1, step, 1:].exp().numpy(), expected, rtol=1e-5)


def test_order_1_is_the_bigram_that_stands_beside_language_models():
    rows = stream(100).view(1, -1)
    model = chain(1, length=rows.shape[1] - 1)
    model.count(rows[:, :-1], rows[:, 1:])
    tokens = rows[0].numpy().astype(np.int32)
    theirs, _ = bigram(tokens, TOKENS)(tokens[:-1], tokens[1:])
    own = model(rows[:, :-1]).gather(2, rows[:, 1:, None])[0, :, 0].exp().numpy()
    np.testing.assert_allclose(own, theirs, rtol=1e-3)  # its single tokens count the first one, too


def test_a_window_shorter_than_the_order_has_shorter_contexts():
    model, x = counted(4, stream()), stream(41)[40:, :2]
    torch.testing.assert_close(model(x), model(stream(41)[40:, :-1])[:, :2])


def test_counts_come_back_with_the_weights():
    model, other = counted(3, stream()), chain(3)
    other.load_state_dict(model.state_dict())
    x = stream(2)[:, :-1]
    assert torch.equal(model(x), other(x))


@pytest.mark.parametrize(
    ("order", "length", "tokens", "message"),
    [
        (21, 20, 7, r"order: found 21, expected 20 or less, .*data\.text\.length"),
        (12, 20, 60, r"order: found 12, expected 9 or less: contexts of 12 out of 60 tokens"),
    ],
)
def test_orders_that_cannot_be_are_refused(order: int, length: int, tokens: int, message: str):
    with pytest.raises(RecipeError, match=message):
        chain(order, length=length, tokens=tokens)


def test_a_known_chain_is_found_and_continued(tmp_path):
    """The perplexity is that of the law, and transitions are within what chance explains."""
    changes = {"data.target": "text", "data.task": "next-token", "data.text.length": 25}
    changes["model"] = {"markov_chain": {"order": 1}}
    run = handrail.fit("toy:chain,rows=1500,symbols=4", changes=changes, out=tmp_path / "run")
    law = transitions(4, 0)
    values, vectors = np.linalg.eig(law.T)
    often = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    often /= often.sum()
    entropy = -(often[:, None] * law * np.log(law)).sum()
    found = run.summary["metrics"]["nats"]
    assert entropy < found["value"] < entropy + 0.12  # a line's end is not of the law
    text = run.sample("abca", length=50)
    assert text.startswith("abca")
    assert set(text) <= set("abcd\n")
    with pytest.raises(DataError, match="found 'z', which did not occur in training"):
        run.sample("abz")
