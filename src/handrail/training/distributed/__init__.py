"""Several processes that train one network: how they meet, share batches as a `Team`, and end together.

May import `learning` and `objectives`. What a step asks of all processes is a method of `Team`.
"""
