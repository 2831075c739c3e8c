"""The templates of the report: escaped by default, strict about names."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from idc_helpers.cleaning import clean, clean_values
from idc_helpers.runner.tables import seconds_in_words

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_without_secrets,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["seconds"] = seconds_in_words
    environment.filters["pretty"] = _pretty
    return environment


def _without_secrets(value: Any) -> Any:
    # Value by value, before the page's own tags stand around them: a secret must not reach into the markup.
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _pretty(value: Any) -> str:
    return json.dumps(clean_values(value), indent=2, ensure_ascii=False, sort_keys=True)


@cache
def stylesheet() -> Markup:
    """Return the style of all pages, ready to stand in a page."""
    return Markup((_TEMPLATES / "style.css").read_text("utf-8"))  # noqa: S704 -- a file of the kit


def render_page(template: str, **values: Any) -> str:
    """Return a page; every value is scrubbed of secrets and escaped, unless it is `Markup`."""
    return _environment().get_template(template).render(**{"style": stylesheet(), **values})
