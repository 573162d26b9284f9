"""Sets of rows are named and compared by their hashes, in whatever order they stand."""

import hashlib

import numpy as np
import pytest

from handrail.data.split import hash_sets
from handrail.data.split.hash_sets import fingerprint, sample, share, sort_hashes, thin


def _hashes(rows: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, rows, dtype=np.uint64)


def test_the_name_of_a_set_is_sha256_of_its_sorted_hashes() -> None:
    hashes = _hashes(50)
    text = b"".join(value.to_bytes(8, "little") for value in sorted(map(int, hashes)))
    assert fingerprint(hashes) == fingerprint(hashes[::-1]) == hashlib.sha256(text).hexdigest()[:32]
    assert fingerprint(hashes) != fingerprint(hashes[1:])


def test_the_share_of_rows_in_another_set_is_that_of_sets_of_numbers() -> None:
    own, others = _hashes(90), np.concatenate([_hashes(90)[:30], _hashes(60, seed=1)])
    assert share(sort_hashes(own), sort_hashes(others)) == len({*own} & {*others}) / len(own) == 1 / 3
    assert share(own[:0], others) == share(own, others[:0]) == 0.0


def test_large_sets_keep_the_same_rows_of_what_they_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_sets, "_MOST_HASHES", 100)
    own, others = _hashes(1000), np.concatenate([_hashes(1000)[:500], _hashes(500, seed=1)])
    (thinning, kept), (_, kept_of_others) = thin(own), thin(others)
    assert thinning == 4
    assert 20 < len(kept) <= 100 * 1.5
    assert {*kept} & {*kept_of_others} == {*sample(sort_hashes(own[:500]), thinning)}
    assert thin(own[:100])[1].tolist() == sorted(own[:100].tolist())
