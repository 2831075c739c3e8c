"""A plan in words: each change as lines with signs; on a terminal, as a page, and as Markdown."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from idc_aws.changes import Action, Change, State
from idc_aws.identifiers import first_of
from idc_aws.scrubbing import clean
from idc_helpers.runbook.comparing import Check, describe_difference, differing_fields
from idc_helpers.runbook.words import SYMBOLS, format_field, format_key, format_thing, format_value
from idc_runner.plans.document import LessonPlan, PlannedChange, StepPlan, Widening
from idc_runner.report import render_page
from idc_runner.summary import text_table, time_words

_SAID_BY_THE_KEY = ("account_assignment", "group_membership", "delegated_administrator")
_WITH_KEYS_OF_PEOPLE = ("tags", "attributes")
_EMPTY: tuple[Any, ...] = (None, {}, [], "")


class Line(NamedTuple):
    """One line of a diff: ``"-"``, ``"+"`` or ``" "``, and a text."""

    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.sign} {self.text}"


def printable(text: str) -> str:
    """Return a text as one line that does nothing to a terminal: its control characters are written out."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def name_of(change: Change) -> str:
    """Return kind and name, such as ``"permission set Auditors"``."""
    return printable(format_thing(change.kind, change.key))


def diff_lines(planned: PlannedChange) -> list[Line]:
    """Return what a change does, field by field: only what differs, and of a new thing what it has."""
    change, wanted = planned.change, planned.wanted
    if change.kind in _SAID_BY_THE_KEY and change.before is None:
        return []
    before = change.before or {}
    return [
        line
        for name in differing_fields(wanted, before)
        if not (before.get(name) in _EMPTY and wanted[name] in _EMPTY)
        for line in _field_lines(name, before.get(name), wanted[name])
    ]


def change_between(before: State, after: State) -> str:
    """Return in one line how two states of a thing differ, such as ``"Description: 'a' → 'b'"``."""
    names = differing_fields({**dict.fromkeys(before), **after}, before)
    return printable(describe_difference(after, before, names))


def _field_lines(name: str, before: Any, after: Any) -> Iterator[Line]:
    label = format_field(name)
    if _is_policy(before) or _is_policy(after):
        yield Line(" ", f"{label}:")
        yield from _policy_lines(before, after)
    elif isinstance(before, dict | None) and isinstance(after, dict | None):
        yield from _mapping_lines(name, label, before or {}, after or {})
    elif isinstance(before, list | None) and isinstance(after, list | None):
        yield from (Line("-", _line(name, label, item)) for item in before or [] if item not in (after or []))
        yield from (Line("+", _line(name, label, item)) for item in after or [] if item not in (before or []))
    else:
        yield from (Line("-", _line(name, label, value)) for value in [before] if value not in _EMPTY)
        yield from (Line("+", _line(name, label, value)) for value in [after] if value not in _EMPTY)


def _line(name: str, label: str, value: Any) -> str:
    return f"{label}: {printable(format_value(name, value))}"


def _mapping_lines(name: str, label: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Line]:
    for part in {**before, **after}:
        if before.get(part) == after.get(part):
            continue
        for sign, values in (("-", before), ("+", after)):
            if values.get(part) not in _EMPTY:
                value = format_value(part, values[part])
                called = str(part) if name in _WITH_KEYS_OF_PEOPLE else format_field(part)
                yield Line(sign, f"{label}, {printable(called)}: {printable(value)}")


def _is_policy(value: Any) -> bool:
    return isinstance(value, dict) and "Statement" in value


def _policy_lines(before: Any, after: Any) -> Iterator[Line]:
    """Yield the lines of two policies that differ, with a few around them."""
    old, new = (_policy_text(policy) for policy in (before, after))
    for line in difflib.unified_diff(old, new, lineterm="", n=2):
        if line.startswith(("---", "+++")):
            continue
        if not line.startswith("@@"):
            yield Line(line[0], f"  {printable(line[1:])}")
        elif not line.startswith(("@@ -0", "@@ -1,", "@@ -1 ")):
            yield Line(" ", "  …")


def _policy_text(policy: Any) -> list[str]:
    if policy in _EMPTY:
        return []
    if isinstance(policy, dict):
        return json.dumps(policy, indent=2, ensure_ascii=False).splitlines()
    return [str(policy)]


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
        "More access than before": [widening_words(plan, each) for each in plan.widenings],
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


def widening_words(plan: LessonPlan, widening: Widening) -> str:
    """Return a widening in one line: its rule, what it is about, and what it gives."""
    rule = f"{widening.rule}{' (needs --accept)' if widening.needs_accept else ''}"
    name = plan.name_accounts(printable(format_key(widening.kind, widening.key)))
    return f"{rule}: {name}: {printable(widening.words)}"


def kind_table(plan: LessonPlan) -> list[list[str]]:
    """Return a table of the changes by kind of thing: a heading, and a row for each kind."""
    found = Counter((each.change.kind, each.change.action) for each in plan.changes)
    kinds = dict.fromkeys(kind for kind, _ in found)
    actions = [action for action in _ACTION_WORDS if any(found[kind, action] for kind in kinds)]
    numbers = {which: f"{number:,}" for which, number in found.items()}
    rows = [
        [kind.replace("_", " "), *(numbers.get((kind, action), "") for action in actions)] for kind in kinds
    ]
    return [["what", *(_ACTION_WORDS[action] for action in actions)], *rows]


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
    ticks = "`" * (_longest_ticks(text) + 1)
    blank = " " if "`" in text else ""
    return f"{ticks}{blank}{text}{blank}{ticks}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


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
        fence = "`" * max(3, _longest_ticks("\n".join(texts)) + 1)
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
