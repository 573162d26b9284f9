"""Windows on one long series or text: where they lie, how they are divided in time, and their season.

May import tables, columns, split and stores. A new fact of a window goes into `plan`.
"""
