"""Whether a caller may do what it asks for, by the policies that moto's iam and organizations hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idc_sandbox.context import AccessPolicies, AwsServices, Caller
from idc_sandbox.errors import ServiceError
from idc_sandbox.policy_evaluation import (
    AccessRequest,
    Decision,
    as_list,
    evaluate,
    evaluate_statements,
    statements_of,
)
from idc_sandbox.policy_patterns import ConditionContext


def require_permission(double: AwsServices, caller: Caller, action: str, *, resource: str = "*") -> None:
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
    double: AwsServices, caller: Caller, action: str, resources: Sequence[str]
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
    double: AwsServices, caller: Caller, role_arn: str, *, external_id: str | None = None
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
    own_names = _own_names(caller, context)
    if external_id is not None:
        context["sts:externalid"] = external_id
    request = AccessRequest("sts:AssumeRole", role_arn, context)
    named, delegated = [], []
    for statement in statements_of(document or "{}"):
        match = _principal_match(statement, caller, own_names)
        named += [statement] if match == "caller" else []
        delegated += [statement] if match == "account" else []
    if evaluate_statements([*named, *delegated], request) is not Decision.ALLOWED:
        raise _denied(caller, "sts:AssumeRole", role_arn, "")
    is_own_account = role_arn.split(":")[4] == caller.account_id
    if not (is_own_account and evaluate_statements(named, request) is Decision.ALLOWED):
        require_permission(double, caller, "sts:AssumeRole", resource=role_arn)


def require_resource_policy(
    double: AwsServices, caller: Caller, document: bytes | None, action: str, resource: str, *, is_own: bool
) -> None:
    """Return when the policy of a resource lets a caller at it.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html

    Parameters
    ----------
    document
        JSON text, or None for a resource without a policy.
    is_own
        Whether the caller's account has the resource: then the caller's own policies are enough, and a Deny
        here wins.

    Raises
    ------
    ServiceError
        ``AccessDeniedException``.
    """
    request = AccessRequest(action, resource, dict(double.access_policies(caller).context))
    own_names = _own_names(caller, request.context)
    statements = [
        statement
        for statement in statements_of((document or b"{}").decode("utf-8", "replace"))
        if _principal_match(statement, caller, own_names)
    ]
    decision = evaluate_statements(statements, request)
    if decision is Decision.DENIED:
        raise _denied(caller, action, resource, "with an explicit deny in a resource-based policy")
    if not is_own and decision is not Decision.ALLOWED:
        raise _denied(
            caller, action, resource, f"because no resource-based policy allows the {action} action"
        )


def _principal_match(statement: dict[str, Any], caller: Caller, own_names: set[str]) -> str | None:
    """Return ``"caller"`` or ``"account"``, whichever a statement's Principal names, or None."""
    principal = statement.get("Principal")
    named = as_list(principal.get("AWS", [])) if isinstance(principal, dict) else as_list(principal)
    names = {name for name in named if isinstance(name, str)}
    if own_names & names:
        return "caller"
    account_names = {"*", caller.account_id, f"arn:aws:iam::{caller.account_id}:root"}
    return "account" if account_names & names else None


def _own_names(caller: Caller, context: ConditionContext) -> set[str]:
    """Return the ARNs by which a policy may name a caller; a session also goes by that of its role."""
    if caller.principal_arn.rpartition(":")[2].partition("/")[0] != "assumed-role":
        return {caller.principal_arn}
    return {caller.principal_arn, str(context["aws:principalarn"])}


def _denied(caller: Caller, action: str, resource: str, reason: str) -> ServiceError:
    on_resource = "" if resource == "*" else f" on resource: {resource}"
    text = f"User: {caller.principal_arn} is not authorized to perform: {action}{on_resource} {reason}"
    return ServiceError("AccessDeniedException", text.rstrip())
