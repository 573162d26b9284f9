"""The engine: it repeats a rule over batches, validates, stops, saves and resumes, and knows no gradient.

May import `tasks`, `learning`, `network` and what lies below.
"""
