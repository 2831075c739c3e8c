"""The lesson's twenty steps, where each is done, and how far the target is; reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idc_helpers.changes import Plan
from idc_helpers.display.movements import plan_in_words
from idc_helpers.display.tables import Table
from idc_helpers.errors import KitError
from idc_helpers.runbook.lesson import STEPS, make_step
from idc_helpers.runbook.run_context import RunContext

COLUMNS = ("step", "what you do", "notebook", "who can do it", "state")
_API, _CONSOLE, _PERSON = "API", "console", "the person who signs in"


@dataclass(frozen=True)
class LessonStep:
    """One step of the lesson.

    Attributes
    ----------
    number, title
        1 to 20, and what the learner does.
    who
        By what it can be done.
    notebook
        Where; empty for a step that has no notebook in this kit.
    step
        The runbook step whose state shows how far it is; empty: none.
    """

    number: int
    title: str
    who: str
    notebook: str = ""
    step: str = ""


LESSON: tuple[LessonStep, ...] = (
    LessonStep(1, "Enable IAM Identity Center", "console (organization), API (account)", step="instance"),
    LessonStep(2, "Read the instance's details", _API, "02_settings"),
    LessonStep(3, "Attributes for access control", _API, step="access_control_attributes"),
    LessonStep(4, "Read the identity source", "partly API, partly console", step="identity_source"),
    LessonStep(5, "Customise the access portal's address", _CONSOLE, step="access_portal"),
    LessonStep(6, "Send e-mail OTP to users made by API", _CONSOLE, step="standard_authentication"),
    LessonStep(7, "Multi-factor authentication", _CONSOLE, step="multi_factor_authentication"),
    LessonStep(8, "Session durations", _CONSOLE, step="sessions"),
    LessonStep(9, "Delegate administration", _API, step="delegated_administrator"),
    LessonStep(10, "Permission sets", _API, step="permission_sets"),
    LessonStep(11, "Groups", _API, step="groups"),
    LessonStep(12, "Assign groups to accounts", _API, step="account_assignments"),
    LessonStep(13, "Users", "API; console for the invitation", step="users"),
    LessonStep(14, "Accept the invitation, set a password, register MFA", _PERSON, "09_activate_user"),
    LessonStep(15, "Use the access portal", _PERSON, "09_activate_user"),
    LessonStep(16, "aws configure sso", _PERSON, "10_aws_configure_sso"),
    LessonStep(17, "Use the profile: aws s3 ls", _PERSON, "10_aws_configure_sso"),
    LessonStep(18, "aws sso login", _PERSON, "10_aws_configure_sso"),
    LessonStep(19, "Tell temporary from long-lived keys", _PERSON, "11_temporary_credentials"),
    LessonStep(20, "What you have now, and why it is better", "everybody", "11_temporary_credentials"),
)


def lesson_map(context: RunContext) -> Table:
    """Return the lesson's steps: columns step, what you do, notebook, who can do it, state; reads only."""
    rows = tuple(_row(context, entry) for entry in LESSON)
    marks = tuple("good" if row[-1].startswith("✔") else "" for row in rows)
    return Table("The lesson, step by step", COLUMNS, rows, row_header=1, marks=marks)


def _row(context: RunContext, entry: LessonStep) -> tuple[str, ...]:
    notebook = STEPS[entry.step].notebook if entry.step else entry.notebook
    state = _state(context, entry)
    return (str(entry.number), entry.title, notebook or "–", entry.who, state)


def _state(context: RunContext, entry: LessonStep) -> str:
    if entry.number > 1 and (entry.step or entry.notebook) and context.connection.instance_or_none() is None:
        return "waits for step 1"
    if entry.step:
        return _said(lambda: make_step(context, entry.step).compare())
    if entry.who == _PERSON:
        return "by yourself, with what notebooks 01 to 08 made"
    return "✔ there to read"


def _said(compare: Callable[[], Plan]) -> str:
    try:
        plan = compare()
    except KitError as error:
        return f"cannot be read yet: {error.message.splitlines()[0]}"
    if not plan.changes:
        return "not asked for by the scenario"
    return "✔ as the scenario wants it" if plan.is_empty else plan_in_words(plan)
