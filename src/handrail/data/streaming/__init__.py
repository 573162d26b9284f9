"""Tables larger than memory: Parquet files that are read block by block.

`parquet` reads blocks, `slim` holds the few columns that the split needs, `gather` looks once at all rows,
`part` is what the other steps are given, `encode` writes encoded rows into a file without a name, and `rows`
and `order` give them back, shuffled.
"""
