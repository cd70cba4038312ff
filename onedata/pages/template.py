"""The templates of all pages, in the folder beside this module: plain data in, text out."""

from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from onedata.contracts.words import asserted, in_words
from onedata.tables import markdown_table, without_empty


def render(template: str, **values: object) -> str:
    """Render a template. All values are escaped, except in Markdown, where a table escapes its cells.

    Args:
        template: Its file name, which ends with .html.j2, .svg.j2 or .md.j2.
        values: Values of its variables.

    Raises:
        jinja2.UndefinedError: it uses a value that is not given.
    """
    return _environment().get_template(template).render(**values)


def source_of(template: str) -> str:
    """The source text of a template."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, template)[0]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("onedata.pages"),
        autoescape=select_autoescape(disabled_extensions=("md.j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.do"],
    )
    environment.filters |= {"code": _code, "moment": moment, "tenth": "{:.1f}".format}
    environment.globals |= {
        "asserted": asserted,
        "in_words": in_words,
        "markdown_table": markdown_table,
        "without_empty": without_empty,
    }
    return environment


def moment(value: datetime) -> str:
    """A moment in UTC; one without a time zone is in UTC already, as in the ledger."""
    utc = value.astimezone(UTC) if value.tzinfo else value
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def _code(value: object) -> str:
    return f"`{value}`"
