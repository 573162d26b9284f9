"""From files and arrays to pixels: decoding, in worker processes where there are many, and a cache.

Nothing is imported here: workers start without NumPy, Polars and torch.
"""
