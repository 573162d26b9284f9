"""What is kept of the rows that a network makes in the course of its training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handrail.errors import RunError
from handrail.training.course import Course, read_course


class Maker(nn.Module):
    """Its rows say whether it was in evaluation; they take from the global generator, too."""

    def make(self, network: nn.Module) -> Tensor:
        assert not network.training
        return torch.rand(3, 2)


def follow(course: Course, network: nn.Module, epochs: int) -> None:
    training = SimpleNamespace(model=network, progress=SimpleNamespace(done=""))
    for epoch in range(1, epochs + 1):
        training.progress.done = "all epochs" if epoch == epochs else ""
        course.on_epoch_end(training, epoch, {})  # pyright: ignore[reportArgumentType]


def test_rows_are_kept_of_epochs_that_double_and_of_the_last(tmp_path: Path) -> None:
    maker = Maker()
    follow(Course(tmp_path / "course", maker.make), maker, 11)
    made = read_course(tmp_path / "course")
    assert list(made) == [1, 2, 4, 8, 11]
    assert all(np.array_equal(rows, made[1]) for rows in made.values())  # of the same noise


def test_the_last_of_a_training_that_goes_on_is_no_longer_kept(tmp_path: Path) -> None:
    maker = Maker()
    course = Course(tmp_path, maker.make)
    follow(course, maker, 6)
    assert list(read_course(tmp_path)) == [1, 2, 4, 6]
    follow(course, maker, 9)
    assert list(read_course(tmp_path)) == [1, 2, 4, 8, 9]


def test_the_training_does_not_notice(tmp_path: Path) -> None:
    maker = Maker().train()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    follow(Course(tmp_path / "course", maker.make), maker, 4)
    assert maker.training
    assert torch.equal(torch.rand(4), expected)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "epoch-2.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(RunError, match=r"epoch-2\.npy' is damaged"):
        read_course(tmp_path)


def test_a_network_that_makes_nothing_leaves_nothing(tmp_path: Path) -> None:
    follow(Course(tmp_path / "course", lambda network: None), nn.Linear(1, 1), 4)
    assert not (tmp_path / "course").exists()
    assert read_course(tmp_path / "course") == {}
