"""What failed checks teach: expected, found, the likely cause, and links to where to go back to."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from idc_helpers.display.tables import STYLE, in_html
from idc_helpers.runbook.checks import Check, CheckResults

_STYLE = """<style>
section.idc-failed{margin:.4em 0;padding:.3em .8em;border-left:4px solid var(--jp-error-color1,#c62828);
color:var(--jp-ui-font-color1,inherit);font-size:var(--jp-ui-font-size1,13px)}
section.idc-failed h4{margin:.2em 0}
section.idc-failed dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em .8em;margin:.2em 0}
section.idc-failed dt{font-weight:600;float:none;clear:none;width:auto;white-space:nowrap}
section.idc-failed dd{margin:0;float:none;width:auto;overflow-wrap:anywhere}
</style>"""
_WORDS = {"expected": "Expected", "found": "Found", "cause": "Likely cause"}


@dataclass(frozen=True)
class FailedChecks:
    """The failed checks of a step, each with what it teaches; shown below their table.

    Attributes
    ----------
    checks
        Only those that failed.
    """

    checks: tuple[Check, ...]

    def __repr__(self) -> str:
        return "\n".join(line for check in self.checks for line in _as_text(check))

    def _repr_html_(self) -> str:
        return STYLE + _STYLE + "".join(_as_html(check) for check in self.checks)


def failed_checks(results: CheckResults) -> FailedChecks:
    """Return what the failed checks of a step teach; empty when all passed."""
    return FailedChecks(results.failed)


def _rows(check: Check) -> list[tuple[str, str]]:
    told = check.lesson()
    rows = [(words, told[name]) for name, words in _WORDS.items() if name in told]
    return rows or [("Found", check.detail)]


def _as_text(check: Check) -> list[str]:
    lines = [f"✘ {check.name}", *(f"  {words}: {text}" for words, text in _rows(check))]
    if check.go_back:
        lines.append(f"  Go back to: {check.go_back} ({check.go_back.link})")
    if check.source:
        lines.append(f"  AWS's page: {check.source}")
    return [*lines, *([f"  {check.remedy}"] if check.remedy else [])]


def _as_html(check: Check) -> str:
    items = [f"<dt>{words}</dt><dd>{in_html(text)}</dd>" for words, text in _rows(check)]
    if check.go_back:
        where = f'<a href="{escape(check.go_back.link)}">{escape(str(check.go_back))}</a>'
        items.append(f"<dt>Go back to</dt><dd>{where}</dd>")
    if check.remedy:
        items.append(f"<dt>What to do</dt><dd>{in_html(check.remedy)}</dd>")
    if check.source:
        page = f'<a href="{escape(check.source)}" target="_blank" rel="noopener">{escape(check.source)}</a>'
        items.append(f"<dt>AWS’s page</dt><dd>{page}</dd>")
    return (
        f'<section class="idc-failed" aria-label="{escape(f"failed check: {check.name}")}">'
        f"<h4>✘ {in_html(check.name)}</h4><dl>{''.join(items)}</dl></section>"
    )
