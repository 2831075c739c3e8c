"""Which policies decide what a caller may do, read from moto's memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from idc_sandbox.aws_double import access_keys, organization
from idc_sandbox.aws_double.administrator import (
    ADMINISTRATOR_NAME,
    MANAGEMENT_ACCOUNT_ID,
    Administrator,
    time_context,
)
from idc_sandbox.context import AccessPolicies, Caller

_ADMINISTRATOR_ARN = f"arn:aws:iam::{MANAGEMENT_ACCOUNT_ID}:user/{ADMINISTRATOR_NAME}"


def collect(caller: Caller, now: float) -> AccessPolicies:
    """Return the policies of a caller; no identity's when its user or role is gone.

    Parameters
    ----------
    now
        Epoch seconds of the sandbox's clock.
    """
    backend = iam_backends[caller.account_id]["aws"]
    ceilings = organization.service_control_documents(caller.account_id)
    session = access_keys.find_issued_session(caller.access_key_id, caller.account_id)
    owner_arn = caller.principal_arn if session is None else session.role_arn
    owners: list[Any] = [*backend.users.values(), *backend.roles.values()]
    identity = next((owner for owner in owners if owner.arn == owner_arn), None)
    holders = [identity, *(group for group in backend.groups.values() if identity in group.users)]
    if session is not None and session.policy:
        ceilings += [[session.policy]]
    context = _context(caller, identity, session, now)
    if identity is None:
        return AccessPolicies([], ceilings, context)
    ceilings += _boundary(backend, identity)
    return AccessPolicies([text for holder in holders for text in _documents(holder)], ceilings, context)


def _boundary(backend: Any, identity: Any) -> list[list[str]]:
    policy_arn = getattr(identity, "permissions_boundary_arn", None)  # moto's users have none
    if not policy_arn:
        return []
    policy = backend.managed_policies.get(policy_arn)
    return [[_default_version(policy)] if policy is not None else []]


def _documents(holder: Any) -> list[str]:
    managed = [_default_version(policy) for policy in holder.managed_policies.values()]
    return [*holder.policies.values(), *managed]


def _default_version(policy: Any) -> str:
    document: str = next(version.document for version in policy.versions if version.is_default)
    return document


def _context(caller: Caller, identity: Any, session: Any, now: float) -> dict[str, str | list[str]]:
    is_role = session is not None and ":role/" in session.role_arn
    context: dict[str, str | list[str]] = {
        "aws:principalarn": caller.principal_arn if session is None else session.role_arn,
        "aws:principalaccount": caller.account_id,
        "aws:principalisawsservice": "false",
        "aws:securetransport": "false",
        "aws:principaltype": "AssumedRole" if is_role else "User",
        **time_context(now),
    }
    if identity is not None:
        context["aws:userid"] = f"{identity.id}:{session.session_name}" if is_role else identity.id
        tags = identity.tags or [] if isinstance(identity.tags, list) else []
        context.update({f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in tags})
        if not is_role:
            context["aws:username"] = identity.name
    if session is not None:
        context.update(_session_context(session))
    if caller.account_id in organization.active_account_ids():
        context["aws:principalorgid"] = organization.backend().org.id
    return context


def _session_context(session: Any) -> dict[str, str]:
    """Return the condition keys that a session carries; its tags go before those of its role."""
    known = vars(session)
    issued_at = known.get("sandbox_issued_at")  # sessions of an older sandbox do not know it
    times = {} if issued_at is None else {"aws:tokenissuetime": issued_at}
    return times | known.get("sandbox_context", {})


def find_bucket(name: str) -> Any:
    """Return moto's bucket of a name, whosever it is, or None."""
    backends = (partitions["aws"] for partitions in list(s3_backends.values()))
    return next((found for backend in backends if (found := backend.buckets.get(name))), None)


def trust_document(role_arn: str) -> str | None:
    """Return the trust policy (JSON text) of a role in any account, or None when there is no such role."""
    account_id = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    if account_id not in iam_backends:
        return None
    roles = iam_backends[account_id]["aws"].roles.values()
    return next((role.assume_role_policy_document for role in roles if role.arn == role_arn), None)


def find_administrator() -> Administrator | None:
    """Return the administrator as moto's memory has it now, or None when its key no longer opens anything."""
    backend = iam_backends[MANAGEMENT_ACCOUNT_ID]["aws"]
    user = backend.users.get(ADMINISTRATOR_NAME)
    key = user.access_keys[0] if user is not None and user.access_keys else None
    if user is None or key is None or key.status != "Active" or user.arn != _ADMINISTRATOR_ARN:
        return None
    policies = collect(Caller(MANAGEMENT_ACCOUNT_ID, user.arn, key.access_key_id), now=0.0)
    lasting = {name: value for name, value in policies.context.items() if name not in time_context(0)}
    return Administrator(
        user.id, key.access_key_id, key.secret_access_key, replace(policies, context=lasting)
    )
