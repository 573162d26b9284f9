"""Layers: what networks are made of.

activations, noise (dropout too), embedding; initialisations: how weights begin convolution (locally connected
too), pooling, normalisation, residual, anchors: images steps (positions, recurrence), attention (and the
transformer's block): sequences precision: fewer bits where the processor has units for it; blocks: what a
recipe can list one after the other

A new activation or initialisation is a function with `@component` in its file. This folder may import
`shapes`, `components`, `tools` and `errors`, and no model.
"""
