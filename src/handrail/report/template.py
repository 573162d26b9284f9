"""The environment of the report's templates."""

from pathlib import Path

import jinja2

from handrail.report import wording
from handrail.report.figures.intervals import colour_of
from handrail.report.figures.style import variable
from handrail.tools.words import list_some, plural


def load_template(name: str) -> jinja2.Template:
    """A template of this folder; an undefined variable in it is an error, and text from data is escaped."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    helpers = (plural, list_some, variable, colour_of)
    environment.globals |= {"words": wording} | {helper.__name__: helper for helper in helpers}
    return environment.get_template(name)
