"""Several processes that train one network: how they meet, share batches, and end together.

A step asks its `Team` (`learning/team`); `processes` is the team of several.
"""
