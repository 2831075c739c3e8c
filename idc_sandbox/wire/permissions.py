"""Whether a caller may do what it asks for: the actions and resources of a request, and its policies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from idc_sandbox.context import AccessPolicies, AwsServices, Caller
from idc_sandbox.errors import ServiceError
from idc_sandbox.wire.policies import (
    AccessRequest,
    ConditionContext,
    Decision,
    as_list,
    evaluate,
    evaluate_statements,
    statements_of,
)


def require_permission(
    double: AwsServices,
    caller: Caller,
    action: str,
    *resources: str,
    keys: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Return when the caller's policies, boundary and ceilings allow an action on each resource.

    `keys` are condition keys of the request's own, in lower case.
    """
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    policies = double.access_policies(caller)
    for resource in resources or ("*",):
        _require_allowed(policies, caller, AccessRequest(action, resource, {**policies.context, **keys}))


def _require_allowed(policies: AccessPolicies, caller: Caller, request: AccessRequest) -> None:
    action = request.action
    decisions = [evaluate(documents, request) for documents in (policies.identity, *policies.ceilings)]
    if all(decision is Decision.ALLOWED for decision in decisions):
        return
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    if Decision.DENIED in decisions[1 : 1 + policies.service_control_levels]:
        reason = "with an explicit deny in a service control policy"
    elif Decision.DENIED in decisions:
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
    """Return when a caller may assume a role: its trust policy and the caller's own policies allow it."""
    # In the role's own account a trust policy that names the caller is enough:
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    extra = {} if external_id is None else {"sts:externalid": external_id}
    document = double.trust_document(role_arn) or "{}"
    require_let_in(double, caller, document, "sts:AssumeRole", role_arn, **extra)


def require_let_in(
    double: AwsServices, caller: Caller, document: str, action: str, resource: str, **extra: str
) -> None:
    """Return when the policy of a resource lets a caller in and, unless it names the caller, their own do."""
    policies = double.access_policies(caller)
    request = AccessRequest(action, resource, {**policies.context, **extra})
    own_names = _own_names(caller, request.context)
    statements = statements_of(document)
    matches = [(statement, _principal_match(statement, caller, own_names)) for statement in statements]
    named = [statement for statement, match in matches if match == "caller"]
    delegated = [statement for statement, match in matches if match == "account"]
    if evaluate_statements([*named, *delegated], request) is not Decision.ALLOWED:
        raise _denied(caller, action, resource, "")
    is_own_account = resource.split(":")[4] == caller.account_id
    if not (is_own_account and evaluate_statements(named, request) is Decision.ALLOWED):
        require_permission(double, caller, action, resource)
    elif any(evaluate(each, request) is Decision.DENIED for each in (policies.identity, *policies.ceilings)):
        raise _denied(caller, action, resource, "with an explicit deny in a policy")


def trusts_service(document: str, service: str, action: str, role_arn: str, keys: Mapping[str, str]) -> bool:
    """Tell whether a role's trust policy lets a service of AWS do something; `keys` are in lower case."""
    statements = [one for one in statements_of(document) if _concerns_service(one, service)]
    return evaluate_statements(statements, AccessRequest(action, role_arn, dict(keys))) is Decision.ALLOWED


def _concerns_service(statement: dict[str, Any], service: str) -> bool:
    """Tell whether a statement names a service; a Deny for everybody is one for services too."""
    principal = statement.get("Principal")
    if statement.get("Effect") == "Deny" and principal in ("*", {"AWS": "*"}):
        return True
    return isinstance(principal, dict) and service in as_list(principal.get("Service", []))


def require_resource_policy(
    double: AwsServices, caller: Caller, document: bytes | None, action: str, resource: str, *, is_own: bool
) -> None:
    """Return when the policy of a resource lets a caller at it."""
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
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


