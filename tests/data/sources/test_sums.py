"""A text of sums."""

import numpy as np

from handrail.data.sources import read
from handrail.data.sources.passages import read_passages


def test_results_stand_backwards_behind_numbers_of_equal_length() -> None:
    lines = read("toy:sums,rows=500,digits=2,seed=1").frame["text"].to_list()
    for line in lines:
        first, rest = line.split("+")
        second, result = rest.split("=")
        assert (len(first), len(second), len(result)) == (2, 2, 3)
        assert int(first) + int(second) == int(result[::-1])


def test_digits_are_uniform_and_rows_are_the_lines_of_a_text() -> None:
    table = read_passages("toy:sums,rows=20000")
    text = "".join(table.frame["text"])
    assert text.count("\n") == 20_000
    digits = np.array([[int(line[place]) for place in (0, 1, 2, 4, 5, 6)] for line in text.splitlines()])
    shares = np.stack([(digits == digit).mean(axis=0) for digit in range(10)])
    np.testing.assert_allclose(shares, 0.1, atol=0.01)
