"""Encoders: from columns of any kind to the rows that a network is trained on, learned from training rows
only.
"""
