"""How a text file is laid out beside its delimiter: lines that are no table, rows that are no data, quotes.

What is left out or taken off is a finding with the setting that keeps it; what cannot be read gets advice
that was tried.
"""
