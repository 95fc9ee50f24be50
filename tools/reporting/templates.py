"""The one template environment: whatever a template prints is stripped of control characters and escaped."""

from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from tools.reporting import words


def fill(template: str, **values: object) -> str:
    """A template of this folder with its values: every value escaped, except `Markup`."""
    return _environment().get_template(template).render(values)


def _strip(value: object) -> object:
    return words.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_strip,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for word in (
        words.number,
        words.percent,
        words.percent_range,
        words.share,
        words.sign,
        words.identified,
        words.reversal,
        words.scored_by,
        words.time_counts,
    ):
        made.filters[word.__name__] = word
    return made
