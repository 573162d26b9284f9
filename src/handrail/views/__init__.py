"""Views: what is inside a trained network, as numbers first and pictures of them second.

    run.view("probes")                 handrail view RUN probes -o probes.html

A view is a function of what is `seen.Seen` (a run's network, its training and validation rows), with
`@component("view")`; what follows the bare `*` is set by the user. It gives back arrays, a table and pictures
(`view.ViewData`), or refuses with what it would need. Test rows are never looked at.

view: the data. seen: what a view may look at. watching: the outputs of every layer. Each of the other files
    is a
view. May import runs and below; pages of views are the report's.
"""

from handrail.views.seen import Seen
from handrail.views.view import ViewData

__all__ = ["Seen", "ViewData"]
