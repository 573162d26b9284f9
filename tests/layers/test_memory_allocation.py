"""Allocation and links, beside NumPy written from the paper's equations, location by location."""

import numpy as np
import torch

from handrail.layers.memory_allocation import (
    allocate,
    follow_links,
    update_links,
    update_precedence,
    update_usage,
)

ROWS, HEADS, LOCATIONS = 3, 2, 5


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights_of(*shape: int, seed: int) -> torch.Tensor:
    return torch.softmax(3 * draw(*shape, LOCATIONS, seed=seed), dim=-1)


def test_usage_and_allocation_are_those_of_the_paper() -> None:
    """Graves et al. 2016, methods: ψ_t, u_t and equation 1."""
    usage, written, reads = draw(ROWS, LOCATIONS), weights_of(ROWS, seed=1), weights_of(ROWS, HEADS, seed=2)
    free = draw(ROWS, HEADS, seed=3)
    found = update_usage(usage, written, reads, free)
    allocated = allocate(found).numpy()
    for row in range(ROWS):
        kept = np.ones(LOCATIONS)
        for head in range(HEADS):
            kept *= 1 - float(free[row, head]) * reads[row, head].numpy()
        u, w = usage[row].numpy(), written[row].numpy()
        expected = (u + w - u * w) * kept
        np.testing.assert_allclose(found[row], expected)
        order, room = np.argsort(expected), np.zeros(LOCATIONS)
        for place, location in enumerate(order):
            room[location] = (1 - expected[location]) * np.prod(expected[order[:place]])
        np.testing.assert_allclose(allocated[row], room, atol=1e-5)


def test_precedence_and_links_are_those_of_the_paper_over_several_steps() -> None:
    """Graves et al. 2016, methods: p_t and equation 2."""
    links = torch.zeros(ROWS, LOCATIONS, LOCATIONS).double()
    precedence = torch.zeros(ROWS, LOCATIONS).double()
    expected, before = np.zeros((ROWS, LOCATIONS, LOCATIONS)), np.zeros((ROWS, LOCATIONS))
    others = 1 - torch.eye(LOCATIONS).double()
    for step in range(4):
        written = 0.8 * weights_of(ROWS, seed=step)
        links = update_links(links, written, precedence, others)
        precedence = update_precedence(precedence, written)
        for row in range(ROWS):
            w, new = written[row].numpy(), np.zeros((LOCATIONS, LOCATIONS))
            for i in range(LOCATIONS):
                for j in range(LOCATIONS):
                    if i != j:
                        new[i, j] = (1 - w[i] - w[j]) * expected[row, i, j] + w[i] * before[row, j]
            expected[row] = new
            before[row] = (1 - w.sum()) * before[row] + w
        np.testing.assert_allclose(links, expected)
        np.testing.assert_allclose(precedence, before)


def test_reads_follow_the_links_as_their_modes_say() -> None:
    """Graves et al. 2016, methods: b_t = Lᵀ·w, f_t = L·w, and the mix of the three modes."""
    links, reads = draw(ROWS, LOCATIONS, LOCATIONS), weights_of(ROWS, HEADS, seed=1)
    content, modes = weights_of(ROWS, HEADS, seed=2), torch.softmax(draw(ROWS, HEADS, 3, seed=3), dim=2)
    found = follow_links(links, reads, content, modes)
    for row in range(ROWS):
        for head in range(HEADS):
            matrix, w = links[row].numpy(), reads[row, head].numpy()
            back, lookup, on = modes[row, head].numpy()
            expected = back * matrix.T @ w + lookup * content[row, head].numpy() + on * matrix @ w
            np.testing.assert_allclose(found[row, head], expected)


def test_a_full_memory_has_no_room_and_an_empty_one_gives_its_first_location() -> None:
    assert float(allocate(torch.ones(1, LOCATIONS)).sum()) < 1e-4
    torch.testing.assert_close(
        allocate(torch.zeros(1, LOCATIONS)), torch.eye(LOCATIONS)[:1], atol=1e-5, rtol=0
    )
