"""The engine: it repeats a rule over batches, validates, stops, saves and resumes, and knows no gradient.

May import `tasks`, `learning`, `network` and what lies below. A new listener is a `Callback`; a new reason to
stop goes into `stopping`.
"""
