"""A figure of the page: a picture with its title, legend and note."""

from dataclasses import dataclass

from markupsafe import Markup

from handrail.report.figures.style import variable


@dataclass(frozen=True)
class Key:
    """A line of a legend; `look` is line, dashes, dot or diamond."""

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
    """What the page shows: `svg` is safe as it is, everything else is escaped there; `side` stands beside the
    title.

    wide: the figure takes the room of two side by side; tall: and of two below each other.
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
    """A figure; `svg` must come from `style.picture`. `marked`: drawn from test rows that were opened before."""
    return FigureView(title, Markup(svg), note, keys, marked, side)  # noqa: S704 - our own drawing, with no text from data
