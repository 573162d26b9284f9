"""Tools that know nothing of deep learning: files, YAML, words, the machine, worker processes.

May import `errors` only, and torch only inside functions. A newcomer adds a helper that several rooms need.
"""
