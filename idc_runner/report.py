"""The report: executed notebooks as pages without scripts, and the page over them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Literal

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from idc_aws.files import write_whole
from idc_aws.identifiers import counted
from idc_aws.scrubbing import clean, clean_values
from idc_helpers.runbook.records import ReceiptBook
from idc_runner.outputs import scrubbed_notebook
from idc_runner.summary import (
    ACTIONS,
    DONE_WORDS,
    PLAN_WORDS,
    CheckResult,
    RunSummary,
    format_changes,
    format_seconds,
    time_words,
)

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
    environment.filters["seconds"] = format_seconds
    environment.filters["pretty"] = lambda value: json.dumps(
        clean_values(value), indent=2, ensure_ascii=False, sort_keys=True
    )
    return environment


def _without_secrets(value: Any) -> Any:
    # Value by value, before the page's own tags stand around them: a secret must not reach into the markup.
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def stylesheet() -> Markup:
    """Return the style of all pages, ready to stand in a page."""
    return Markup((_TEMPLATES / "style.css").read_text("utf-8"))  # noqa: S704 -- a file of the kit


def render_page(template: str, **values: Any) -> str:
    """Return a page; every value is scrubbed of secrets and escaped, unless it is `Markup`."""
    return _environment().get_template(template).render(**{"style": stylesheet(), **values})


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
    """Write the page of an executed notebook beside it and return its path; one that is up to date stays."""
    page, saved_ns = notebook.with_suffix(".html"), notebook.stat().st_mtime_ns
    if page.exists() and page.stat().st_mtime_ns == saved_ns:
        return page
    import nbformat  # noqa: PLC0415 -- takes longer to import than many a run takes

    document = nbformat.from_dict(scrubbed_notebook(nbformat.read(notebook, as_version=4)))
    _prepare_outputs(document)
    body = _page_body(document)
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


class _Code(str):
    """Code as HTML: escaped, and coloured unless it is long."""


_LONGEST_COLOURED = 50_000


def _page_body(document: Any) -> str:
    """Return what nbconvert makes of a notebook; by a new exporter, which keeps what the last one had."""
    # nbconvert takes longer to import than many a run takes.
    from nbconvert import HTMLExporter, TemplateExporter  # noqa: PLC0415
    from nbconvert.filters import Highlight2HTML, clean_html  # noqa: PLC0415
    from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter  # noqa: PLC0415

    # A saved notebook needs none of the changes that nbconvert would prepare, each with a look at all of it.
    exporter = HTMLExporter(template_name="basic", default_preprocessors=[])
    exporter.environment.bytecode_cache = _compiled
    highlight = Highlight2HTML(pygments_lexer="ipython3", parent=exporter)

    def highlighted(source: str, **options: Any) -> _Code:
        is_long = len(source) > _LONGEST_COLOURED
        return _Code(
            f'<div class="highlight"><pre>{escape(source)}</pre></div>'
            if is_long
            else highlight(source, **options)
        )

    exporter.register_filter("highlight_code", highlighted)
    # The template has code cleaned once more, which pygments has escaped: that is most of a page's time.
    exporter.register_filter("clean_html", lambda text: text if isinstance(text, _Code) else clean_html(text))
    exporter.register_filter("filter_data_type", WidgetsDataTypeFilter(document.metadata, parent=exporter))
    # Past HTMLExporter's own, which parses the page once more for pictures that have no description.
    return str(TemplateExporter.from_notebook_node(exporter, document)[0])


def _prepare_outputs(document: Any) -> None:
    # Diagrams in Mermaid's language need a script to be drawn; each of ours carries its text. A picture that
    # does not say what it shows needs some text too, for those who cannot see it.
    for cell in document.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/plain" in data:
                data.pop("text/vnd.mermaid", None)
            if any(kind.startswith("image/") for kind in data):
                output.metadata.setdefault("alt", "A picture without a description")


@cache
def _code_colours() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped] # noqa: PLC0415

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n.highlight {{ background: none }}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


Pages = Literal["all", "failed", "none"]


def write_report(
    run_folder: Path, summary: RunSummary, *, where: str, undo_command: str, pages: Pages = "all"
) -> Path:
    """Write the report of a run, with a page for each executed notebook, and return its path."""
    planned = summary.mode == "plan"
    receipts = ReceiptBook(run_folder / "receipts.jsonl").read()
    text = render_page(
        "index.html.j2",
        summary=summary,
        where=where,
        undo_command=undo_command,
        verdict=verdict_of([result.status for result in summary.notebooks]),
        sentence=_sentence(summary),
        planned=planned,
        started=time_words(summary.started),
        change_words=[(PLAN_WORDS if planned else DONE_WORDS)[action] for action in ACTIONS],
        checks_made=len(summary.checks),
        checks_passed=summary.checks_passed,
        pages=_pages(run_folder, summary, pages),
        receipts=receipts[:MOST_LISTED],
        receipts_made=len(receipts),
        most_listed=MOST_LISTED,
        listed=_listed_checks,
        whole_tables=sorted(path.name for path in (run_folder / "tables").glob("*")),
    )
    report = run_folder / "index.html"
    write_whole(report, text)
    return report


MOST_LISTED = 200
"""Of more checks or receipts the page lists this many."""


def _listed_checks(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the checks that the page lists: all, or the first ones, failed ones before others."""
    by_weight = checks if len(checks) <= MOST_LISTED else sorted(checks, key=lambda check: check.passed)
    return list(by_weight[:MOST_LISTED])


def verdict_of(statuses: Collection[str]) -> str:
    """Return how a run or a batch ended, by how its parts did: as its worst one."""
    if "failed" in statuses:
        return "failed"
    return "passed" if set(statuses) == {"passed"} else "not run"


def _sentence(summary: RunSummary) -> str:
    passed = sum(result.status == "passed" for result in summary.notebooks)
    failed = len(summary.checks) - summary.checks_passed
    changes = format_changes(summary.totals(), planned=summary.mode == "plan")
    outcome = "all passed" if not failed else f"{failed} failed"
    notebooks, checks = counted(len(summary.notebooks), "notebook"), counted(len(summary.checks), "check")
    sentence = f"{passed} of {notebooks} passed. {checks}: {outcome}. Changes: {changes}."
    counts = next((result.teardown for result in summary.notebooks if result.teardown), None)
    if counts and summary.mode != "plan":
        left = f"{counts['left_alone']} left alone, {counts['unreadable']} unreadable"
        sentence += f" Teardown: {counts['undone']} undone, {left}."
    return sentence


def _pages(run_folder: Path, summary: RunSummary, which: Pages) -> set[str]:
    pages = set()
    for result in summary.notebooks:
        executed = run_folder / "notebooks" / f"{result.notebook}.ipynb"
        # One that has no result yet may be running.
        if result.status != "not run" and executed.exists() and which in ("all", result.status):
            write_notebook_page(executed, summary.run_id)
            pages.add(result.notebook)
    return pages
