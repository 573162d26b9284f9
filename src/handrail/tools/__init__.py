"""What knows nothing of deep learning: files, scratch files, YAML, URLs, worker processes, words, old names.

May import `errors` alone. What two rooms would otherwise write twice goes here.
"""
