"""The history of made rows that critics are shown."""

import torch

from handrail.learning.games.pool import Pool


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows_from(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count, dtype=torch.float32).unsqueeze(1)


def test_no_row_is_lost_or_doubled() -> None:
    """What is shown and what is kept afterwards are what was kept and what was made."""
    pool, generator = Pool(50), chance()
    pool.exchange(rows_from(0, 50), generator)
    for start in range(50, 1000, 30):
        assert pool.rows is not None
        before, made = pool.rows.clone(), rows_from(start, 30)
        shown = pool.exchange(made, generator)
        after = torch.cat([shown, pool.rows]).flatten().sort().values
        assert torch.equal(after, torch.cat([before, made]).flatten().sort().values)


def test_about_one_half_of_what_is_shown_is_older() -> None:
    """Source: Shrivastava et al. 2017"""
    pool, generator, older = Pool(50), chance(), 0
    pool.exchange(rows_from(0, 50), generator)
    for start in range(50, 20_050, 20):
        older += int((pool.exchange(rows_from(start, 20), generator) < start).sum())
    assert 0.48 < older / 20_000 < 0.52


def test_while_it_fills_the_newest_are_shown() -> None:
    pool, made = Pool(8), rows_from(0, 5)
    assert torch.equal(pool.exchange(made, chance()), made)
    assert torch.equal(pool.exchange(rows_from(5, 3), chance()), rows_from(5, 3))
    assert pool.rows is not None
    assert torch.equal(pool.rows, rows_from(0, 8))


def test_without_places_nothing_is_kept() -> None:
    pool, made = Pool(0), rows_from(0, 5)
    assert torch.equal(pool.exchange(made, chance()), made)
    assert pool.state_dict() == {}


def test_batches_may_be_larger_than_the_pool() -> None:
    pool, generator = Pool(3), chance()
    for start in range(0, 60, 20):
        shown = pool.exchange(rows_from(start, 20), generator)
        assert shown.shape == (20, 1)
        assert pool.rows is not None
        assert len(pool.rows) == 3
