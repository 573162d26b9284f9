"""Encoders: from columns of any kind to the rows of a network, learned from training rows only.

May import columns, stores, forecast, `layers` and `recipe`, but no sources. A new kind of column is a
`ColumnEncoder` here, named in `row_encoder`.
"""
