"""What people read about a run or a search: the HTML page, the model card, lines for the terminal.

May import run records (`runs`) and everything below, never `run` or `fitting`. A newcomer adds a figure in
`figures/`, a part of the page in `sections/`, and what its pictures need from the network in `samples/`.
"""
