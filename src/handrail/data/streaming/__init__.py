"""Tables larger than memory: Parquet files that are read block by block.

`parquet` reads blocks, `scan` takes the few columns that the split needs and looks once at all rows, `part`
is what the other steps are given and writes encoded rows into a `row_file`, which gives them back.

May import all of `data` but the writers. A new streamed format begins beside `parquet`.
"""
