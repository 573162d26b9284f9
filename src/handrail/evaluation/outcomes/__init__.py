"""Outcomes by kind of answer: tables, masks, boxes and tokens; each measures its answers against the truth.

May import `handrail.evaluation` and below. A new kind of answer brings its `Outcome` here, one file a kind.
"""
