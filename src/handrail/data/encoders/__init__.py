"""Encoders: from columns of any kind to the rows of a network, learned from training rows only."""
