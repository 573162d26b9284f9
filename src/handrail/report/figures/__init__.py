"""Figures of the page, one file a subject: arrays in, SVG in the page's colours out.

May import `evaluation` and the report's words, no run records. A newcomer adds a file that draws with
`style.picture` (matplotlib) or `tiles.grid` (pixels).
"""
