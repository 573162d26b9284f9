"""The network around a model: what stands before it on the device, and the precision that it computes in."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from handrail.components import available, find, is_object, parse
from handrail.data.task import STORED_TASKS, TaskSpec
from handrail.errors import RecipeError
from handrail.shapes import InputShape, OutputShape, accepted_shapes, shape_name


class Network(nn.Module):
    """front → augmentation (in training) → model.

    Of a front with several layers (pictures) the last one, which standardises, stands behind the
    augmentation.
    """

    def __init__(self, front: nn.Module | None, augment: Sequence[nn.Module], model: nn.Module) -> None:
        super().__init__()
        before = list(front) if isinstance(front, nn.Sequential) else [] if front is None else [front]
        at = len(before) - 1 if augment and len(before) > 1 else len(before)
        self.front = nn.Sequential(*before[:at])
        self.augment = nn.Sequential(*augment)
        self.scale = nn.Sequential(*before[at:])
        self.model = model

    def forward(self, inputs: Any) -> Any:
        """The model's scores for encoded rows."""
        pixels = self.front(inputs)
        if self.training:  # asked here: augmentations from elsewhere may not know of evaluation
            pixels = self.augment(pixels)
        return self.model(self.scale(pixels))


def whole_network(
    front: nn.Module | None, augment: Sequence[nn.Module], model: nn.Module, *, precision: str
) -> nn.Module:
    """The model, with what stands before it, in the precision asked for; alone where nothing does."""
    bare = front is None or isinstance(front, nn.Identity)
    if precision == "bfloat16":
        from handrail.layers.precision import Lowered

        model = Lowered(model)
    return model if bare and not augment else Network(None if bare else front, augment, model)


def check_shapes(model: Any, inputs: InputShape, outputs: OutputShape, task: TaskSpec) -> None:
    """Raises: `RecipeError` when a model of ours takes other inputs, or gives other outputs, than there are."""
    if is_object(model):
        return
    name = parse(model, "model")[0]
    target = find("model", name).target
    problems = []
    for argument, shape, verb in (("inputs", inputs, "takes"), ("outputs", outputs, "gives")):
        kinds = accepted_shapes(target, argument)
        if not isinstance(shape, kinds):
            word = (
                "scores"
                if argument == "outputs" and kinds == (int,)
                else ", ".join(shape_name(kind) for kind in kinds)
            )
            need = "the data gives" if argument == "inputs" else f"the task ({task.name}) asks for"
            wanted = "scores" if argument == "outputs" and isinstance(shape, int) else shape_name(type(shape))
            problems.append(f"model: '{name}' {verb} {word}, but {need} {wanted}.")
    if task.name == "next-token" and not getattr(target, "causal", True):
        problems.append(
            f"model: '{name}' sees the whole text at once, the next token included; it cannot learn to "
            "foretell it."
        )
    if problems:
        fitting = [
            entry for entry, found in available("model").items() if fits(found.target, inputs, outputs)
        ]
        problems[-1] += f" Expected one of {', '.join(fitting)}." if fitting else ""
        raise RecipeError(problems)


def check_augmentation(augment: Sequence[Any], inputs: InputShape, task: TaskSpec) -> None:
    """Raises: `RecipeError` with every augmentation of ours that cannot change rows of this shape, or leaves
    their masks or boxes behind.
    """
    problems = []
    for index, item in enumerate(augment):
        if is_object(item):
            continue
        name = parse(item, "augmentation")[0]
        target = find("augmentation", name).target
        kinds = accepted_shapes(target, "inputs")
        if task.name in STORED_TASKS and ":" not in name and not hasattr(target, "follow"):
            problems.append(
                f"data.augment[{index}]: '{name}' would move the picture and not its {task.name}; expected "
                "flip, or nothing."
            )
        if not isinstance(inputs, kinds):
            takes = ", ".join(shape_name(kind) for kind in kinds)
            problems.append(
                f"data.augment[{index}]: '{name}' changes {takes}, but the data gives "
                f"{shape_name(type(inputs))}; leave it out."
            )
    if problems:
        raise RecipeError(problems)


def fits(target: Any, inputs: InputShape, outputs: OutputShape) -> bool:
    """Whether a network's annotations accept these shapes."""
    return isinstance(inputs, accepted_shapes(target, "inputs")) and isinstance(
        outputs, accepted_shapes(target, "outputs")
    )
