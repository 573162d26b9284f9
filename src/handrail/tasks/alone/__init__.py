"""Tasks without a target: clusters, densities, memories, reconstructions; rows as points, and the labels
that only judge.

May import what `handrail.tasks` may.
"""
