"""Executed notebooks as pages: no script runs in them and nothing is loaded from elsewhere."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from markupsafe import Markup

from idc_helpers.runner.pages import render_page, stylesheet
from idc_helpers.runner.scrubbed_files import scrubbed_notebook, write_whole


class _CompiledTemplates(BytecodeCache):
    """Keeps nbconvert's templates compiled in this process: that is a third of a page's time."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a template's bucket, if it was compiled before."""
        if (code := self._codes.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template that was just compiled."""
        self._codes[bucket.key] = bucket.bytecode_to_string()


_compiled = _CompiledTemplates()


def write_notebook_page(notebook: Path, run_id: str) -> Path:
    """Write the page of an executed notebook beside it and return its path; one that is up to date stays.

    Parameters
    ----------
    notebook
        The executed notebook, ``.ipynb``.
    run_id
        For the link back to the report.
    """
    page, saved_ns = notebook.with_suffix(".html"), notebook.stat().st_mtime_ns
    if page.exists() and page.stat().st_mtime_ns == saved_ns:
        return page
    import nbformat  # noqa: PLC0415 -- takes longer to import than many a run takes

    document = nbformat.from_dict(scrubbed_notebook(nbformat.read(notebook, as_version=4)))
    _prefer_text_to_diagrams(document)
    body, _ = _exporter().from_notebook_node(document)
    # Markup: nbconvert has escaped the code and texts; the page's policy lets no script of an output run.
    text = render_page(
        "notebook.html.j2",
        name=notebook.stem,
        run_id=run_id,
        content=Markup(body),  # noqa: S704
        style=Markup(f"{stylesheet()}\n{_code_colours()}"),  # noqa: S704
    )
    write_whole(page, text)
    os.utime(page, ns=(saved_ns, saved_ns))  # of which the page is, whatever has been saved since
    return page


def _exporter() -> Any:
    """Return nbconvert's writer of pages: a new one for each, for it keeps what the last notebook had."""
    from nbconvert import HTMLExporter  # noqa: PLC0415 -- takes longer to import than many a run takes

    exporter = HTMLExporter(template_name="basic")
    exporter.environment.bytecode_cache = _compiled
    return exporter


def _prefer_text_to_diagrams(document: Any) -> None:
    # Diagrams in Mermaid's language need a script to be drawn; each of ours carries its text.
    for cell in document.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/plain" in data:
                data.pop("text/vnd.mermaid", None)


@cache
def _code_colours() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped] # noqa: PLC0415

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n.highlight {{ background: none }}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
