"""The IAM permissions that each notebook needs (`data/permissions.toml`), and which of them a caller has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from idc_aws.connection import Connection
from idc_aws.errors import KitError
from idc_aws.files import read_table
from idc_aws.identifiers import no_such


@dataclass(frozen=True)
class NotebookPermissions:
    """What one notebook calls."""

    notebook: str
    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    console: tuple[str, ...] = ()


def _table() -> tuple[dict[str, NotebookPermissions], tuple[str, ...]]:
    table = read_table("permissions")
    groups: dict[str, list[str]] = table["groups"]

    def actions(names: list[str]) -> tuple[str, ...]:
        return tuple(action for name in names for action in groups.get(name, [name]))

    notebooks = {
        notebook: NotebookPermissions(notebook, **{use: actions(names) for use, names in uses.items()})
        for notebook, uses in table["notebooks"].items()
    }
    return notebooks, actions(["management_account"])


NOTEBOOK_PERMISSIONS, MANAGEMENT_ACCOUNT_ACTIONS = _table()


def required_actions(notebook: str, *, mode: str = "apply") -> tuple[str, ...]:
    """Return the IAM actions that a notebook's calls need, sorted.

    Parameters
    ----------
    notebook
        Its name, such as ``"06_groups"``.
    mode
        ``"plan"`` needs fewer than ``"apply"``.

    Raises
    ------
    NotFoundError
        When there is no such notebook.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/iam-auth-access-using-id-policies.html
    """
    if notebook not in NOTEBOOK_PERMISSIONS:
        raise no_such("there is no notebook", notebook, NOTEBOOK_PERMISSIONS)
    entry = NOTEBOOK_PERMISSIONS[notebook]
    return tuple(sorted({*entry.reads, *(entry.writes if mode == "apply" else ())}))


Decision = Literal["allowed", "denied", "unknown"]
_ASSUMED_ROLE = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+", re.ASCII
)
_MOST_ACTIONS_A_CALL = 100


def check_permissions(connection: Connection, actions: Iterable[str]) -> dict[str, Decision]:
    """Return for each IAM action whether the caller may do it; reads only.

    ``"unknown"`` where the caller may not ask IAM, or is not one that IAM can simulate (a root user, a
    federated user). Policies of the organization and of resources are not all seen: what is "allowed" may
    still be refused.

    Parameters
    ----------
    connection
        Its caller is looked at.
    actions
        IAM actions, such as those of `required_actions`.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    wanted = list(dict.fromkeys(actions))
    answers: dict[str, Decision] = dict.fromkeys(wanted, "unknown")
    # GetCallerIdentity needs no permission, and connecting has just called it.
    answers.update({action: "allowed" for action in wanted if action == "sts:GetCallerIdentity"})
    asked = [action for action in wanted if answers[action] == "unknown"]
    try:
        policy_source_arn = _policy_source_arn(connection)
        if policy_source_arn is not None:
            for start in range(0, len(asked), _MOST_ACTIONS_A_CALL):
                batch = asked[start : start + _MOST_ACTIONS_A_CALL]
                request = {"PolicySourceArn": policy_source_arn, "ActionNames": batch}
                for result in connection.items("iam", "simulate_principal_policy", **request):
                    is_allowed = result["EvalDecision"] == "allowed"
                    answers[result["EvalActionName"]] = "allowed" if is_allowed else "denied"
    except (KitError, ClientError, BotoCoreError):
        pass  # What could not be asked stays unknown: that is an answer too.
    return answers


def _policy_source_arn(connection: Connection) -> str | None:
    principal_arn = connection.caller.principal_arn
    if ":user/" in principal_arn and ":iam:" in principal_arn:
        return principal_arn
    match = _ASSUMED_ROLE.fullmatch(principal_arn)
    if match is None:
        return None
    # A session's ARN lacks the role's path, which the simulation needs.
    return str(connection.call("iam", "get_role", RoleName=match["role"])["Role"]["Arn"])
