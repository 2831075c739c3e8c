"""Whether a caller may do what it asks for, by the policies that moto's iam and organizations hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from idc_sandbox.context import Caller
from idc_sandbox.errors import ServiceError
from idc_sandbox.policy_evaluation import (
    AccessRequest,
    Decision,
    as_list,
    evaluate,
    evaluate_statements,
    statements_of,
)

if TYPE_CHECKING:
    from idc_sandbox.aws_double import AwsDouble
    from idc_sandbox.aws_double.access import AccessPolicies


def require_permission(double: AwsDouble, caller: Caller, action: str, *, resource: str = "*") -> None:
    """Return when the caller's policies allow an action.

    Policies of the user and its groups, or of the role, must allow; permissions boundary, session policy and
    service control policies must allow as well; an explicit Deny in any of them wins.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

    Parameters
    ----------
    action
        Such as ``"sso:ListInstances"``.
    resource
        ARN, or ``"*"`` for an action whose resource is not known: then a statement must be for all resources.

    Raises
    ------
    ServiceError
        ``AccessDeniedException`` in AWS's words.
    """
    require_permission_for_each(double, caller, action, [resource])


def require_permission_for_each(
    double: AwsDouble, caller: Caller, action: str, resources: Sequence[str]
) -> None:
    """Return when the caller's policies allow an action on each of some resources, as `require_permission`.

    Raises
    ------
    ServiceError
        ``AccessDeniedException`` that names the first resource that is not allowed.
    """
    policies = double.access_policies(caller)
    for resource in resources:
        _require_allowed(policies, caller, AccessRequest(action, resource, dict(policies.context)))


def _require_allowed(policies: AccessPolicies, caller: Caller, request: AccessRequest) -> None:
    action = request.action
    decisions = [evaluate(documents, request) for documents in (policies.identity, *policies.ceilings)]
    if all(decision is Decision.ALLOWED for decision in decisions):
        return
    if Decision.DENIED in decisions:
        reason = "with an explicit deny in a policy"
    elif decisions[0] is Decision.ALLOWED:
        reason = (
            f"because a boundary, session policy or service control policy does not allow the {action} action"
        )
    else:
        reason = f"because no identity-based policy allows the {action} action"
    raise _denied(caller, action, request.resource, reason)


def require_trust(
    double: AwsDouble, caller: Caller, role_arn: str, *, external_id: str | None = None
) -> None:
    """Return when a caller may assume a role: its trust policy and the caller's own policies allow it.

    In the role's own account a trust policy that names the caller is enough; one that names the account
    leaves it to the caller's policies.
    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    Raises
    ------
    ServiceError
        ``AccessDenied``; also for a role that does not exist, because AWS does not tell the difference.
    """
    document = double.trust_document(role_arn)
    context = dict(double.access_policies(caller).context)
    if external_id is not None:
        context["sts:externalid"] = external_id
    request = AccessRequest("sts:AssumeRole", role_arn, context)
    named, delegated = [], []
    for statement in statements_of(document or "{}"):
        match = _principal_match(statement, caller)
        named += [statement] if match == "caller" else []
        delegated += [statement] if match == "account" else []
    if evaluate_statements([*named, *delegated], request) is not Decision.ALLOWED:
        raise _denied(caller, "sts:AssumeRole", role_arn, "")
    is_own_account = role_arn.split(":")[4] == caller.account_id
    if not (is_own_account and evaluate_statements(named, request) is Decision.ALLOWED):
        require_permission(double, caller, "sts:AssumeRole", resource=role_arn)


def _principal_match(statement: dict[str, Any], caller: Caller) -> str | None:
    """Return ``"caller"`` or ``"account"``, whichever a statement's Principal names, or None."""
    principal = statement.get("Principal")
    names = as_list(principal.get("AWS", [])) if isinstance(principal, dict) else as_list(principal)
    if _own_names(caller) & set(names):
        return "caller"
    account_names = {"*", caller.account_id, f"arn:aws:iam::{caller.account_id}:root"}
    return "account" if account_names & set(names) else None


def _own_names(caller: Caller) -> set[str]:
    """Return the ARNs by which a trust policy may name a caller; a session also goes by its role's."""
    kind, _, rest = caller.principal_arn.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return {caller.principal_arn}
    return {caller.principal_arn, f"arn:aws:iam::{caller.account_id}:role/{rest.partition('/')[0]}"}


def _denied(caller: Caller, action: str, resource: str, reason: str) -> ServiceError:
    on_resource = "" if resource == "*" else f" on resource: {resource}"
    text = f"User: {caller.principal_arn} is not authorized to perform: {action}{on_resource} {reason}"
    return ServiceError("AccessDeniedException", text.rstrip())
