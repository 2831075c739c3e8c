"""A plan in words: what terminal, page and Markdown say, each in its own form."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from idc_aws.changes import Action, Change
from idc_aws.identifiers import first_of
from idc_helpers.runbook.words import SYMBOLS, format_key
from idc_runner.plans.diff import Line, diff_lines, name_of, printable
from idc_runner.plans.document import LessonPlan, PlannedChange, StepPlan, Widening
from idc_runner.summary import text_table

MOST_SHOWN = 100
"""Changes that a terminal shows in full; of more, a table and the first ones."""
_FIRST = 10
_UNKNOWN = "{} actions: the caller may not ask (iam:SimulatePrincipalPolicy), or is not a user or role"
_ACTION_WORDS = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.BY_HAND: "by hand",
    Action.SKIPPED: "skipped",
    Action.UNCHANGED: "unchanged",
}
SIGN_WORDS = ", ".join(f"{SYMBOLS[each]} {each}" for each in _ACTION_WORDS if each is not Action.UNCHANGED)
Thing = tuple[str, str]
"""Kind and key."""
Results = Mapping[Thing, str]
"""What became of each change that was to be written."""


def thing_of(change: Change) -> Thing:
    """Return which thing a change is of."""
    return change.kind, change.key


def shown_changes(step: StepPlan) -> list[PlannedChange]:
    """Return the changes of a step that are anything to look at."""
    return [each for each in step.changes if each.change.action is not Action.UNCHANGED]


def count_words(changes: Iterable[PlannedChange]) -> str:
    """Return how many changes there are of each kind, such as ``"2 to create, 3 unchanged"``."""
    found = Counter(each.change.action for each in changes)
    return ", ".join(f"{found[action]:,} {words}" for action, words in _ACTION_WORDS.items() if found[action])


def sentence_of(plan: LessonPlan) -> str:
    """Return what there is to do, in a sentence."""
    counts = count_words(plan.changes)
    return f"Nothing to do: {counts or 'nothing is wanted'}." if plan.is_empty else f"{counts}."


def about(plan: LessonPlan) -> dict[str, str]:
    """Return where a plan was made, when, and what it costs, by name."""
    no_instance = "none yet in this Region, nor in another one that the caller can see"
    told = {
        "Where": str(plan.place),
        "Caller": plan.place.caller,
        "Instance": plan.place.instance_arn or no_instance,
        "Scenario": PurePath(plan.scenario.file).name,
        "Made": f"{time_words(plan.made_at)}, kit {plan.kit}",
    }
    return told | ({"Effort": plan.effort} if plan.effort else {})


def time_words(iso: str) -> str:
    """Return a time as ``"29 November 2026, 21:14 UTC"``."""
    at = datetime.datetime.fromisoformat(iso).astimezone(datetime.UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def change_title(plan: LessonPlan, change: Change) -> str:
    """Return sign and name of a change, accounts with their names."""
    return f"{SYMBOLS[change.action]} {plan.name_accounts(name_of(change))}"


def change_lines(planned: PlannedChange) -> list[Line]:
    """Return the lines below a change: its diff, and why nobody can make it."""
    is_skipped = planned.change.action is Action.SKIPPED
    return [Line(" ", planned.change.reason)] if is_skipped else diff_lines(planned)


def notices(plan: LessonPlan) -> dict[str, list[str]]:
    """Return what a reviewer should know beside the changes, by heading; only what there is."""
    names = plan.name_accounts
    by_hand = [names(name_of(each.change)) for each in plan.changes if each.change.action is Action.BY_HAND]
    told = {
        "More access than before": [_widening_words(plan, each) for each in plan.widenings],
        "Cannot be undone": [
            f"{names(name_of(each.change))}: {'; '.join(each.stays)}" for each in plan.changes if each.stays
        ],
        "By hand, in the AWS console": by_hand,
        "Later": list(dict.fromkeys(step.later for step in plan.steps if step.later)),
        "Units and tags": [names(printable(note)) for step in plan.steps for note in step.notes],
        "Permissions that the caller lacks": list(plan.denied),
        "Permissions that could not be asked about": [_UNKNOWN.format(len(plan.unknown))]
        * bool(plan.unknown),
    }
    return {heading: lines for heading, lines in told.items() if lines}


def _widening_words(plan: LessonPlan, widening: Widening) -> str:
    rule = f"{widening.rule}{' (needs --accept)' if widening.needs_accept else ''}"
    name = plan.name_accounts(printable(format_key(widening.kind, widening.key)))
    return f"{rule}: {name}: {printable(widening.words)}"


def kind_table(plan: LessonPlan) -> list[list[str]]:
    """Return a table of the changes by kind of thing: a heading, and a row for each kind."""
    found = Counter((each.change.kind, each.change.action) for each in plan.changes)
    kinds = dict.fromkeys(kind for kind, _ in found)
    actions = [action for action in _ACTION_WORDS if any(found[kind, action] for kind in kinds)]
    heading = ["what", *(_ACTION_WORDS[action] for action in actions)]
    return [
        heading,
        *(
            [
                kind.replace("_", " "),
                *(f"{found[kind, action]:,}" if found[kind, action] else "" for action in actions),
            ]
            for kind in kinds
        ),
    ]


def terminal_lines(plan: LessonPlan) -> Iterator[str]:
    """Yield a plan for a terminal: where, the changes as a diff, notices, and a sentence at the end."""
    told = about(plan)
    width = max(map(len, told))
    yield from (f"{name.ljust(width)}  {printable(words)}" for name, words in told.items())
    number = sum(len(shown_changes(step)) for step in plan.steps)
    is_long = number > MOST_SHOWN
    if is_long:
        yield ""
        rows = kind_table(plan)
        yield text_table(rows, right=frozenset(range(1, len(rows[0]))))
    for step in plan.steps:
        if changes := shown_changes(step):
            yield from ("", f"{step.notebook}, {step.title}: {count_words(step.changes)}")
            for each in changes[: _FIRST if is_long else None]:
                yield f"  {change_title(plan, each.change)}"
                yield from (f"      {line}" for line in change_lines(each))
            if is_long and len(changes) > _FIRST:
                yield f"    … and {len(changes) - _FIRST:,} more; --page FILE shows all"
    if number:
        yield from ("", f"({SIGN_WORDS}; below them - before, + after)")
    for heading, lines in notices(plan).items():
        yield from ("", f"{heading}:", *(f"  {line}" for line in first_of(lines, MOST_SHOWN)))
    yield from ("", sentence_of(plan))
