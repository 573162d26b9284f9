"""Tuning: which settings of a recipe do best on validation rows, and which differences are within noise."""
