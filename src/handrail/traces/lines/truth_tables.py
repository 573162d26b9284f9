"""The truth tables of the lectures: two inputs and the target, in the order in which they are printed."""

from collections.abc import Mapping

Numbers = list[float]
TRUTH_TABLES: Mapping[str, list[Numbers]] = {
    "or": [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]],
    "and": [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]],
    "xor": [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]],
}
