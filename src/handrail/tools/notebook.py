"""What notebooks show of an object."""

import html


class Printable:
    """Its text, `str`, is what a notebook's cell shows; `repr` stays short."""

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
