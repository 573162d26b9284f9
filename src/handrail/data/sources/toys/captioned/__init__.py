"""Pictures with captions, and how to read what such pictures show.

A new picture of this kind is a toy in a file of this folder, with a reader that knows pixels alone.
"""
