"""What decides how fast a step is: compilation, threads, the way of multiplying; each chosen by measuring.

May import `learning` and `training.job`. A new choice is measured, and written to `environment.json`.
"""
