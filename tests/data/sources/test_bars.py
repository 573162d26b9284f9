"""Bars and stripes, whose law is known."""

import numpy as np

from handrail.data.sources import read
from handrail.data.sources.toys.bars import draw_bars


def test_without_noise_whole_lines_are_on() -> None:
    """MacKay 2003: of 3 × 3 pixels, 2·2³ − 2 pictures; the plain ones are both rows and columns."""
    pictures = draw_bars(4000, side=3, noise=0.0, seed=0) // 255
    kinds, counts = np.unique(pictures.reshape(-1, 9), axis=0, return_counts=True)
    assert len(kinds) == 14
    lines = [len({*map(tuple, kind.reshape(3, 3))}) == 1 or len({*map(tuple, kind.reshape(3, 3).T)}) == 1
             for kind in kinds]  # fmt: skip
    assert all(lines)
    plain = counts[kinds.sum(axis=1) % 9 == 0] / 4000
    np.testing.assert_allclose(plain, [1 / 8, 1 / 8], atol=0.02)


def test_noise_turns_pixels() -> None:
    turned = draw_bars(2000, side=4, noise=0.1, seed=1) != draw_bars(2000, side=4, noise=0.0, seed=1)
    assert abs(float(turned.mean()) - 0.1) < 0.01
    assert read("toy:bars,rows=5").target is None
