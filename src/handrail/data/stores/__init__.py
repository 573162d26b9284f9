"""Stores: what no cell of a table can hold (images, masks, boxes, series, sounds); cells are places in a store.

Nothing is imported here, since decode workers import `pixels.worker` alone and must start quickly. A new kind of
item is a store beside these, which keeps the protocol in `store`.
"""
