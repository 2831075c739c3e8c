"""What notebooks use: `open_runbook`, the runbook that it returns, and papermill's parameters.

from idc_helpers import open_runbook
runbook = open_runbook("05_permission_sets", target=target, mode=mode, permission_sets=permission_sets)
step = runbook.step("permission_sets")
step.plan()
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from idc_aws.errors import InstanceNotFoundError, ParametersError, Problem
from idc_aws.identifiers import did_you_mean
from idc_aws.scenario.reading import PERSON_PARAMETERS, chosen_person
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import scrub
from idc_helpers.notebook import inventory
from idc_helpers.notebook.activation import ActivationStep
from idc_helpers.notebook.command_line import CommandLineStep
from idc_helpers.notebook.console_guide import page_links
from idc_helpers.notebook.credentials import CredentialsStep, life_of_a_session, sign_in_conversation
from idc_helpers.notebook.exercises import TryIt, leftovers
from idc_helpers.notebook.inventory import Existing, organization_tree
from idc_helpers.notebook.lesson_map import (
    FollowedLessonMap,
    Heading,
    lesson_line,
    lesson_map,
    show_and_follow,
)
from idc_helpers.notebook.pictures import Matrix, SequenceDiagram, TimeAxis, Tree
from idc_helpers.notebook.screen import is_guided, running_shell, scrub_shown_errors
from idc_helpers.notebook.steps import NotebookStep, NotebookTeardown
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.notebook.whole_tables import write_whole_table
from idc_helpers.runbook.run import RunContext, open_run

FIRST_LINE = "# Parameters"
"""papermill's first line of the cell that it injects."""
NOTEBOOK_PARAMETERS = ("scenario_file", "run_folder")


def injected_names(cells: Iterable[str]) -> list[str]:
    """Return the names that papermill's injected cells assign, in order, each once."""
    names: dict[str, None] = {}
    for source in cells:
        if source.lstrip().split("\n", 1)[0].strip() == FIRST_LINE:
            names.update(dict.fromkeys(_assigned(source)))
    return list(names)


