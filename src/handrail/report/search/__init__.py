"""The report of a search: its page and its text for the terminal.

May import `figures` and the report's words; it reads plain `search.json`, never `tuning`. A newcomer adds
sentences in `text.py` and tables in `page.py`.
"""
