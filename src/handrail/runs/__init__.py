"""The run folder and what is done with it: how a fit is put together, measured, written and read back.

May import `pipeline` and what lies below. What a report needs of a run stands in `record`.
"""
