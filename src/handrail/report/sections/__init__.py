"""The parts of a run's page: each turns files of the run folder into what the template shows.

May import `evaluation`, `figures`, `samples.archive`, `wording` and run records. A newcomer adds a section
here and its place in `report.html.j2`.
"""
