"""What a run answers: predictions for new rows, at once or a block at a time, and other uses of its network.

May import `handrail.pipeline` and below.
"""
