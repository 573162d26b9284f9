"""A figure of the page: a picture with its title, legend and note."""

from dataclasses import dataclass

from markupsafe import Markup

from handrail.report.figures.style import variable


@dataclass(frozen=True)
class Key:
    """A line of the legend; `look` is line, dashes, dot or diamond."""

    label: str
    colour: str
    look: str = "line"
    value: str = ""

    @property
    def css(self) -> str:
        """The colour as the page knows it."""
        return variable(self.colour)


@dataclass(frozen=True)
class FigureView:
    """A figure for the template, which escapes all text but `svg`.

    Arguments:
        side: text beside the title.
        wide: takes the room of two figures side by side.
        tall: takes the room of two figures below each other.
    """

    title: str
    svg: Markup
    note: str = ""
    keys: tuple[Key, ...] = ()
    marked: bool = False
    side: str = ""
    wide: bool = False
    tall: bool = False


def figure_view(
    title: str, svg: str, *, note: str = "", keys: tuple[Key, ...] = (), marked: bool = False, side: str = ""
) -> FigureView:
    """A figure whose `svg` comes from `style.picture` or `tiles.svg`.

    Arguments:
        marked: drawn from test rows that were opened before.
    """
    safe = Markup(svg)  # noqa: S704 - our own drawing: text from data is escaped
    return FigureView(title, safe, note, keys, marked, side)
