"""Tasks: what a network has to answer, its targets, and how its scores become answers and outcomes.

May import evaluation, data, layers and below. A new task is a file with a `Task`, entered here, and an
outcome in `handrail.evaluation.outcomes`; CONTRIBUTING names the other places.
"""

from handrail.data.task import TaskSpec
from handrail.recipe.sections import Text
from handrail.shapes import InputShape
from handrail.tasks.alone.clusters import ClusterTask
from handrail.tasks.alone.density import DensityTask
from handrail.tasks.alone.domains.translation import TranslationTask
from handrail.tasks.alone.generation import GenerationTask
from handrail.tasks.alone.map import MapTask
from handrail.tasks.alone.memory import MemoryTask
from handrail.tasks.alone.reconstruction import ReconstructionTask
from handrail.tasks.bit_sequence import BitSequenceTask
from handrail.tasks.boxes import BoxTask
from handrail.tasks.classes import ClassTask
from handrail.tasks.dynamics import DynamicsTask
from handrail.tasks.from_text.text_to_image import TextToImageTask
from handrail.tasks.masks import MaskTask
from handrail.tasks.next_token import NextTokenTask
from handrail.tasks.sequence import SequenceTask
from handrail.tasks.task import Task
from handrail.tasks.values import ValueTask

__all__ = ["ClassTask", "Task", "ValueTask", "make_task"]

_TASKS = dict.fromkeys(("binary", "multi-class", "multi-label"), ClassTask) | {
    "regression": ValueTask,
    "mask": MaskTask,
    "boxes": BoxTask,
    "bit-sequence": BitSequenceTask,
    "next-token": NextTokenTask,
    "text-to-image": TextToImageTask,
    "clusters": ClusterTask,
    "map": MapTask,
    "memory": MemoryTask,
    "density": DensityTask,
    "generation": GenerationTask,
    "reconstruction": ReconstructionTask,
    "translation": TranslationTask,
}


def make_task(spec: TaskSpec, shape: InputShape, *, text: Text | None = None) -> Task:
    """The task for inputs of this shape; `text` says how written answers become tokens."""
    if spec.name == "sequence":
        return SequenceTask(spec, shape, settings=text)
    if spec.free_run:
        return DynamicsTask(spec, shape)
    return _TASKS[spec.name](spec, shape)
