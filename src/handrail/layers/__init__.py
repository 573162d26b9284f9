"""Layers: what networks are made of.

numbers    activations, noise (dropout too), embedding; initialisations: how weights begin
images     convolution (locally connected too), pooling, normalisation, residual, anchors
sequences  steps (positions, recurrence), attention (and the transformer's block)
all        precision: fewer bits; blocks: what a recipe can list one after the other

A new activation or initialisation is a function with `@component` in its file. This folder may import
`shapes`, `components`, `tools` and `errors`, and no model.
"""
