"""``index.html``: what was run, where, when, and first of all how it ended."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Literal

from idc_helpers.runbook.receipts import ReceiptBook
from idc_helpers.runner.notebook_pages import write_notebook_page
from idc_helpers.runner.pages import render_page
from idc_helpers.runner.scrubbed_files import write_whole
from idc_helpers.runner.summary import ACTIONS, RunSummary
from idc_helpers.runner.tables import DONE_WORDS, PLAN_WORDS, changes_in_words, counted

Pages = Literal["all", "failed", "none"]


def write_report(
    run_folder: Path, summary: RunSummary, *, where: str, undo_command: str, pages: Pages = "all"
) -> Path:
    """Write the report of a run, with a page for each executed notebook, and return its path.

    Parameters
    ----------
    run_folder
        The run's folder; ``index.html`` goes there.
    summary
        What the run came to, so far.
    where
        The target in one readable line.
    undo_command
        What takes the run back.
    pages
        Which executed notebooks get a page beside them.
    """
    planned = summary.mode == "plan"
    checks = [check for result in summary.notebooks for check in result.checks]
    text = render_page(
        "index.html.j2",
        summary=summary,
        where=where,
        undo_command=undo_command,
        verdict=_verdict(summary),
        sentence=_sentence(summary),
        planned=planned,
        started=_readable(summary.started),
        change_words=[(PLAN_WORDS if planned else DONE_WORDS)[action] for action in ACTIONS],
        checks_made=len(checks),
        checks_passed=sum(check.passed for check in checks),
        pages=_pages(run_folder, summary, pages),
        receipts=ReceiptBook(run_folder / "receipts.jsonl").read(),
    )
    report = run_folder / "index.html"
    write_whole(report, text)
    return report


def _verdict(summary: RunSummary) -> str:
    if any(result.status == "failed" for result in summary.notebooks):
        return "failed"
    return "passed" if summary.passed else "not run"


def _sentence(summary: RunSummary) -> str:
    passed = sum(result.status == "passed" for result in summary.notebooks)
    checks = [check for result in summary.notebooks for check in result.checks]
    failed = sum(not check.passed for check in checks)
    changes = changes_in_words(summary.totals(), planned=summary.mode == "plan")
    outcome = "all passed" if not failed else f"{failed} failed"
    notebooks = counted(len(summary.notebooks), "notebook")
    sentence = (
        f"{passed} of {notebooks} passed. {counted(len(checks), 'check')}: {outcome}. Changes: {changes}."
    )
    counts = next((result.teardown for result in summary.notebooks if result.teardown), None)
    if counts and summary.mode != "plan":
        left = f"{counts['left_alone']} left alone, {counts['unreadable']} unreadable"
        sentence += f" Teardown: {counts['undone']} undone, {left}."
    return sentence


def _readable(started: str) -> str:
    return datetime.datetime.fromisoformat(started).strftime("%A %d %B %Y, %H:%M:%S UTC")


def _pages(run_folder: Path, summary: RunSummary, which: Pages) -> set[str]:
    pages = set()
    for result in summary.notebooks:
        executed = run_folder / "notebooks" / f"{result.notebook}.ipynb"
        # One that has no result yet may be at work.
        if result.status != "not run" and executed.exists() and which in ("all", result.status):
            write_notebook_page(executed, summary.run_id)
            pages.add(result.notebook)
    return pages
