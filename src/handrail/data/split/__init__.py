"""Massage the data: which rows are training, validation and test, drawn before any statistic is computed.

May import columns, sources, stores, forecast and tasks. A new way to divide goes into `draw`, its setting
into `recipe/reading`.
"""

from handrail.tools.moved import forward

__getattr__ = forward(__name__)
