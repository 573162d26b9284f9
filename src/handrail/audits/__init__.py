"""Audits: where a trained network breaks, measured with intervals, and said in one sentence.

    handrail.audit(run, "subgroups", columns=["sex"])      handrail audit RUN subgroups -s 'columns=[sex]'

An audit is a function of what is `audited.Audited` (a run, its rows, and a way to train it again), with
`@component("audit")`; what follows the bare `*` is set by the user. It gives back figures, a table, pictures
and a verdict (`result.AuditData`), or refuses with what it would need. Audits look at validation rows; at
test rows only where their seal is open.

result: the data. audited: what an audit may look at. groups: rows by the values of columns. Each of the other
files is an audit. May import `run` and below, and `fitting`.
"""
