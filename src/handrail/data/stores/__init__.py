"""Stores: what no cell of a table can hold (images, masks, boxes, series, sounds); cells are places in one.

Nothing is imported here: decode workers import `pixels.workers` alone and must start quickly. A new kind is a
store beside these, which keeps the protocol in `store`.
"""
