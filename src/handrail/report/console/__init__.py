"""What the command line prints: runs, findings, the catalogue of components.

May import the report's words and run records. A newcomer adds a file here for a new command's text.
"""
