"""Tables: what is wanted, planned, done and checked, with what a failed check teaches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from itertools import zip_longest
from typing import Any

from idc_aws.changes import Action, Change, Plan, State, WriteResult, act_in_words
from idc_aws.connection import Place
from idc_aws.desired import Desired
from idc_aws.files import read_text
from idc_aws.identifiers import counted
from idc_helpers.notebook.whole_tables import (
    FIRST_ROWS,
    MOST_ROWS,
    cut_note,
    first_rows,
    sums,
    write_whole_table,
)
from idc_helpers.runbook.applying import Outcome
from idc_helpers.runbook.comparing import Check, CheckResults
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.words import SYMBOLS, format_field, format_fields, format_key, format_value


def style(name: str) -> str:
    """Return a style sheet of the package, such as ``data/tables.css``, for what a cell shows."""
    return f"<style>\n{read_text(f'{name}.css', 'idc_helpers')}</style>"


# A theme's own green, red and blue are too pale as text on its striped rows: mixed with that of the text they
# are not. A link within a text is told apart by more than its colour.
TABLE_STYLE = style("tables")


_LONGEST_RULE = 40
# JupyterLab sets what stands between two dollar signs as mathematics: ``${path:…},Team=${path:…}``.
_DOLLAR = '<span class="mathjax_ignore">$</span>'


@dataclass(frozen=True)
class Line:
    """One readable line, as the last value of a cell."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'{TABLE_STYLE}<p class="idc-note" role="status">{prose_in_html(self.text)}</p>'


_NOTHING = "(nothing)"


@dataclass(frozen=True)
class Table:
    """A table with a caption; the last value of a cell shows it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    row_header: int = 0
    marks: tuple[str, ...] = ()
    note: str = ""
    place: Place | None = None
    files: tuple[str, ...] = ()
    is_code: bool = False  # what heads a row is code

    def frame(self) -> Any:
        """Return the table as a pandas DataFrame with these columns, all of them text."""
        from idc_helpers.notebook.frames import table_frame  # noqa: PLC0415 - pandas only where someone asks for it

        return table_frame(self.columns, self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        if not self.rows:
            return f"{self._headline()}\n  {self.note or _NOTHING}"
        shown = [self.rows[at] for at in self._shown()]
        lines = [(self.columns,), *(tuple(_lines_of(row)) for row in shown)]
        widths = [max(len(part[at]) for row in lines for part in row) for at in range(len(self.columns))]
        body = [_aligned(part, widths) for row in lines for part in row]
        body.insert(1, _aligned(tuple("-" * min(width, _LONGEST_RULE) for width in widths), widths))
        sums, cut = self._cut()
        notes = [line for line in (cut and cut_note(*cut, self.files), self.note) if line]
        return "\n".join([self._headline(), *([sums] if sums else []), *body, *notes])

    def _repr_html_(self) -> str:
        return TABLE_STYLE + self.html()

    def html(self) -> str:
        """Return the table's markup without the style sheet."""
        note = f'<p class="idc-note">{prose_in_html(self.note)}</p>' if self.note and self.rows else ""
        heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in self.columns)
        marks = self.marks or ("",) * len(self.rows)
        body = "".join(self._row(self.rows[at], marks[at]) for at in self._shown())
        if not self.rows:
            why = prose_in_html(self.note or _NOTHING)
            body = f'<tr><td colspan="{len(self.columns)}">{why}</td></tr>'
        badge = f"{place_html(self.place)} " if self.place else ""
        sums, cut = self._cut()
        above = f'<p class="idc-note">{in_html(sums)}</p>' if sums else ""
        return (
            f'{above}<table class="idc-table"><caption>{badge}{in_html(self.caption)}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{cut_html(cut, self.files)}{note}"
        )

    def _shown(self) -> list[int]:
        return first_rows(len(self.rows), self.marks)

    def _cut(self) -> tuple[str, tuple[int, int, str] | None]:
        """Return the sums of a table that is too long, and how much of it is shown."""
        if len(self.rows) <= MOST_ROWS:
            return "", None
        return sums(self.columns, self.rows), (len(self._shown()), len(self.rows), "rows")

    def _headline(self) -> str:
        return f"[{self.place}] {self.caption}" if self.place else self.caption

    def _row(self, row: tuple[str, ...], mark: str) -> str:
        cells = "".join(self._cell(at, text) for at, text in enumerate(row))
        return f'<tr class="idc-{mark}">{cells}</tr>' if mark else f"<tr>{cells}</tr>"

    def _cell(self, at: int, text: str) -> str:
        if at == self.row_header:
            head = _cell_in_html(text)
            return f'<th scope="row">{f"<code>{head}</code>" if self.is_code else head}</th>'
        first = ' class="idc-first"' if at == 0 else ""
        return f"<td{first}>{_cell_in_html(text)}</td>"


