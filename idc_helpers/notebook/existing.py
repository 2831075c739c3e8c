"""Notebook 12: what an instance holds already, as tables, and as a scenario file."""

from __future__ import annotations

from pathlib import Path

from idc_aws.calls import one_look
from idc_aws.changes import Action, Change, Plan
from idc_aws.files import require_free
from idc_aws.identifiers import first_of
from idc_aws.imported_files import USUAL_FILE, scenario_texts, write_texts
from idc_aws.importing import Imported, Selection, import_scenario
from idc_aws.permission_sets import PermissionSets
from idc_aws.project import work_folder
from idc_aws.scenario.reading import validate_scenario
from idc_aws.scrubbing import current_masker
from idc_helpers.notebook.screen import is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table, format_change, format_plan
from idc_helpers.runbook.comparing import Check, CheckResults, differing_fields
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

_TITLE = "What you have already"
_MOST_TOLD = 10
_LATER = "Later: there is no instance yet. Notebook 01 enables it."


class Existing:
    """What the instance of a run holds already; read once, when it is first shown."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._imported: Imported | None = None

    def counts(self) -> Table:
        """Return how much there is: columns what, in the scenario, left out; reads only."""
        found = self._read()
        if found is None:
            return Table(_TITLE, ("what",), (), note=_LATER)
        rows = [
            (part.replace("_", " "), str(number), str(len(found.left_out.get(part, ()))))
            for part, number in found.counts.items()
        ]
        rows.append(("applications", "0", str(len(found.applications))))
        note = f"Could not be read: {', '.join(found.unread)}." if found.unread else ""
        return Table(_TITLE, ("what", "in the scenario", "left out"), tuple(rows), note=note)

    def left_out(self) -> Table:
        """Return what a scenario cannot say, or the caller may not read: column what; reads only."""
        found = self._read()
        rows = tuple((remark,) for remark in found.remarks) if found else ()
        note = _LATER if found is None else "" if rows else "Nothing: the scenario holds all of it."
        return Table(f"Left out: {len(rows)}", ("what",), rows, note=note)

    def save(self, path: str = USUAL_FILE, *, replace: bool = False) -> Line:
        """Write the scenario to a file, or to a folder with a file for each topic.

        In JupyterLab the path begins at the folder you work in; unattended it is in the run's folder, without
        people where personal data is masked. A file that exists is written again only with `replace`, or when
        it would stay the same.
        """
        found = self._read()
        if found is None:
            return Line(_LATER)
        base = work_folder() if is_guided() else self._context.run_folder
        texts = scenario_texts(found, base / path)
        main = next(iter(texts))
        if not all(_holds(file, text) for file, text in texts.items()):
            if not replace:
                require_free(texts, "Name another file, or replace it: replace=True.")
            write_texts(texts)
        named = main.relative_to(base) if main.is_relative_to(base) else main
        return Line(
            f"Written: {named} ({found}). In a terminal, `idc plan -f {named}` shows what it would change."
        )

    def check(self) -> Table | Line:
        """Return the check that a plan of the scenario changes nothing: result, name, detail; reads only."""
        found = self._read()
        if found is None:
            return Line(_LATER)
        steps = [Step(self._context, name) for name in target_steps()]
        for step in steps:
            step.scenario = validate_scenario(found.data)
        with one_look():
            plan = sum((step.compare() for step in steps), Plan())
        wrong = [change for change in plan.writes if not _only_provisions(change)]
        told = "; ".join(first_of([*map(format_change, wrong)], _MOST_TOLD))
        remedy = (
            "Somebody may have changed it since it was read: run the notebook again. If it stays so, "
            "`idc plan` with the file shows each value; correct it there."
        )
        check = Check(
            "a plan of what was read",
            not wrong,
            f"would {told}" if wrong else format_plan(plan),
            remedy,
        )
        return show_checks(_TITLE, self._context.record("existing", CheckResults((check,))))

    def _read(self) -> Imported | None:
        connection = self._context.connection
        if self._imported is None and connection.instance_or_none() is not None:
            selection = Selection(personal_data=is_guided() or current_masker() is None)
            self._imported = import_scenario(connection, selection)
        return self._imported


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text("utf-8") == text


def _only_provisions(change: Change) -> bool:
    """Tell whether a change only brings accounts to the version that there is."""
    differing = differing_fields(change.after or {}, change.before or {})
    return change.action is Action.UPDATE and set(differing) <= set(PermissionSets.derived_fields)
