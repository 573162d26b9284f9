"""Layers: what networks are made of.

activations, maxout, noise, embedding; initialisations: how weights begin
convolution, pooling, residual, locally_connected, anchors: images
recurrent, attention, additive_attention, transformer_block, positions, steps: sequences
precision: fewer bits where the processor has units for it

Import from the modules; `handrail.components.available("activation")` and `available("initialisation")` list
them.
"""

from handrail.layers.activations import Heaviside, is_activation
from handrail.layers.embedding import EmbedColumns
from handrail.layers.initialisations import initialise
from handrail.layers.maxout import Maxout
from handrail.layers.noise import GaussianNoise, NoisyLinear

__all__ = [
    "EmbedColumns",
    "GaussianNoise",
    "Heaviside",
    "Maxout",
    "NoisyLinear",
    "initialise",
    "is_activation",
]
