"""Learning rules, one file each: how one step changes the parameters.

May import `objectives`, `layers` and the rest of `learning`. A new rule is a new file here; see CONTRIBUTING.
"""
