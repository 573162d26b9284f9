"""The layers that a recipe can list one after the other, as the model `layers` builds them.

Each is a function of `inputs`, the shape of its rows; the annotation says which shapes it takes, and the
shape that it gives is measured. A new one is a function with `@component("layer")` in the file of its kind.
May import the rest of `layers`.
"""
