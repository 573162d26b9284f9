"""Decoders: what a task asks of a network, and how its scores become answers."""

from handrail.data.encoding import Text
from handrail.data.task import Task
from handrail.decoders.classes import ClassDecoder
from handrail.decoders.decoder import Decoder
from handrail.decoders.values import ValueDecoder
from handrail.shapes import InputShape

__all__ = ["ClassDecoder", "Decoder", "ValueDecoder", "make_decoder"]


def make_decoder(task: Task, shape: InputShape, *, text: Text | None = None) -> Decoder:
    """The decoder of a task for inputs of this shape; `text` says how written answers become tokens."""
    if task.name == "regression":
        return ValueDecoder(task, shape)
    if task.name == "mask":
        from handrail.decoders.mask import MaskDecoder as Made
    elif task.name == "boxes":
        from handrail.decoders.boxes import BoxDecoder as Made
    elif task.name == "next-token":
        from handrail.decoders.next_token import NextTokenDecoder as Made
    elif task.name == "sequence":
        from handrail.decoders.sequence import SequenceDecoder

        return SequenceDecoder(task, shape, settings=text)
    else:
        return ClassDecoder(task, shape)
    return Made(task, shape)
