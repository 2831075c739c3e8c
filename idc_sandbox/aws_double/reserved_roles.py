"""The roles that Identity Center makes in accounts: ``AWSReservedSSO_…``.

All functions change moto's memory and save nothing; `AwsDouble` does.
Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import IAMBackend, Role, iam_backends

from idc_sandbox.errors import not_found

ROLE_PREFIX = "AWSReservedSSO_"
_INLINE_POLICY_NAME = "AwsSSOInlinePolicy"


@dataclass(frozen=True)
class ReservedRole:
    """What a permission set says about its role in an account.

    Attributes
    ----------
    customer_managed
        (path, name) of each, in the account.
    """

    role_name: str
    path: str
    description: str
    max_session_duration_s: int
    saml_provider_arn: str
    managed_policy_arns: Sequence[str] = ()
    customer_managed: Sequence[tuple[str, str]] = ()
    inline_policy: str | None = None
    permissions_boundary_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def backend_of(account_id: str) -> IAMBackend:
    """Return moto's iam of an account."""
    return iam_backends[account_id]["aws"]


def customer_managed_policy_arn(account_id: str, path: str, name: str) -> str:
    """Return the ARN that a customer managed policy has in an account."""
    return f"arn:aws:iam::{account_id}:policy{path}{name}"


def create(account_id: str, wanted: ReservedRole) -> str:
    """Make a role with its policies, and the SAML provider that it trusts, and return the role's ARN."""
    backend = backend_of(account_id)
    policies = _policies(backend, account_id, wanted)  # looked up first: a refusal leaves no half-made role
    _ensure_saml_provider(backend, wanted.saml_provider_arn)
    role = backend.create_role(
        role_name=wanted.role_name,
        assume_role_policy_document=_trust_document(wanted.saml_provider_arn),
        path=wanted.path,
        permissions_boundary=None,
        description=wanted.description,
        tags=_tags(wanted),
        max_session_duration=str(wanted.max_session_duration_s),
    )
    _set_policies(role, policies, wanted)
    arn: str = role.arn
    return arn


def update(account_id: str, wanted: ReservedRole) -> str:
    """Make a role what its permission set says now, also one that is gone, and return its ARN."""
    backend = backend_of(account_id)
    role = _find(backend, wanted.role_name)
    if role is None:
        return create(account_id, wanted)
    policies = _policies(backend, account_id, wanted)
    role.description = wanted.description
    role.max_session_duration = str(wanted.max_session_duration_s)
    role.tags = _tags(wanted)
    role.assume_role_policy_document = _trust_document(wanted.saml_provider_arn)
    _ensure_saml_provider(backend, wanted.saml_provider_arn)
    _set_policies(role, policies, wanted)
    arn: str = role.arn
    return arn


def delete(account_id: str, role_name: str) -> None:
    """Delete a role with its policies' attachments; nothing happens when it is gone already."""
    backend = backend_of(account_id)
    role = _find(backend, role_name)
    if role is None:
        return
    for policy in list(role.managed_policies.values()):
        policy.detach_from(role)
    del backend.roles[role.id]


def names(account_id: str) -> list[str]:
    """Return the names of an account's reserved roles, sorted."""
    return sorted(
        role.name for role in backend_of(account_id).roles.values() if role.name.startswith(ROLE_PREFIX)
    )


def find_role_arn(account_id: str, role_name: str) -> str | None:
    """Return the ARN of an account's role, or None when somebody has deleted it."""
    role = _find(backend_of(account_id), role_name)
    return None if role is None else str(role.arn)


def _find(backend: IAMBackend, role_name: str) -> Role | None:
    return next((role for role in backend.roles.values() if role.name == role_name), None)


def _tags(wanted: ReservedRole) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in wanted.tags.items()]


def _policies(backend: IAMBackend, account_id: str, wanted: ReservedRole) -> list[Any]:
    arns = [
        *wanted.managed_policy_arns,
        *(customer_managed_policy_arn(account_id, path, name) for path, name in wanted.customer_managed),
    ]
    boundary = [wanted.permissions_boundary_arn] if wanted.permissions_boundary_arn else []
    for policy_arn in [*arns, *boundary]:
        if policy_arn not in backend.managed_policies:
            raise not_found(
                f"The policy {policy_arn!r} does not exist in account {account_id!r}: create it there with "
                "iam:CreatePolicy, under the same path and name, and provision again."
            )
    return [backend.managed_policies[policy_arn] for policy_arn in arns]


def _set_policies(role: Role, policies: list[Any], wanted: ReservedRole) -> None:
    for policy in list(role.managed_policies.values()):
        if policy not in policies:
            policy.detach_from(role)
    for policy in policies:
        if policy.arn not in role.managed_policies:
            policy.attach_to(role)
    role.policies = {_INLINE_POLICY_NAME: wanted.inline_policy} if wanted.inline_policy else {}
    role.permissions_boundary_arn = wanted.permissions_boundary_arn


def _ensure_saml_provider(backend: IAMBackend, saml_provider_arn: str) -> None:
    name = saml_provider_arn.rpartition("/")[2]
    if name not in backend.saml_providers:
        document = f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{name}"/>'
        backend.create_saml_provider(name, document)


def _trust_document(saml_provider_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": saml_provider_arn},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
