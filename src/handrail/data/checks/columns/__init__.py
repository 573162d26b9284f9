"""What is odd about single columns of the training rows.

May import what `checks` may. A new check of a column is a function in the file of its subject, called from
`check_parts`.
"""
