"""Pictures of figures whose factors are known: colour, shape, size, angle, place.

A new picture of this kind is a toy in a file of this folder. A reader of what pictures show knows pixels
alone.
"""