def _cell_in_html(text: str) -> str:
    """Return a cell's lines as blocks: what cleans pages takes a time that is tags times ``<br>``."""
    if "\n" not in text:
        return in_html(text)
    return "".join(f"<div>{in_html(line) or '&nbsp;'}</div>" for line in text.split("\n"))


def cut_html(cut: tuple[int, int, str] | None, files: Iterable[str]) -> str:
    """Return as HTML that only a part is shown, with links to the whole; empty where all of it is."""
    if cut is None:
        return ""
    links = [link_to(link, link.rpartition("/")[2]) for link in files]
    return f'<p class="idc-note">{cut_note(*cut, links)}</p>'


def in_html(text: str) -> str:
    """Return a text as HTML: escaped, with its line breaks, and no formula between two dollar signs."""
    return escape(text).replace("\n", "<br>").replace("$", _DOLLAR)


def link_to(address: str, words: str) -> str:
    """Return a link to a notebook, a heading or a file, relative to the notebook that shows it."""
    return f'<a href="{escape(address)}">{escape(words)}</a>'


def outside_link(address: str, words: str) -> str:
    """Return a link that opens beside the notebook; empty where there is no address."""
    start = f'<a href="{escape(address)}" target="_blank" rel="noopener">'
    return f"{start}{escape(words)}</a>" if address else ""


def place_html(place: Place) -> str:
    """Return a place as a framed word in the theme's colours; AWS is framed as a warning."""
    words = str(place)
    kind = "" if place.is_sandbox else " idc-aws"
    return f'<span class="idc-place{kind}">{in_html(words[:1].upper() + words[1:])}</span>'


def prose_in_html(text: str) -> str:
    """Return a sentence as HTML, with what stands between two backticks as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", in_html(text))


def _lines_of(row: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [tuple(parts) for parts in zip_longest(*(text.split("\n") for text in row), fillvalue="")]


def _aligned(parts: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()


_MARKS = {Action.DELETE: "bad", Action.UNCHANGED: "", Action.BY_HAND: "change"}
_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.DELETE: "deleted"}
_NOT_DONE = {Action.BY_HAND: "not set yet: by hand", Action.SKIPPED: "skipped"}
WANTED_COLUMNS = ("kind", "key", "values")
PLAN_COLUMNS = ("action", "kind", "key", "reason", "values")
OUTCOME_COLUMNS = ("result", "kind", "key", "identifier")
CHECK_COLUMNS = ("result", "name", "detail")


def wanted_table(title: str, desired: Iterable[Desired], context: RunContext | None = None) -> Table:
    """Return what a step wants: columns kind, key, values (one ``field: value`` a line)."""
    rows = tuple(
        (format_kind(part.resource.kind), format_key(part.resource.kind, key), format_values(state))
        for part in desired
        for key, state in part.states.items()
    )
    caption = f"Wanted for “{title}”: {len(rows)} in all"
    return _in_place(Table(caption, WANTED_COLUMNS, rows, row_header=1), context, f"{title}-wanted")


def _in_place(table: Table, context: RunContext | None, name: str) -> Table:
    """Return a table with the place that it is of, and the names of the accounts that are there."""
    if context is None:
        return table
    rows = tuple(tuple(map(context.name_accounts, row)) for row in table.rows)
    return with_files(replace(table, rows=rows, place=context.place), context, name)


def with_files(table: Table, context: RunContext | None, name: str) -> Table:
    """Return a table that links to the whole of itself, in the run's folder, where it is long. Writes."""
    if context is None or len(table.rows) <= MOST_ROWS:
        return table
    return replace(table, files=write_whole_table(context, name, table.columns, table.rows))


