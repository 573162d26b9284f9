"""What is chosen where the recipe leaves it open."""

import pytest

from handrail.data.task import TaskSpec
from handrail.runs.defaults import choose


@pytest.mark.parametrize(("rows", "epochs", "patience"), [
    (150, 100, 15), (500_000, 100, 15), (1_000_000, 50, 12), (14_000_000, 4, 2), (10**9, 3, 2),
])  # fmt: skip
def test_a_long_table_is_seen_less_often(rows: int, epochs: int, patience: int) -> None:
    choice = choose(20, 1, task=TaskSpec(name="binary", targets=("y",), classes=("a", "b")), rows=rows)
    assert (choice.epochs, choice.patience) == (epochs, patience)
    assert ("epochs are steps enough" in choice.why) is (epochs < 100)
