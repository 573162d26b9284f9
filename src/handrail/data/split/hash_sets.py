"""Sets of rows by their hashes: a name for each, the part kept of large ones, and how far two overlap."""

import hashlib

import numpy as np
from jaxtyping import UInt64

_MOST_HASHES = 2_000_000


def fingerprint(row_hashes: UInt64[np.ndarray, " rows"]) -> str:
    """The name of a set of rows in any order: 32 hexadecimal digits of SHA-256 over the sorted hashes."""
    return hashlib.sha256(sort_hashes(row_hashes).tobytes()).hexdigest()[:32]


def sort_hashes(row_hashes: UInt64[np.ndarray, " rows"]) -> UInt64[np.ndarray, " rows"]:
    """Hashes in rising order, little-endian on every machine."""
    assert row_hashes.dtype == np.uint64, f"row hashes are uint64, not {row_hashes.dtype}"
    assert row_hashes.ndim == 1, "row hashes are [rows]"
    return np.sort(row_hashes).astype("<u8")


def thin(row_hashes: UInt64[np.ndarray, " rows"]) -> tuple[int, UInt64[np.ndarray, " kept"]]:
    """k, and one in 2ᵏ of the sorted hashes: as many as make at most about 2,000,000."""
    hashes = sort_hashes(row_hashes)
    thinning = max(0, int(np.ceil(np.log2(max(len(hashes), 1) / _MOST_HASHES))))
    return thinning, sample(hashes, thinning)


def sample(hashes: UInt64[np.ndarray, " rows"], thinning: int) -> UInt64[np.ndarray, " kept"]:
    """One in 2ᵏ hashes, k = `thinning`, chosen by value, so that two sets keep the same rows."""
    if thinning == 0:
        return hashes
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15)  # modulo 2⁶⁴; spreads hashes that are not uniform
    return hashes[mixed >> np.uint64(64 - thinning) == 0]


def share(own: UInt64[np.ndarray, " rows"], others: UInt64[np.ndarray, " others"]) -> float:
    """The share of a set's rows that another holds, too; both are sorted, and thinned alike."""
    if not len(own) or not len(others):
        return 0.0
    place = np.minimum(np.searchsorted(others, own), len(others) - 1)
    return float((others[place] == own).mean())