def _assigned(source: str) -> list[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []  # the cell failed by itself
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def check_names(names: Iterable[str]) -> None:
    """Return when every name is a key of the scenario or a notebook's own parameter."""
    known = [*Scenario.model_fields, *NOTEBOOK_PARAMETERS, *PERSON_PARAMETERS]
    problems = [
        Problem(
            "the notebook's parameters",
            None,
            name,
            f"{name!r} is not a parameter",
            did_you_mean(name, known) or f"Use one of: {', '.join(known)}.",
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise ParametersError(problems)


def injected_parameters() -> dict[str, Any]:
    """Return the keys of the scenario that papermill injected into this kernel, with their values."""
    shell = running_shell()
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", ())
    names = injected_names(history)
    check_names(names)
    namespace = getattr(shell, "user_ns", {})
    return {name: namespace[name] for name in names if name in Scenario.model_fields and name in namespace}


_Shown = TypeVar("_Shown")
_MODES = {"plan": "mode plan (nothing is written)", "apply": "mode apply (what you apply is written)"}


_OPENED: list[RunContext] = []  # all that this kernel has open: of one place, in one mode


class Runbook:
    """A notebook connected to its target; the last value of a cell shows where, and how far the lesson is.

    Parameters
    ----------
    context
        The run: connection, scenario, mode and folder.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._steps: dict[str, NotebookStep] = {}
        self._teardown: NotebookTeardown | None = None

    @property
    def context(self) -> RunContext:
        """The run: connection, scenario, mode and folder.

        Raises
        ------
        ClosedRunbookError
            When another `open_runbook` was run since; so do all methods.
        """
        self._context.opening.require()
        return self._context

    def __repr__(self) -> str:
        if self._context.opening.is_closed:
            return f"✘ Closed: {self._context.opening.refusal}"
        return f"{self.context.connection} · {_MODES[self.context.mode]}"

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        if self._context.opening.is_closed:
            return {"text/plain": repr(self)}
        return self._heading()._repr_mimebundle_()

    def _ipython_display_(self) -> None:
        if self._context.opening.is_closed:
            raise NotImplementedError  # IPython then shows the text
        show_and_follow(self.context, "line", self._heading, self._heading)

    def _heading(self) -> Heading:
        return Heading(repr(self), lesson_line(self.context))

    def step(self, name: str) -> NotebookStep:
        """Return a step of the lesson; the same object each time, so that a form keeps what was typed.

        Raises
        ------
        NotFoundError
            When the lesson has no such step.
        """
        context = self.context
        if name not in self._steps:
            self._steps[name] = NotebookStep(context, name)
        return self._steps[name]

    def teardown(self) -> NotebookTeardown:
        """Return the undo of everything that the receipts of this run's folder name."""
        context = self.context
        if self._teardown is None:
            self._teardown = NotebookTeardown(context)
        return self._teardown

    def activation(self, user_name: str = "") -> ActivationStep:
        """Return how a person becomes active: invitation, password, MFA, portal.

        Parameters
        ----------
        user_name
            Who; empty: the scenario's ``person``.

        Raises
        ------
        ParametersError
            When nobody is named, or the name cannot be one.
        """
        person = chosen_person(self.context.scenario, user_name=user_name)
        return ActivationStep(self.context, str(person.user_name))

    def command_line(
        self, user_name: str = "", *, account: str = "", permission_set: str = "", profile_name: str = ""
    ) -> CommandLineStep:
        """Return a profile that signs in through Identity Center.

        Parameters
        ----------
        user_name, account, permission_set, profile_name
            As in the scenario's ``person``, which holds what is empty here.

        Raises
        ------
        ParametersError
            When nobody is named, or a value is refused.
        """
        given = {"account": account, "permission_set": permission_set, "profile_name": profile_name}
        person = chosen_person(self.context.scenario, user_name=user_name, **given)
        return CommandLineStep(self.context, person)

    def temporary_credentials(self, profile: CommandLineStep) -> CredentialsStep:
        """Return the credentials that a profile gets, to compare with long-lived ones."""
        return CredentialsStep(self.context, profile)

    def pages(self) -> Line:
        """Return links to the sandbox's pages: mailbox, portal, practice phone and console.

        On AWS, and headless, where a link would stay in an output that nobody clicks, a line without.
        """
        console = self.context.connection.console
        if console is None:
            return Line("On AWS the access portal is at the address that your instance shows.")
        if not is_guided():
            return Line(
                "In JupyterLab, links to the sandbox's pages appear here; `idc sandbox pages` prints them."
            )
        return page_links(console)

    def try_it(self, name: str, **names: str) -> TryIt:
        """Return an exercise of this notebook: the task, a hint, and a ``check()`` that reads the target.

        Parameters
        ----------
        name
            Such as ``"group_of_auditors"``.
        **names
            Other names than the exercise's own, such as ``account="Production"``.

        Raises
        ------
        NotFoundError
            When there is no such exercise, or it has no such name.
        """
        return TryIt(self.context, name, names)

    def left_by_exercises(self) -> Table:
        """Return what exercises left that no receipt names: columns what, command that removes it."""
        return leftovers(self.context)

    def lesson_map(self) -> FollowedLessonMap:
        """Return the lesson as a picture: each step's state, read now, and a link to it; reads only.

        In JupyterLab it is updated whenever a step was applied, in this notebook or in another. Its ``table``
        has the columns step, what you do, notebook, who can do it, state.
        """
        return lesson_map(self.context)

    def instance_details(self) -> Table:
        """Return the instance's details: columns field, value; reads only."""
        return self._shown("The instance of IAM Identity Center", inventory.instance_details)

    def settings(self) -> Table:
        """Return the console-only settings: columns setting, field, value; reads only."""
        return self._shown("Settings that only the console can change", inventory.settings)

    def organization_tree(self, *, assignments: bool = False) -> Tree | Table:
        """Return the organization's units and accounts; with `assignments`, who reaches which; reads only."""
        return self._shown("The organization", organization_tree, assignments=assignments)

    def delegated_administrators(self) -> Table:
        """Return who else may administer Identity Center: columns account, account id; reads only."""
        return inventory.delegated_administrators(self.context.connection)

    def what_deleting_destroys(self) -> Table:
        """Return what deleting the instance would delete for good: columns what, how many; reads only."""
        return self._shown("What deleting the instance would delete", inventory.what_deleting_destroys)

    def permission_sets(self) -> Table:
        """Return the permission sets: name, session duration, policies, description, provisioning."""
        return self._shown("Permission sets", inventory.permission_sets)

    def users(self, *, at_most: int = 50) -> Table:
        """Return users: columns user name, display name, e-mail, status, groups; reads only."""
        return self._shown("Users", inventory.users, at_most=at_most)

    def who_reaches_what(self, *, people: bool = False) -> Matrix | Table:
        """Return principals (or people, groups unfolded) by accounts with their permission sets."""
        shown = self._shown("Who reaches what", inventory.who_reaches_what, people=people)
        if isinstance(shown, Matrix) and shown.is_cut:
            name = f"who_reaches_what{'_people' if people else ''}"
            shown.files = write_whole_table(self.context, name, *shown.accesses())
        return shown

    def existing(self) -> Existing:
        """Return what the instance holds: ``counts()``, ``left_out()``, ``save(path)`` and ``check()``."""
        return Existing(self.context)

    def life_of_a_session(
        self, permission_set: str = "", *, credentials: CredentialsStep | None = None
    ) -> TimeAxis:
        """Return on a time axis how long the portal session, the token and the role's credentials last.

        Parameters
        ----------
        permission_set
            Whose session duration; empty: the one of the credentials, or AWS's default.
        credentials
            What is left of these is shown too.

        Raises
        ------
        NotFoundError
            When there is no such permission set.
        """
        return life_of_a_session(self.context, permission_set, credentials)

    def sign_in_conversation(
        self, command_line: CommandLineStep | None = None, *, grant: str = ""
    ) -> SequenceDiagram:
        """Return how the AWS CLI gets its token, as a sequence diagram; reads the token file only.

        Parameters
        ----------
        command_line
            For the real ids of its sign-in; None: what each of them is, in words.
        grant
            ``"device_code"`` or ``"authorization_code"`` (with PKCE); empty: the one of the sign-in.

        Raises
        ------
        InvalidValueError
            For another grant.
        """
        return sign_in_conversation(self.context, command_line, grant)

    def _shown(self, caption: str, read: Callable[..., _Shown], **options: Any) -> _Shown | Table:
        """Return what the target holds; before there is an instance, planned or guided, an empty table."""
        try:
            return read(self.context.connection, **options)
        except InstanceNotFoundError as error:
            if self.context.mode != "plan" and not is_guided():
                raise
            return Table(caption, ("what",), (), note=f"Later: {error}")


def open_runbook(
    notebook: str, *, scenario_file: str = "", run_folder: str = "", **parameters: Any
) -> Runbook:
    """Return a notebook's runbook, connected.

    Starts the sandbox when the target is the sandbox and none runs; writes nothing on AWS. What this kernel
    opened before is closed when this fails, and when this opens another place: its steps, forms and buttons
    refuse from then on, whatever variable holds them.

    Parameters
    ----------
    notebook
        Name without folder and ending, such as ``"05_permission_sets"``.
    scenario_file
        YAML; empty: ``parameters/sandbox.yaml`` of the kit.
    run_folder
        Where receipts, events and attestations go; empty: the environment's ``IDC_RUN_FOLDER``, else
        ``runs/notebooks``.
    **parameters
        Keys of the scenario; None or empty: what the scenario says. A key that papermill injected counts too,
        although the notebook does not pass it on.

    Raises
    ------
    ParametersError
        When a name is not known or a value is refused, before any call.
    TargetError
        When the target cannot be reached.
    """
    scrub_shown_errors(running_shell())
    try:
        check_names(name for name in parameters if name not in NOTEBOOK_PARAMETERS)
        given = {**injected_parameters(), **parameters}
        context = open_run(notebook, scenario_file=scenario_file or "", run_folder=run_folder or "", **given)
    except BaseException as error:
        _close_others(None, f"a later `open_runbook` failed ({_in_a_line(error)})")
        raise
    _close_others(context, f"a later `open_runbook` opened {context.place} in mode {context.mode!r}")
    _OPENED.append(context)
    return Runbook(context)


def _close_others(kept: RunContext | None, because: str) -> None:
    """Close what this kernel has open elsewhere: nothing may work on a place that is not on the screen."""
    opened, _OPENED[:] = _OPENED[:], []
    for context in opened:
        if kept is not None and _identity(context) == _identity(kept):
            _OPENED.append(context)
        else:
            context.opening.close(f"this belongs to {context.place}, and {because}")


def _identity(context: RunContext) -> tuple[str, ...]:
    connection = context.target_connection
    return (
        str(connection),
        connection.endpoint_url,
        connection.state_id,
        context.mode,
        str(context.run_folder),
    )


def _in_a_line(error: BaseException) -> str:
    return scrub(f"{type(error).__name__}: {error}".strip(": ").partition("\n")[0])
