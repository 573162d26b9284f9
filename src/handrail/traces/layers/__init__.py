"""Traces of layers: forward and back through a network, windows of a picture, gates, attention, routing."""