def plan_table(title: str, plan: Plan, context: RunContext | None = None) -> Table:
    """Return a plan: columns action (symbol and word), kind, key, reason, values (all that will be set)."""
    rows = tuple(
        (
            f"{SYMBOLS[change.action]} {change.action.value}",
            format_kind(change.kind),
            _key(change),
            change.reason,
            _values(change),
        )
        for change in plan.changes
    )
    marks = tuple(_MARKS.get(change.action, "change") for change in plan.changes)
    caption = f"Plan for “{title}”: {format_plan(plan)}"
    note = "\n".join(plan.notes)
    table = Table(caption, PLAN_COLUMNS, rows, row_header=2, marks=marks, note=note)
    return _in_place(table, context, f"{title}-plan")


def format_plan(plan: Plan) -> str:
    """Return a plan's sum, such as ``"2 to create, 1 unchanged"``."""
    counts = {**plan.counts(), Action.BY_HAND.value: len(plan.by_hand)}
    words = {"create": "to create", "update": "to update", "delete": "to delete", "by hand": "to set by hand"}
    parts = [f"{number} {words.get(action, action)}" for action, number in counts.items() if number]
    return ", ".join(parts) or "nothing to do"


ASKS_FROM = 20
"""A panel asks once more before it deletes this many things or more."""


def many_deletions(plan: Plan) -> str:
    """Return such as ``"Delete 24 things: 12 users, 12 groups?"``; empty where a plan deletes few things."""
    kinds = Counter(format_kind(change.kind) for change in plan.changes if change.action is Action.DELETE)
    named = ", ".join(counted(number, kind) for kind, number in kinds.items())
    return f"Delete {kinds.total()} things: {named}?" if kinds.total() >= ASKS_FROM else ""


def outcome_table(title: str, outcome: Outcome, context: RunContext | None = None) -> Table:
    """Return what was done, in the plan's order, unchanged last: columns result, kind, key, identifier."""
    # Not in the order of completion: writes that wait side by side end in another order each time.
    places = {id(change): at for at, change in enumerate(outcome.plan.changes)}
    done = sorted(outcome.done, key=lambda pair: places.get(id(pair[0]), len(places)))
    rows = [_outcome_row(change, result) for change, result in done]
    marks = ["good"] * len(rows)
    for change in outcome.plan.changes:
        if not change.writes:
            word = _NOT_DONE.get(change.action, change.action.value)
            rows.append((f"{SYMBOLS[change.action]} {word}", format_kind(change.kind), _key(change), ""))
            marks.append(_MARKS.get(change.action, "change"))
    caption = f"Done for “{title}”: {format_outcome(outcome)}"
    table = Table(caption, OUTCOME_COLUMNS, tuple(rows), row_header=2, marks=tuple(marks))
    return _in_place(table, context, f"{title}-done")


def format_outcome(outcome: Outcome) -> str:
    """Return what was done, such as ``"2 created, 1 unchanged"``."""
    words = {action.value: word for action, word in _PAST.items()}
    parts = [f"{number} {words.get(action, action)}" for action, number in outcome.counts().items() if number]
    by_hand = len(outcome.plan.by_hand)
    return ", ".join([*parts, *([f"{by_hand} to set by hand"] if by_hand else [])]) or "nothing to do"


