"""Kinds of columns: what a column is by its training rows, and how its values are read.

May import `tools` and `errors` alone. A new kind of column begins here, in `schema`.
"""
