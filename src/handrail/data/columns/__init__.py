"""Kinds of columns: what a column is by its training rows, and how its values are read.

May import `errors` and `tools` alone. A new kind of column begins here, in `schema`.
"""
