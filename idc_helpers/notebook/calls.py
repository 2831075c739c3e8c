"""The calls of a plan for a person to read and to copy: as a list, as AWS CLI commands, as boto3 code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from idc_aws.calls import CONSOLE, Call
from idc_aws.rehearsal import Target, as_commands, as_python, console_words
from idc_aws.scrubbing import clean, scrub
from idc_helpers.notebook.tables import cut_html, in_html, style
from idc_helpers.notebook.whole_tables import FIRST_ROWS, MOST_ROWS, cut_note, write_files
from idc_helpers.runbook.applying import PlannedCalls
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.words import format_value

CALLS_STYLE = style("calls")
# The browser's own selection: the clipboard's newer interface is missing where a hub is served without TLS.
_COPY = (
    "var t=this.parentNode.querySelector('pre'),s=window.getSelection(),r=document.createRange();"
    "r.selectNodeContents(t);s.removeAllRanges();s.addRange(r);"
    "this.textContent=document.execCommand('copy')?'Copied':'Selected: press Ctrl+C'"
)
_BY_CONSOLE = "What Apply has the sandbox's console do: there is no API call for it"
_LONGEST_VALUE = 80


@dataclass(frozen=True)
class ShownCalls:
    """The calls of a plan, as an output: folded in HTML; as text, the commands of the AWS CLI."""

    planned: PlannedCalls
    target: Target
    files: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return calls_html(self.planned, self.target, self.files)

    def __repr__(self) -> str:
        calls, stop = self.planned.calls, self.planned.stopped_by
        words = [f"✘ Applying would stop here: {stop}"] if stop else []
        if calls:
            shown = as_commands(_in_console_words(_first(calls)), self.target)
            words += ["The same as AWS CLI commands:", shown]
            words += [cut_note(*cut, self.files)] if (cut := _cut(calls)) else []
        return scrub("\n".join(words))


def shown_calls(planned: PlannedCalls, target: Target, context: RunContext, name: str) -> ShownCalls:
    """Return the calls of a plan; those of a long one also as files in the run's folder. Writes."""
    calls = planned.calls
    if _cut(calls) is None:
        return ShownCalls(planned, target)
    written = _in_console_words(calls)
    texts = {f"{name}-calls.sh": as_commands(written, target), f"{name}-calls.py": as_python(written, target)}
    cleaned = {file: f"{clean(text)}\n" for file, text in texts.items()}
    return ShownCalls(planned, target, write_files(context, cleaned))


def _cut(calls: Sequence[Call]) -> tuple[int, int, str] | None:
    """Return how many of many calls are shown; None: all."""
    return (FIRST_ROWS, len(calls), "calls") if len(calls) > MOST_ROWS else None


def _first(calls: Sequence[Call]) -> Sequence[Call]:
    return calls[:FIRST_ROWS] if _cut(calls) else calls


def calls_html(planned: PlannedCalls, target: Target, files: tuple[str, ...] = ()) -> str:
    """Return what Apply calls, folded: the list, the commands and the code; empty where there is nothing."""
    calls = _first(planned.calls)
    stop = f'<p role="alert">✘ Applying would stop here: {in_html(planned.stopped_by)}</p>'
    warning = stop if planned.stopped_by else ""
    if not calls:
        return f'{CALLS_STYLE}<div class="idc-calls">{warning}</div>' if warning else ""
    if all(call.service_name == CONSOLE for call in calls):
        return f'{CALLS_STYLE}<div class="idc-calls">{warning}{_folded(_BY_CONSOLE, _listed(calls))}</div>'
    written = _in_console_words(calls)
    number = f"{len(planned.calls)} call{'s' if len(calls) > 1 else ''}"
    cut = cut_html(_cut(planned.calls), files)
    parts = [
        _folded(f"The {number} that Apply makes, in this order", _listed(calls)),
        _folded("The same as AWS CLI commands", _copyable("commands", as_commands(written, target))),
        _folded("The same as Python code (boto3)", _copyable("code", as_python(written, target))),
    ]
    return f'{CALLS_STYLE}<div class="idc-calls">{warning}{"".join(parts)}{cut}</div>'


def _in_console_words(calls: Sequence[Call]) -> list[Call]:
    """Return the calls; what is set in the console has the words of its screen: 8 hours, not PT8H."""
    return [
        replace(call, request={name: format_value(name, value) for name, value in call.request.items()})
        if call.service_name == CONSOLE
        else call
        for call in calls
    ]


def target_of(context: RunContext) -> Target:
    """Return where a run's calls go, for people who make them by hand."""
    connection = context.connection
    return Target(connection.region, context.scenario.profile, connection.endpoint_url)


def format_call(call: Call) -> str:
    """Return a call in one line, such as ``"identitystore CreateGroup (DisplayName: Auditors)"``."""
    if call.service_name == CONSOLE:
        return console_words(_in_console_words([call])[0])
    values = [
        f"{name}: {_short(value)}"
        for name, value in call.request.items()
        if name not in ("InstanceArn", "IdentityStoreId")
    ]
    return f"{call.service_name} {call.operation_name}" + (f" ({', '.join(values)})" if values else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _listed(calls: Sequence[Call]) -> str:
    return "<ol>" + "".join(f"<li>{in_html(scrub(format_call(call)))}</li>" for call in calls) + "</ol>"


def _copyable(what: str, text: str) -> str:
    button = f'<button type="button" onclick="{escape(_COPY)}">Copy the {what}</button>'
    return f'{button}<pre tabindex="0" aria-label="{what}">{escape(scrub(text))}</pre>'


def _folded(summary: str, html: str) -> str:
    return f"<details><summary>{in_html(summary)}</summary><div>{html}</div></details>"
