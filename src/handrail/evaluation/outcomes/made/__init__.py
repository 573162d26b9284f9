"""Outcomes of what a network makes: rows, rows of another domain, pictures."""
