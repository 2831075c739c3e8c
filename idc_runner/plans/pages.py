"""A plan as a page without scripts, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from idc_aws.identifiers import first_of
from idc_aws.scrubbing import clean
from idc_helpers.runbook.comparing import Check
from idc_runner.plans.document import LessonPlan, PlannedChange, StepPlan
from idc_runner.plans.words import (
    SIGN_WORDS,
    Line,
    Results,
    about,
    change_lines,
    change_title,
    count_words,
    kind_table,
    notices,
    sentence_of,
    shown_changes,
    thing_of,
)
from idc_runner.report import render_page

MOST_MARKDOWN = 60_000
"""Characters: GitHub takes 65,536 in a comment."""


def plan_page(
    plan: LessonPlan,
    *,
    verdict: str = "",
    results: Results | None = None,
    checks: Sequence[Check] = (),
    sentence: str = "",
) -> str:
    """Return the page of a plan, with what became of it where it was applied."""
    return render_page(
        "plan.html.j2",
        title="Identity Center plan",
        verdict=verdict or ("nothing to do" if plan.is_empty else "changes"),
        sentence=sentence or sentence_of(plan),
        about=about(plan),
        kinds=kind_table(plan),
        steps=[_step_values(plan, step, results or {}) for step in plan.steps],
        notices=notices(plan),
        changes_heading="Changes",
        signs=f"The sign says what happens: {SIGN_WORDS}. In a change, - is before and + is after.",
        checks=[{"name": each.name, "passed": each.passed, "detail": each.detail} for each in checks],
    )


def _step_values(plan: LessonPlan, step: StepPlan, results: Results) -> dict[str, Any]:
    changes = shown_changes(step)
    return {
        "heading": f"{step.notebook}, {step.title}: {count_words(step.changes) or 'nothing is wanted'}",
        "changes": [
            {
                "title": change_title(plan, each.change),
                "diff": "\n".join(map(str, change_lines(each))),
                "result": results.get(thing_of(each.change), ""),
            }
            for each in changes
        ],
    }


def plan_markdown(plan: LessonPlan, *, most: int = MOST_MARKDOWN) -> str:
    """Return a plan as Markdown of at most so many characters; what is left out is counted."""
    head = "\n".join(_markdown_head(plan))
    blocks = [
        _block(plan, step.title, f"{step.notebook}: {count_words(step.changes)}", shown_changes(step))
        for step in plan.steps
        if shown_changes(step)
    ]
    return _fitted(clean(head), [[clean(part) for part in block] for block in blocks], most)


def _markdown_head(plan: LessonPlan) -> Iterator[str]:
    yield from ("## Identity Center plan", "", f"**{sentence_of(plan)}**", "")
    yield from (f"- {name}: {_code(words)}" for name, words in about(plan).items())
    rows = kind_table(plan)
    yield from ("", f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}")
    yield from (f"| {' | '.join(row)} |" for row in rows[1:])
    for heading, lines in notices(plan).items():
        yield from ("", f"### {heading}", "")
        yield from (f"- {line}" for line in first_of([_code(line) for line in lines], _MOST_NOTICES))


_MOST_NOTICES = 20
_LONGEST_LINE = 300


def _code(text: str) -> str:
    """Return a text that Markdown neither reads nor notifies anybody of: in backticks."""
    text = text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"
    ticks = "`" * (max(map(len, _runs_of_ticks(text)), default=0) + 1)
    blank = " " if "`" in text else ""
    return f"{ticks}{blank}{text}{blank}{ticks}"


def _runs_of_ticks(text: str) -> list[str]:
    return [run for run in "".join(each if each == "`" else " " for each in text).split() if run]


def _block(plan: LessonPlan, title: str, counts: str, changes: Sequence[PlannedChange]) -> list[str]:
    """Return the heading of a step and then each change as a text of its own."""
    texts = []
    for each in changes:
        lines = [Line(" ", "") if not str(line).strip() else line for line in change_lines(each)]
        # GitHub colours the lines of a diff by their first character, which is the sign.
        texts.append("\n".join([f"# {change_title(plan, each.change)}", *map(str, lines)]))
    return [f"### {title}\n\n{counts}\n", *texts]


def _fitted(head: str, blocks: Sequence[Sequence[str]], most: int) -> str:
    # Some room for the fences, and for the sentence that says what is left out.
    left, parts, cut = most - len(head) - 400, [head], 0
    for heading, *texts in blocks:
        fence = "`" * (max((len(run) for text in texts for run in _runs_of_ticks(text)), default=2) + 1)
        fence = max(fence, "```", key=len)
        fitting = []
        left -= len(heading) + 2 * len(fence) + 10
        for text in texts:
            left -= len(text) + 1
            if left < 0:
                break
            fitting.append(text)
        cut += len(texts) - len(fitting)
        if fitting:
            parts.append(f"{heading}\n{fence}diff\n" + "\n".join(fitting) + f"\n{fence}")
    if cut:
        parts.append(f"**{cut:,} more changes are not shown here.** The page of the plan has all of them.")
    return "\n\n".join(parts)[:most] + "\n"