def checks_table(title: str, results: CheckResults, context: RunContext | None = None) -> Table:
    """Return checks: columns result (✔ passed, ✘ failed), name, detail."""
    checks = results.checks
    rows = tuple(("✔ passed" if check.passed else "✘ failed", check.name, check.detail) for check in checks)
    marks = tuple("good" if check.passed else "bad" for check in checks)
    passed = sum(check.passed for check in checks)
    caption = f"Checks of “{title}”: {passed} of {len(checks)} passed"
    table = Table(caption, CHECK_COLUMNS, rows, row_header=1, marks=marks)
    return with_files(table, context, f"{title}-checks")


def format_checks(results: CheckResults) -> str:
    """Return ``"3 of 3 checks passed."``, or how many failed."""
    failed, number = len(results.failed), len(results.checks)
    return f"✘ {failed} of {number} checks failed." if failed else f"{number} of {number} checks passed."


def format_change(change: Change) -> str:
    """Return a change as a person says it, such as ``"create permission set 'ReadOnlyAccess'"``."""
    return act_in_words(change.action, change.kind, _key(change))


def _key(change: Change) -> str:
    return format_key(change.kind, change.key)


def format_kind(kind: str) -> str:
    """Return ``"permission set"`` for ``"permission_set"``."""
    return kind.replace("_", " ")


def format_values(state: Mapping[str, Any] | None) -> str:
    """Return a state as lines ``Field: value``, in the console's words; empty fields are left out."""
    return "\n".join(
        f"{format_field(name)}: {format_value(name, value)}"
        for name, value in format_fields(dict(state or {})).items()
        if value not in (None, "", [], {})
    )


def _values(change: Change) -> str:
    if change.action in (Action.UNCHANGED, Action.DELETE, Action.SKIPPED):
        return ""
    before: State = change.before or {}
    after: State = change.after or {}
    return format_values({name: value for name, value in after.items() if value != before.get(name)})


def _outcome_row(change: Change, result: WriteResult) -> tuple[str, str, str, str]:
    # An account assignment has no id: what tells it from another one is for receipts alone.
    has_none = change.kind == "account_assignment" or result.identifier == change.key
    identifier = "" if has_none else result.identifier
    return (
        f"{SYMBOLS[change.action]} {_PAST[change.action]}",
        format_kind(change.kind),
        _key(change),
        identifier,
    )


_STYLE = style("failed_checks")
_WORDS = {"expected": "Expected", "found": "Found", "cause": "Likely cause"}


@dataclass(frozen=True)
class FailedChecks:
    """The failed checks of a step, each with what it teaches; shown below their table."""

    checks: tuple[Check, ...]

    def __repr__(self) -> str:
        lines = [line for check in self.checks[:FIRST_ROWS] for line in _as_text(check)]
        return "\n".join([*lines, *([cut_note(*self._cut, ())] if self._cut else [])])

    def _repr_html_(self) -> str:
        told = "".join(_as_html(check) for check in self.checks[:FIRST_ROWS])
        return f"{TABLE_STYLE}{_STYLE}{told}{cut_html(self._cut, ())}"

    @property
    def _cut(self) -> tuple[int, int, str] | None:
        number = len(self.checks)
        return (FIRST_ROWS, number, "failed checks") if number > FIRST_ROWS else None


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
        items.append(f"<dt>Go back to</dt><dd>{link_to(check.go_back.link, str(check.go_back))}</dd>")
    if check.remedy:
        items.append(f"<dt>What to do</dt><dd>{in_html(check.remedy)}</dd>")
    if check.source:
        items.append(f"<dt>AWS’s page</dt><dd>{outside_link(check.source, check.source)}</dd>")
    return (
        f'<section class="idc-failed" aria-label="{escape(f"failed check: {check.name}")}">'
        f"<h3>✘ {in_html(check.name)}</h3><dl>{''.join(items)}</dl></section>"
    )
