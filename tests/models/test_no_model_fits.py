"""Where no registered model takes what the data gives and gives what the task asks for, that is said."""

import pytest

from handrail.data.task import TaskSpec
from handrail.errors import RecipeError
from handrail.network import check_shapes
from handrail.shapes import ImageShape, StepShape


def test_a_text_from_pictures_has_no_registered_model() -> None:
    task = TaskSpec(name="sequence", targets=("caption",))
    with pytest.raises(RecipeError, match="No registered model takes images and gives scores at every step"):
        check_shapes("cnn", ImageShape(1, 16, 16), StepShape(5, 12), task)
