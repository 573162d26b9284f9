"""A text of sums."""

import numpy as np

from handrail.data.sources import read
from handrail.data.sources.passages import read_passages


def test_results_stand_backwards_behind_numbers_of_equal_length() -> None:
    lines = read("toy:sums,rows=100,each=5,digits=2,seed=1").frame["text"].to_list()
    for line in lines:
        assert len(line.split()) == 5
        for each in line.split():
            numbers, result = each.split("=")
            first, second = numbers.split("+")
            assert (len(first), len(second), len(result)) == (2, 2, 3)
            assert int(first) + int(second) == int(result[::-1])


def test_digits_are_uniform_and_rows_are_the_lines_of_a_text() -> None:
    table = read_passages("toy:sums,rows=2000,each=10")
    text = "".join(table.frame["text"])
    assert text.count("\n") == 2_000
    digits = np.array([[int(each[0]), int(each[2])] for each in text.split()])
    shares = np.stack([(digits == digit).mean(axis=0) for digit in range(10)])
    np.testing.assert_allclose(shares, 0.1, atol=0.01)
