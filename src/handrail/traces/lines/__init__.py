"""Traces of what a line can do: perceptrons, the delta rule, slopes that are followed down."""
