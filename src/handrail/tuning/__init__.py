"""Tuning: which settings of a recipe do best on validation rows, and which differences are within noise.

May import everything below the command line, except `sklearn`. A newcomer adds a search method in `methods`,
or a way to train trials side by side in `executors`.
"""
