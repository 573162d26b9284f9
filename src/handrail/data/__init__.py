"""Massage the data: from a source to parts whose columns are known, and to the rows that a network takes.

May import `recipe`, `components`, `layers` and `shapes`, nothing above. Nothing is imported here: decode
workers start below this folder. A new format is a reader in `sources/`, a new kind of column an encoder.
"""
