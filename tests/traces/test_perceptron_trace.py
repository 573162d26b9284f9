"""The perceptron's table: the lectures' printed numbers, and the library's own rule on the same rows."""

import numpy as np
import pytest
import torch
from torch import nn

import handrail
from handrail.components.pictures import Points
from handrail.errors import DataError, RecipeError
from handrail.learning.rule import Batch
from handrail.learning.rules.rosenblatt import Rosenblatt

# Lecture 004 prints weights before each row, the answer, and the target; where it changes, the new weights.
OR = [
    ((0, 1, 0), 0, 0, None),
    ((0, 1, 0), 0, 1, (1, 1, 1)),
    ((1, 1, 1), 1, 1, None),
    ((1, 1, 1), 1, 1, None),
    ((1, 1, 1), 1, 0, (0, 1, 1)),
    ((0, 1, 1), 1, 1, None),
    ((0, 1, 1), 1, 1, None),
    ((0, 1, 1), 1, 1, None),
    ((0, 1, 1), 0, 0, None),
]
# Lectures 000 and 003: the weights after each row, None where they stay.
AND = [
    *((1, 1, 1), (0, 0, 1), (-1, 0, 0), None),
    *((0, 1, 1), (-1, 0, 1), None, None),
    *((0, 1, 2), (-1, 0, 2), (-2, 0, 1), None),
    *((-1, 1, 2), None, (-2, 1, 1), None),
    *((-1, 2, 2), (-2, 1, 2), None, None),
    *(None, None, None, None),
]


def vector(values: tuple[int, ...] | None) -> list[float] | None:
    return None if values is None else list(map(float, values))


def test_or_comes_out_as_printed() -> None:
    """Lecture 004, "One example: OR"."""
    table = handrail.trace("perceptron", data="or").frame
    for line, (weights, answer, target, new) in zip(table.to_dicts(), OR, strict=False):
        assert (line["w"], line["y"], line["t"], line["w new"]) == (
            vector(weights),
            answer,
            target,
            vector(new),
        )
    assert table["w"][-1].to_list() == [0, 1, 1]


def test_and_comes_out_as_printed() -> None:
    """Lecture 003, from 000: z = 0 → 0, then z = 2 → 1; the sixth pass changes nothing."""
    table = handrail.trace("perceptron", data="and").frame
    assert [new if new is None else new.to_list() for new in table["w new"]] == list(map(vector, AND))
    assert table["z"][:2].to_list() == [0, 2]
    assert table["w"][-1].to_list() == [-2, 1, 2]


def test_the_weights_are_those_of_the_rule() -> None:
    """Row by row those of `Rosenblatt` on the same rows, to the bit."""
    rng = np.random.default_rng(4)
    rows = np.concatenate([rng.normal(size=(12, 3)), rng.integers(2, size=(12, 1))], axis=1).astype(
        np.float32
    )
    found = handrail.trace("perceptron", table=rows.astype(float).tolist(), passes=3, weights=[0.0] * 4)[
        "Row by row"
    ]
    layer, rule = nn.Linear(3, 1), Rosenblatt()
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    rule.layer = layer
    for place in range(len(found)):
        before = torch.cat([layer.bias, layer.weight[0]]).detach().numpy()
        assert found["w"][place] == pytest.approx(before, abs=1e-6)
        row = torch.from_numpy(rows[[place % 12]])
        rule.step(layer, Batch(row[:, :3], row[:, 3]))


def test_a_sum_of_zero_is_answered_as_asked() -> None:
    assert handrail.trace("perceptron", data="xor", at_zero=1).frame["y"][0] == 1
    assert handrail.trace("perceptron", data="xor", at_zero=0).frame["y"][0] == 0


def test_the_line_is_where_the_rows_change_sides() -> None:
    trace = handrail.trace("perceptron", data="and")
    lines = trace["The line between the answers"].frame.to_dicts()
    assert lines[-1]["distance from 0"] == pytest.approx(2 / np.sqrt(5))
    assert lines[-1]["normal"] == pytest.approx(np.array([1, 2]) / np.sqrt(5))
    (drawn,) = trace.pictures
    assert isinstance(drawn, Points)
    assert drawn.fields is not None
    assert drawn.fields.min() < 0 < drawn.fields.max()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"table": [[1, 2, 1], [1, 0]]}, "rows of one length"),
        ({"table": [[1, 2, 3]]}, "found 3 at the end of row 1"),
        ({"weights": [1, 2]}, "weights: found 2, expected 3"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.trace("perceptron", **settings)
    with pytest.raises(RecipeError, match="perceptron"):
        handrail.trace("perceptrn")
