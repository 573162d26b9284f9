"""From the columns that are named as targets to what is to be learned: the `TaskSpec`.

May import columns, stores, `data.task` and `data.labels`. A new reading of targets is a file of its own.
"""
