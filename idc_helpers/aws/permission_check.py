"""Which permissions the caller lacks, as far as IAM tells.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from idc_helpers.aws.calls import pages
from idc_helpers.aws.connected import Connection
from idc_helpers.errors import KitError

Answer = Literal["allowed", "denied", "unknown"]
_ASSUMED_ROLE = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+", re.ASCII
)
_MOST_ACTIONS_A_CALL = 100


def check_permissions(connection: Connection, actions: Iterable[str]) -> dict[str, Answer]:
    """Return for each IAM action whether the caller may do it; reads only.

    ``"unknown"`` where the caller may not ask IAM, or is not one that IAM can simulate (a root user, a
    federated user). Policies of the organization and of resources are not all seen: what is "allowed" may
    still be refused.

    Parameters
    ----------
    actions
        Such as ``"sso:CreatePermissionSet"``; see `idc_helpers.aws.permissions.required_actions`.
    """
    wanted = list(dict.fromkeys(actions))
    answers: dict[str, Answer] = dict.fromkeys(wanted, "unknown")
    # GetCallerIdentity needs no permission, and connecting has just called it.
    answers.update({action: "allowed" for action in wanted if action == "sts:GetCallerIdentity"})
    asked = [action for action in wanted if answers[action] == "unknown"]
    try:
        policy_source_arn = _policy_source_arn(connection)
        if policy_source_arn is not None:
            for start in range(0, len(asked), _MOST_ACTIONS_A_CALL):
                batch = asked[start : start + _MOST_ACTIONS_A_CALL]
                answers.update(_simulate(connection, policy_source_arn, batch))
    except (KitError, ClientError, BotoCoreError):
        pass  # What could not be asked stays unknown: that is an answer too.
    return answers


def _simulate(connection: Connection, policy_source_arn: str, actions: list[str]) -> dict[str, Answer]:
    results = pages(
        connection.client("iam"),
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=policy_source_arn,
        ActionNames=actions,
    )
    return {
        result["EvalActionName"]: "allowed" if result["EvalDecision"] == "allowed" else "denied"
        for result in results
    }


def _policy_source_arn(connection: Connection) -> str | None:
    principal_arn = connection.caller.principal_arn
    if ":user/" in principal_arn and ":iam:" in principal_arn:
        return principal_arn
    match = _ASSUMED_ROLE.fullmatch(principal_arn)
    if match is None:
        return None
    # A session's ARN lacks the role's path, which the simulation needs.
    role = connection.client("iam").get_role(RoleName=match["role"])["Role"]
    return str(role["Arn"])
