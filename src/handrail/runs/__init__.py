"""The run folder and what is done with it: putting a fit together, measuring, writing and reading it.

May import `pipeline` and what lies below. What a report needs of a run stands in `record`; a
new file of the run folder is named in `folder.Folder`.
"""
