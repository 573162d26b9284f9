"""From files and arrays to pixels: decoding, in worker processes where there are many, and a cache.

Nothing is imported here: a worker loads `worker` alone, and has to start without NumPy, Polars and torch.
"""
