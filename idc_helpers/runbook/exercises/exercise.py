"""What an exercise is: a task, a hint, and an examination that only reads.

A learner does it by any way they like: a form, the sandbox's pages, boto3, the AWS CLI. So the kit has no
receipt for it, and the examination says how to take it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from idc_helpers.aws.connected import Connection
from idc_helpers.runbook.run_context import RunContext


@dataclass(frozen=True)
class Finding:
    """One thing that the task asks for.

    Attributes
    ----------
    words
        What it asks for, such as ``"a session lasts two hours"``.
    done
        Whether the target shows it.
    found
        What is there; where that is not it: what is missing, and what it may have been mixed up with.
    """

    words: str
    done: bool
    found: str


@dataclass(frozen=True)
class CleanUp:
    """What remains of an exercise, and the command that removes it, for a terminal of the target.

    Attributes
    ----------
    what
        Such as ``"group Auditors"``.
    command
        One line for the AWS CLI, with AWS's ids in it.
    """

    what: str
    command: str


@dataclass(frozen=True)
class Examination:
    """What the target shows of an exercise.

    Attributes
    ----------
    findings
        In the order of the task.
    clean_up
        What remains that no receipt of this run names, in the order in which it can be removed.
    unreadable
        Why this target does not show it; empty: it does.
    """

    findings: tuple[Finding, ...] = ()
    clean_up: tuple[CleanUp, ...] = ()
    unreadable: str = ""

    @property
    def done(self) -> bool:
        """Whether the target shows everything that the task asks for."""
        return bool(self.findings) and all(finding.done for finding in self.findings)


@dataclass(frozen=True)
class Look:
    """What an examination looks with.

    Attributes
    ----------
    context
        The run.
    names
        The exercise's names, such as ``{"group": "Auditors"}``.
    answer
        What the learner found out, for an exercise that asks.
    """

    context: RunContext
    names: Mapping[str, str]
    answer: str = ""

    @property
    def connection(self) -> Connection:
        """The connection to the target."""
        return self.context.connection

    def require_instance(self) -> None:
        """Return when there is an instance to look into.

        Raises
        ------
        InstanceNotFoundError, SeveralInstancesError
            When there is not exactly one.
        """
        self.connection.instance  # noqa: B018 - reading it asks AWS

    def is_receipted(self, kind: str, key: str) -> bool:
        """Return whether a receipt of this run names a thing: undo and teardown take it back."""
        return any(
            (receipt.kind, receipt.key, receipt.action) == (kind, key, "create")
            for receipt in self.context.receipts.open_receipts()
        )


@dataclass(frozen=True)
class Exercise:
    """One task.

    Attributes
    ----------
    name, notebook, title
        Such as ``"group_of_auditors"``, ``"06_groups"``, and what a heading says.
    task
        What to reach; names stand in braces, words of code in backticks.
    hint
        A way there; a line that starts with four blanks is a command.
    afterwards
        What remains of it, and how to take it back.
    examine
        Reads the target.
    names
        The names in the task, which a trainer may replace.
    asks
        Whether the learner has to find something out and give it as the answer.
    """

    name: str
    notebook: str
    title: str
    task: str
    hint: str
    afterwards: str
    examine: Callable[[Look], Examination]
    names: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False
