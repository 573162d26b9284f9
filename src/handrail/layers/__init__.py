"""Layers: what networks are made of.

activations, maxout, noise, embedding; initialisations: how weights begin
convolution, pooling, residual, locally_connected, anchors: images
recurrent, attention, additive_attention, transformer_block, positions, steps: sequences
precision: fewer bits where the processor has units for it

blocks: those that a recipe can list one after the other

Import from the modules. A new activation or initialisation is a function with `@component` in its file. This
folder may import `shapes`, `components`, `tools` and `errors`, and no model.
"""
