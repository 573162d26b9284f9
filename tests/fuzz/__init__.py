"""Malformed inputs of every kind through the command line: whatever a user can put into a file is answered.

`test_campaign.py` runs the campaign. By hand, from the folder `tests`:

    python -m fuzz --seed 0 --cases 300          # a campaign
    python -m fuzz --seed 0 --case 17            # one case again, with the traceback; its folder is kept

Case N of seed S is always the same. A new format, kind of data or file of a run folder is covered by its
template: a function in `tables`, `media`, `recipes` or `runs` that is listed in `case.families`.
"""
