"""Layers: what networks are made of: activations, maxout, noise, learned vectors, and how weights begin.

Import from the modules; `handrail.components.available("activation")` and `available("initialisation")` list them.
"""

from handrail.layers.activations import Heaviside, is_activation
from handrail.layers.embedding import EmbedColumns
from handrail.layers.initialisations import initialise
from handrail.layers.maxout import Maxout
from handrail.layers.noise import GaussianNoise, NoisyLinear

__all__ = ["EmbedColumns", "GaussianNoise", "Heaviside", "Maxout", "NoisyLinear", "initialise", "is_activation"]
