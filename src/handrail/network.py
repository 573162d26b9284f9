"""The network around a model: the layers in front of it, augmentation, and precision."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from handrail.components import available, find, is_object, parse
from handrail.data.task import STORED_TASKS, TEXT_TASKS, TaskSpec
from handrail.errors import RecipeError
from handrail.shapes import InputShape, NoTarget, OutputShape, StepShape, accepted_shapes, shape_name


class Network(nn.Module):
    """front → augmentation (in training) → model.

    The last of several front layers (for pictures), which standardises, follows the augmentation.
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
        return self.model(self.before(inputs))

    def before(self, inputs: Any) -> Any:
        """What the model is given."""
        pixels = self.front(inputs)
        if self.training:  # asked here: augmentations from elsewhere may not know of evaluation
            pixels = self.augment(pixels)
        return self.scale(pixels)


def model_in(network: nn.Module) -> nn.Module:
    """The model within a network, whatever stands around it; of replicas, of the first that answers."""
    from handrail.layers.precision import Lowered

    network = answering_in(network)[0]
    inner = network.model if isinstance(network, Network) else network
    return inner.network if isinstance(inner, Lowered) else inner


def models_in(network: nn.Module) -> list[nn.Module]:
    """The models within a network: one, or one of each replica."""
    return [model_in(each) for each in getattr(network, "members", [network])]


def answering_in(network: nn.Module) -> list[nn.Module]:
    """The networks whose scores are the answers: a single one itself, or the replicas that answer."""
    whole: Any = network
    return [whole.members[place] for place in whole.answering] if hasattr(whole, "answering") else [network]


def model_inputs(network: nn.Module, inputs: Any) -> Any:
    """What the model within a network is given for encoded rows."""
    network = answering_in(network)[0]
    return network.before(inputs) if isinstance(network, Network) else inputs


def whole_network(
    front: nn.Module | None, augment: Sequence[nn.Module], model: nn.Module, *, precision: str
) -> nn.Module:
    """The model in the precision asked for, with its front and augmentation if it has any."""
    bare = front is None or isinstance(front, nn.Identity)
    if precision == "bfloat16":
        from handrail.layers.precision import Lowered

        model = Lowered(model)
    return model if bare and not augment else Network(None if bare else front, augment, model)


def check_shapes(model: Any, inputs: InputShape, outputs: OutputShape, task: TaskSpec) -> None:
    """Raises: `RecipeError` when a registered model does not fit the inputs or outputs."""
    if is_object(model):
        return
    name = parse(model, "model")[0]
    target = find("model", name).target
    problems = []
    alone = getattr(target, "alone", None)
    if isinstance(outputs, NoTarget) and alone is not None and alone.task != outputs.task:
        problems.append(f"model: '{name}' learns {alone.task}, but the task is {outputs.task}.")
    for argument, shape, verb in (("inputs", inputs, "takes"), ("outputs", outputs, "gives")):
        kinds = accepted_shapes(target, argument)
        if not isinstance(shape, kinds):
            word = ", ".join(shape_name(kind) for kind in kinds)
            word = "scores" if argument == "outputs" and kinds == (int,) else word
            need = "the data gives" if argument == "inputs" else f"the task ({task.name}) asks for"
            asked = "scores" if argument == "outputs" and isinstance(shape, int) else shape_name(type(shape))
            problems.append(f"model: '{name}' {verb} {word}, but {need} {asked}.")
    if task.name == "next-token" and not getattr(target, "causal", True):
        whole = f"model: '{name}' sees the whole text at once, the next token included; it cannot learn to "
        problems.append(f"{whole}predict it.")
    if problems and accepted_shapes(target, "outputs") == (StepShape,) and task.name not in TEXT_TASKS:
        raise RecipeError(
            f"model: '{name}' predicts the next token of a text or of a column, and the task is {task.name}; "
            "set data.task: next-token, or choose another model."
        )
    if problems:
        models = available("model").items()
        fitting = [entry for entry, model in models if fits(model.target, inputs, outputs)]
        takes, gives = (_describe_shape(shape) for shape in (inputs, outputs))
        none = f"No registered model takes {takes} and gives {gives}: choose another task, or write a module."
        problems[-1] += f" Expected one of {', '.join(fitting)}." if fitting else f" {none}"
        raise RecipeError(problems)


def _describe_shape(shape: InputShape | OutputShape) -> str:
    return "a number of values" if isinstance(shape, int) else shape_name(type(shape))


def check_augmentation(augment: Sequence[Any], inputs: InputShape, task: TaskSpec) -> None:
    """Raises: `RecipeError` for registered augmentations that do not suit inputs, masks or boxes."""
    problems = []
    for index, item in enumerate(augment):
        if is_object(item):
            continue
        name = parse(item, "augmentation")[0]
        target = find("augmentation", name).target
        kinds = accepted_shapes(target, "inputs")
        if task.name in STORED_TASKS and ":" not in name and not hasattr(target, "follow"):
            moves = f"data.augment[{index}]: '{name}' would move the picture and not its {task.name}"
            problems.append(f"{moves}; expected flip, or nothing.")
        if not isinstance(inputs, kinds):
            takes = ", ".join(shape_name(kind) for kind in kinds)
            changes, given = f"data.augment[{index}]: '{name}' changes {takes}", shape_name(type(inputs))
            problems.append(f"{changes}, but the data gives {given}; leave it out.")
    if problems:
        raise RecipeError(problems)


def fits(target: Any, inputs: InputShape, outputs: OutputShape) -> bool:
    """Whether a network's annotations accept these shapes."""
    alone = getattr(target, "alone", None)
    if isinstance(outputs, NoTarget) and (alone is None or alone.task != outputs.task):
        return False
    takes, gives = accepted_shapes(target, "inputs"), accepted_shapes(target, "outputs")
    return isinstance(inputs, takes) and isinstance(outputs, gives)
