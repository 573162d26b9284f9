"""Addressing a memory, beside NumPy written from the paper's equations, location by location."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handrail.layers.memory_addressing import (
    content_weights,
    cosine_similarity,
    erase_and_add,
    interpolate,
    read,
    sharpen,
    shift_circular,
)

ROWS, HEADS, LOCATIONS, WIDTH = 2, 3, 5, 4


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights_of(seed: int = 3, heads: int = HEADS) -> torch.Tensor:
    return torch.softmax(draw(ROWS, heads, LOCATIONS, seed=seed), dim=2)


def each_head() -> list[tuple[int, int]]:
    return [(row, head) for row in range(ROWS) for head in range(HEADS)]


def test_content_weights_are_those_of_the_paper() -> None:
    """Graves, Wayne & Danihelka 2014, equations 5 and 6."""
    keys, memory = draw(ROWS, HEADS, WIDTH) - 0.5, draw(ROWS, LOCATIONS, WIDTH, seed=1) - 0.5
    strengths = 5 * draw(ROWS, HEADS, seed=2)
    found, alike = content_weights(keys, strengths, memory).numpy(), cosine_similarity(keys, memory).numpy()
    for row, head in each_head():
        key = keys[row, head].numpy()
        cosines = [key @ m / (np.linalg.norm(key) * np.linalg.norm(m)) for m in memory[row].numpy()]
        raised = np.exp(float(strengths[row, head]) * np.array(cosines))
        np.testing.assert_allclose(alike[row, head], cosines, atol=1e-4)
        np.testing.assert_allclose(found[row, head], raised / raised.sum(), atol=1e-4)


def test_interpolation_shift_and_sharpening_are_those_of_the_paper() -> None:
    """Graves, Wayne & Danihelka 2014, equations 7 to 9."""
    content, last, gates = weights_of(), weights_of(4), draw(ROWS, HEADS, seed=5)
    shifts, powers = torch.softmax(draw(ROWS, HEADS, 5, seed=6) * 3, dim=2), 1 + 3 * draw(ROWS, HEADS, seed=7)
    found = sharpen(shift_circular(interpolate(content, last, gates), shifts), powers).numpy()
    for row, head in each_head():
        gate = float(gates[row, head])
        mixed = gate * content[row, head].numpy() + (1 - gate) * last[row, head].numpy()
        moved = np.zeros(LOCATIONS)
        for i in range(LOCATIONS):
            for j in range(LOCATIONS):
                for move in (-2, -1, 0, 1, 2):
                    if (i - j - move) % LOCATIONS == 0:
                        moved[i] += mixed[j] * float(shifts[row, head, move + 2])
        raised = moved ** float(powers[row, head])
        np.testing.assert_allclose(found[row, head], raised / raised.sum(), atol=1e-9)


@pytest.mark.parametrize("heads", [1, 3])
def test_reading_and_writing_are_those_of_the_paper(heads: int) -> None:
    """Graves, Wayne & Danihelka 2014, equations 2 to 4; several heads erase before any adds."""
    memory, weights = draw(ROWS, LOCATIONS, WIDTH), weights_of(heads=heads)
    erase, add = draw(ROWS, heads, WIDTH, seed=8), draw(ROWS, heads, WIDTH, seed=9) - 0.5
    written, found = erase_and_add(memory, weights, erase, add), read(memory, weights)
    for row in range(ROWS):
        expected = memory[row].numpy().copy()
        for head in range(heads):
            expected *= 1 - np.outer(weights[row, head], erase[row, head])
        for head in range(heads):
            expected += np.outer(weights[row, head], add[row, head])
            np.testing.assert_allclose(found[row, head], weights[row, head].numpy() @ memory[row].numpy())
        np.testing.assert_allclose(written[row], expected)


@given(move=st.integers(-2, 2), place=st.integers(0, LOCATIONS - 1))
def test_a_certain_shift_moves_a_certain_head_round_the_ring(move: int, place: int) -> None:
    weights, shifts = torch.zeros(1, 1, LOCATIONS), torch.zeros(1, 1, 5)
    weights[0, 0, place], shifts[0, 0, move + 2] = 1, 1
    moved = shift_circular(weights, shifts)[0, 0]
    assert int(moved.argmax()) == (place + move) % LOCATIONS
    assert moved.sum() == 1


def test_a_large_power_leaves_weights_that_are_numbers() -> None:
    """128 even weights to the power of 100 are 0 in single precision; their shares are not."""
    even = torch.full((1, 1, 128), 1 / 128, requires_grad=True)
    sharp = sharpen(even, torch.tensor([[100.0]]))
    torch.testing.assert_close(sharp.detach(), even.detach())
    sharp[0, 0, 0].backward()
    assert even.grad is not None
    assert even.grad.isfinite().all()


def test_a_memory_of_zeros_has_finite_gradients() -> None:
    keys, memory = draw(1, 1, WIDTH).requires_grad_(), torch.zeros(1, 3, WIDTH).double().requires_grad_()
    content_weights(keys, torch.full((1, 1), 2.0).double(), memory)[0, 0, 0].backward()
    assert memory.grad is not None
    assert memory.grad.isfinite().all()