_ARNS = (
    *("InstanceArn", "PermissionSetArn", "ResourceArn"),
    *("ApplicationArn", "ApplicationProviderArn", "TrustedTokenIssuerArn"),
)
_ACCOUNTS = ("TargetId", "AccountId")
_KIND_OF_MEMBER = {"UserId": "user", "GroupId": "group", "MembershipId": "membership"}
# Operations on all of a kind, or on one that is not known yet.
_KIND_OF_SEARCH = {"ListUsers": "user", "GetUserId": "user", "ListGroups": "group", "GetGroupId": "group"}


def resources_of(
    connection: sqlite3.Connection,
    caller: Caller,
    service_name: str,
    operation_name: str,
    request: Any,
    *,
    region: str = "us-east-1",
) -> list[str]:
    """Return the ARNs of a request's resources; ``["*"]`` when it names none, as ListInstances."""
    if service_name == "sso-admin":
        accounts = [f"arn:aws:sso:::account/{account_id}" for account_id in _texts(request, *_ACCOUNTS)]
        found = [*_texts(request, *_ARNS), *accounts]
    elif service_name == "cloudtrail":
        prefix = f"arn:aws:cloudtrail:{region}:{caller.account_id}:trail/"
        found = [name if name.startswith("arn:") else f"{prefix}{name}" for name in _texts(request, "Name")]
    elif service_name == "glue":
        found = [f"arn:aws:glue:{region}:{caller.account_id}:catalog"]  # the handlers ask for what is in it
    elif service_name == "athena":
        found = _of_athena(f"arn:aws:athena:{region}:{caller.account_id}", operation_name, request)
    elif service_name != "identitystore":
        found = list(_texts(request, "applicationArn", "resourceArn"))
    else:
        found = list(_of_identity_stores(connection, caller, operation_name, request))
    return list(dict.fromkeys(found)) or ["*"]


# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html
_WITHOUT_RESOURCE = ("ListDataCatalogs", "ListWorkGroups", "ListEngineVersions")


def _of_athena(prefix: str, operation_name: str, request: Mapping[str, Any]) -> list[str]:
    if operation_name in _WITHOUT_RESOURCE:
        return []
    catalogs = _texts(request, "CatalogName") or (
        _texts(request, "Name") if operation_name == "GetDataCatalog" else []
    )
    if catalogs:
        return [f"{prefix}:datacatalog/{catalogs[0]}"]
    return [f"{prefix}:workgroup/{(_texts(request, 'WorkGroup') or ['primary'])[0]}"]


def _of_identity_stores(
    connection: sqlite3.Connection, caller: Caller, operation_name: str, request: Mapping[str, Any]
) -> Iterator[str]:
    for store in _texts(request, "IdentityStoreId"):  # by id or ARN; one that is not there is the caller's
        store_id = store.rpartition("/")[2]
        query = "SELECT owner_account_id FROM instance WHERE identity_store_id = ?"
        row = connection.execute(query, (store_id,)).fetchone()
        owner = row["owner_account_id"] if row else caller.account_id
        yield f"arn:aws:identitystore::{owner}:identitystore/{store_id}"
    member = request.get("MemberId")
    for part in (request, member if isinstance(member, Mapping) else {}):
        for name, kind in _KIND_OF_MEMBER.items():
            for value in _texts(part, name):
                yield _identity_arn(kind, value)
    group_ids = request.get("GroupIds")
    for group_id in group_ids if isinstance(group_ids, list) else []:
        yield _identity_arn("group", str(group_id))
    if operation_name in _KIND_OF_SEARCH:
        yield _identity_arn(_KIND_OF_SEARCH[operation_name], "*")


def _identity_arn(kind: str, identifier: str) -> str:
    return f"arn:aws:identitystore:::{kind}/{identifier.rpartition('/')[2]}"


def _texts(request: Mapping[str, Any], *names: str) -> list[str]:
    return [value for name in names if isinstance(value := request.get(name), str) and value]
