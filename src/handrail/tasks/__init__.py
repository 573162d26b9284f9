"""Decoders: what a task asks of a network, and how its scores become answers."""

from handrail.data.task import Task
from handrail.recipe.encoding import Text
from handrail.shapes import InputShape
from handrail.tasks.classes import ClassDecoder
from handrail.tasks.task import Decoder
from handrail.tasks.values import ValueDecoder

__all__ = ["ClassDecoder", "Decoder", "ValueDecoder", "make_decoder"]


def make_decoder(task: Task, shape: InputShape, *, text: Text | None = None) -> Decoder:
    """The decoder of a task for inputs of this shape; `text` says how written answers become tokens."""
    if task.name == "regression":
        return ValueDecoder(task, shape)
    if task.name == "mask":
        from handrail.tasks.masks import MaskDecoder as Made
    elif task.name == "boxes":
        from handrail.tasks.boxes import BoxDecoder as Made
    elif task.name == "next-token":
        from handrail.tasks.next_token import NextTokenDecoder as Made
    elif task.name == "sequence":
        from handrail.tasks.sequence import SequenceDecoder

        return SequenceDecoder(task, shape, settings=text)
    else:
        return ClassDecoder(task, shape)
    return Made(task, shape)
