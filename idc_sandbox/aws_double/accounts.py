"""What accounts hold in moto's memory: Identity Center's roles, the organization, access keys, policies."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from moto.iam.models import AccessKey, IAMBackend, Role, iam_backends
from moto.organizations import utils as organization_ids
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends

from idc_sandbox.aws_double.administrator import (
    ADMINISTRATOR_NAME,
    MANAGEMENT_ACCOUNT_ID,
    Administrator,
)
from idc_sandbox.context import AccessPolicies, Caller, IssuedKey
from idc_sandbox.errors import ServiceError, not_found
from idc_sandbox.organization import Organization
from idc_sandbox.wire.models import service_model

ROLE_PREFIX = "AWSReservedSSO_"
_INLINE_POLICY_NAME = "AwsSSOInlinePolicy"


@dataclass(frozen=True)
class ReservedRole:
    """What a permission set says about its role in an account."""

    role_name: str
    path: str
    description: str
    max_session_duration_s: int
    saml_provider_arn: str
    managed_policy_arns: Sequence[str] = ()
    customer_managed: Sequence[tuple[str, str]] = ()
    inline_policy: str | None = None
    permissions_boundary_arn: str | None = None


def _iam(account_id: str) -> IAMBackend:
    return iam_backends[account_id]["aws"]


def _customer_managed_policy_arn(account_id: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:policy{path}{name}"


def customer_managed_policy_exists(account_id: str, path: str, name: str) -> bool:
    """Tell whether an account has a customer managed policy of this path and name."""
    return _customer_managed_policy_arn(account_id, path, name) in _iam(account_id).managed_policies


def put_reserved_role(account_id: str, **about: Any) -> str:
    """Make a role what its permission set says (`ReservedRole`), also one that is gone; return its ARN."""
    backend, wanted = _iam(account_id), ReservedRole(**about)
    policies = _policies(backend, account_id, wanted)  # looked up first: a refusal leaves no half-made role
    _ensure_saml_provider(backend, wanted.saml_provider_arn)
    role = _find(backend, wanted.role_name) or backend.create_role(
        role_name=wanted.role_name,
        assume_role_policy_document=_trust_document(wanted.saml_provider_arn),
        path=wanted.path,
        permissions_boundary=None,
        description=wanted.description,
        tags=[],
        max_session_duration=str(wanted.max_session_duration_s),
    )
    role.description = wanted.description
    role.max_session_duration = str(wanted.max_session_duration_s)
    role.assume_role_policy_document = _trust_document(wanted.saml_provider_arn)
    _set_policies(role, policies, wanted)
    arn: str = role.arn
    return arn


def delete_reserved_role(account_id: str, role_name: str) -> None:
    """Delete a role with its policies' attachments; nothing happens when it is gone already."""
    backend = _iam(account_id)
    role = _find(backend, role_name)
    if role is None:
        return
    for policy in list(role.managed_policies.values()):
        policy.detach_from(role)
    del backend.roles[role.id]


def reserved_role_names(account_id: str) -> list[str]:
    """Return the names of an account's reserved roles, sorted."""
    names = (role.name for role in _iam(account_id).roles.values())
    return sorted(name for name in names if name.startswith(ROLE_PREFIX))


def find_role_arn(account_id: str, role_name: str) -> str | None:
    """Return the ARN of an account's role, or None when somebody has deleted it."""
    role = _find(_iam(account_id), role_name)
    return None if role is None else str(role.arn)


def _find(backend: IAMBackend, role_name: str) -> Role | None:
    return next((role for role in backend.roles.values() if role.name == role_name), None)


def _policies(backend: IAMBackend, account_id: str, wanted: ReservedRole) -> list[Any]:
    arns = [
        *wanted.managed_policy_arns,
        *(_customer_managed_policy_arn(account_id, path, name) for path, name in wanted.customer_managed),
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


# The organization that the sandbox starts with, and what the rest of the sandbox asks of it.


def _organization() -> Any:
    return organizations_backends[MANAGEMENT_ACCOUNT_ID]["aws"]


def organization_id() -> str:
    """Return the organization's id, such as ``o-exampleorgid``."""
    return str(_organization().org.id)


def enable_trusted_access(service_principal: str) -> None:
    """Let a service work in all accounts, as enabling Identity Center does."""
    _organization().enable_aws_service_access(ServicePrincipal=service_principal)


def has_trusted_access(service_principal: str) -> bool:
    """Tell whether a service may work in all accounts."""
    return any(one["ServicePrincipal"] == service_principal for one in _organization().services)


def create_organization(wanted: Organization) -> None:
    """Make the management account's organization, with the units and accounts that it is to have."""
    organization = _organization()
    known = set(iam_backends)
    organization.create_organization(region="us-east-1", FeatureSet="ALL")
    # moto gives the management account's access role to an account of its invention
    for account_id in set(iam_backends) - known - {MANAGEMENT_ACCOUNT_ID}:
        del iam_backends[account_id]
    about = wanted["management_account"]
    organization.org.master_account_email = about["email"]
    management = organization.get_account_by_id(MANAGEMENT_ACCOUNT_ID)
    management.name, management.email = about["name"], about["email"]
    management.joined_method = "INVITED"
    management.tags = dict(about.get("tags", {}))
    _fill_unit(organization, organization.org.root_id, wanted)


def _fill_unit(organization: Any, parent_id: str, wanted: Organization) -> None:
    for unit in wanted.get("organizational_units", ()):
        made = organization.create_organizational_unit(Name=unit["name"], ParentId=parent_id)
        _fill_unit(organization, made["OrganizationalUnit"]["Id"], unit)
    for about in wanted.get("accounts", ()):
        with _account_id(about.get("id")):
            organization.create_account(AccountName=about["name"], Email=about["email"])
        account = organization.accounts[-1]
        account.parent_id = parent_id
        account.tags = dict(about.get("tags", {}))
        account.status = account.state = about.get("status", "ACTIVE")


@contextmanager
def _account_id(account_id: str | None) -> Iterator[None]:
    """Let moto give the next account this id, where one is wanted."""
    draw = organization_ids.make_random_account_id
    if account_id is not None:
        organization_ids.make_random_account_id = lambda: account_id
    try:
        yield
    finally:
        organization_ids.make_random_account_id = draw


def log_archive_account_id() -> str:
    """Return the account that companies keep logs in, or management where there is none."""
    known = {account.name: account.id for account in _organization().accounts if account.status == "ACTIVE"}
    return known.get("Log archive", MANAGEMENT_ACCOUNT_ID)


def active_account_ids() -> set[str]:
    """Return the accounts of the organization that are ACTIVE."""
    return {account.id for account in _organization().accounts if account.status == "ACTIVE"}


def closed_account_ids() -> set[str]:
    """Return the accounts of the organization that are not ACTIVE: SUSPENDED, PENDING_CLOSURE."""
    return {account.id for account in _organization().accounts if account.status != "ACTIVE"}


def describe_account(account_id: str) -> tuple[str, str, str] | None:
    """Return id, name and e-mail address of an account of the organization, or None."""
    account = next((account for account in _organization().accounts if account.id == account_id), None)
    return None if account is None else (account.id, account.name, account.email)


def delegated_administrators(service_principal: str) -> set[str]:
    """Return the accounts that are delegated administrators of a service such as ``sso.amazonaws.com``."""
    return {admin.account.id for admin in _organization().admins if service_principal in admin.services}


def service_control_documents(account_id: str) -> list[list[str]]:
    """Return the service control policies over a member account: documents by level, root first."""
    # None bind the management account, and none bind anybody while the policy type is not enabled.
    organization = _organization()
    enabled = {kind["Type"] for unit in organization.ou if unit.type == "ROOT" for kind in unit.policy_types}
    level = next((account for account in organization.accounts if account.id == account_id), None)
    if account_id == MANAGEMENT_ACCOUNT_ID or "SERVICE_CONTROL_POLICY" not in enabled:
        return []
    levels: list[list[str]] = []
    while level is not None:
        policies = [policy for policy in level.attached_policies if policy.type == "SERVICE_CONTROL_POLICY"]
        levels.insert(0, [policy.content for policy in policies])
        parent_id = None if level.type == "ROOT" else level.parent_id
        level = next((unit for unit in organization.ou if unit.id == parent_id), None)
    return levels


# Which resource an operation of iam is about: moto leaves it open, and policies are written for resources.

# Parameter that names a resource → its kind in an ARN, and moto's collection of them; the first one decides
_KINDS = {
    "RoleName": ("role", "roles"),
    "UserName": ("user", "users"),
    "GroupName": ("group", "groups"),
    "InstanceProfileName": ("instance-profile", "instance_profiles"),
    "SAMLProviderArn": ("saml-provider", ""),
    "OpenIDConnectProviderArn": ("oidc-provider", ""),
    "PolicyArn": ("policy", ""),
    "PolicyName": ("policy", ""),
    "Name": ("saml-provider", ""),
}
_ABOUT_USERS = (
    "GetUser",
    "UpdateUser",
    "CreateAccessKey",
    "DeleteAccessKey",
    "ListAccessKeys",
    "UpdateAccessKey",
)
_GROUP_FIRST = ("AddUserToGroup", "RemoveUserFromGroup")


def resource_arns(caller: Caller, operation_name: str, parameters: dict[str, list[str]]) -> list[str]:
    """Return the ARNs of the resources that a request is about, ``["*"]`` when it is about none."""
    model = service_model("iam")
    if operation_name not in model.operation_names:
        return ["*"]  # moto has no such operation either
    shape = model.operation_model(operation_name).input_shape
    known = {name: values[0] for name, values in parameters.items() if shape and name in shape.members}
    names = ["GroupName", *_KINDS] if operation_name in _GROUP_FIRST else list(_KINDS)
    parameter = next((name for name in names if known.get(name)), None)
    if parameter is None:
        return [_implied(caller, operation_name, known)]
    found = [_arn(caller, parameter, known[parameter], known)]
    if new_name := known.get(f"New{parameter}"):
        path = known.get("NewPath") or found[0].partition(_KINDS[parameter][0])[2].rpartition("/")[0] + "/"
        found.append(f"arn:aws:iam::{caller.account_id}:{_KINDS[parameter][0]}{path}{new_name}")
    return found


def check_parameters(action: str, parameters: dict[str, list[str]]) -> None:
    """Refuse a limit that moto would take and forget: the user would be able to do more than was said."""
    if action == "iam:CreateUser" and "PermissionsBoundary" in parameters:
        raise ServiceError(
            "InvalidInput",
            "The sandbox has permissions boundaries of roles only: leave PermissionsBoundary out.",
        )


def check_not_protected(resources: list[str]) -> None:
    """Refuse to change a role that Identity Center looks after, as AWS does."""
    for arn in resources:
        if ":role/aws-reserved/" in arn:
            message = (
                f"Cannot perform the operation on the protected role '{arn.rpartition('/')[2]}' - this role"
            )
            raise ServiceError("UnmodifiableEntity", f"{message} is only modifiable by AWS")


def _arn(caller: Caller, parameter: str, name: str, known: dict[str, str]) -> str:
    if name.startswith("arn:"):
        return name
    kind, collection = _KINDS[parameter]
    held = getattr(_iam(caller.account_id), collection).values() if collection else []
    existing = next((item for item in held if item.name == name), None)
    path = existing.path if existing is not None else known.get("Path", "/")
    return f"arn:aws:iam::{caller.account_id}:{kind}{path or '/'}{name}"


def _implied(caller: Caller, operation_name: str, known: dict[str, str]) -> str:
    """Return the user that an operation means which names none: a key's own, or the one that calls."""
    if operation_name not in _ABOUT_USERS or ":user/" not in caller.principal_arn:
        return "*"
    key = _iam(caller.account_id).access_keys.get(known.get("AccessKeyId", ""))
    return caller.principal_arn if key is None else _arn(caller, "UserName", key.user_name or "", known)


# Access keys: the administrator's, and those that moto has issued.

ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
# An expired session is remembered for this long, so that its user reads "expired" and not "unknown".
_EXPIRED_KEPT_S = 7 * 86_400.0
_HOUR_S = 3_600


def create_administrator(administrator: Administrator) -> None:
    """Make the IAM user whose key opens the sandbox."""
    backend = _iam(MANAGEMENT_ACCOUNT_ID)
    backend.create_user("us-east-1", ADMINISTRATOR_NAME)
    user = backend.get_user(ADMINISTRATOR_NAME)
    user.id = administrator.user_id
    backend.managed_policies[ADMINISTRATOR_POLICY].attach_to(user)
    key = backend.create_access_key(ADMINISTRATOR_NAME, prefix="AKIA")
    del backend.access_keys[key.access_key_id]
    key.access_key_id, key.secret_access_key = administrator.access_key_id, administrator.secret
    backend.access_keys[key.access_key_id] = key


def administrator_key() -> tuple[str, str]:
    """Return access key id and secret of the administrator."""
    user = _iam(MANAGEMENT_ACCOUNT_ID).users.get(ADMINISTRATOR_NAME)
    if user is None or not user.access_keys:
        raise LookupError(
            f"the IAM user {ADMINISTRATOR_NAME!r} or its access key was deleted from account "
            f"{MANAGEMENT_ACCOUNT_ID!r}. Start over with `idc sandbox reset`."
        )
    key = user.access_keys[0]
    return key.access_key_id, key.secret_access_key


def find_key(access_key_id: str) -> IssuedKey | None:
    """Return an issued key, expired ones included; None for one that is unknown or inactive."""
    for account_id, partitions in list(iam_backends.items()):
        backend = partitions.get("aws")
        key = backend.access_keys.get(access_key_id) if backend is not None else None
        if key is not None:
            return _session_key(account_id, key) if key.user_name is None else _user_key(account_id, key)
    return None


def forget_long_expired(now: float) -> None:
    """Drop sessions that expired long ago, so that state does not grow for ever."""
    for account_id, partitions in list(sts_backends.items()):
        for backend in partitions.values():
            gone = [role for role in backend.assumed_roles if expiry_s(role) < now - _EXPIRED_KEPT_S]
            for role in gone:
                backend.assumed_roles.remove(role)
                _iam(account_id).access_keys.pop(role.access_key_id, None)


def find_issued_session(access_key_id: str, account_id: str) -> Any:
    """Return moto's session (AssumedRole) of a temporary key, or None."""
    return sts_backends[account_id]["aws"].get_assumed_role_from_access_key(access_key_id)


def _user_key(account_id: str, key: AccessKey) -> IssuedKey | None:
    user = _iam(account_id).users.get(key.user_name or "")
    if user is None or key.status != "Active":
        return None
    caller = Caller(account_id, user.arn, key.access_key_id)
    return IssuedKey(key.secret_access_key, None, caller, None)


def _session_key(account_id: str, key: AccessKey) -> IssuedKey | None:
    session = find_issued_session(key.access_key_id, account_id)
    if session is None:
        return None
    principal_arn = getattr(session, "sandbox_principal_arn", session.arn)  # of a user's temporary keys
    caller = Caller(account_id, principal_arn, key.access_key_id)
    return IssuedKey(session.secret_access_key, session.session_token, caller, expiry_s(session))


def expiry_s(session: Any) -> float:
    """Return when moto's session of a temporary key ends, epoch seconds."""
    expires_at: datetime.datetime = session.expiration
    return expires_at.replace(tzinfo=datetime.UTC).timestamp()


# Which policies decide what a caller may do, read from moto's memory.

_ADMINISTRATOR_ARN = f"arn:aws:iam::{MANAGEMENT_ACCOUNT_ID}:user/{ADMINISTRATOR_NAME}"


def collect(caller: Caller) -> AccessPolicies:
    """Return the policies of a caller, at whatever time; no identity's when its user or role is gone."""
    backend = _iam(caller.account_id)
    ceilings = service_control_documents(caller.account_id)
    levels = len(ceilings)
    session = find_issued_session(caller.access_key_id, caller.account_id)
    owner_arn = caller.principal_arn if session is None else session.role_arn
    owners: list[Any] = [*backend.users.values(), *backend.roles.values()]
    identity = next((owner for owner in owners if owner.arn == owner_arn), None)
    holders: list[Any] = [identity, *(group for group in backend.groups.values() if identity in group.users)]
    if session is not None and session.policy:
        ceilings += [[session.policy]]
    context = _context(caller, identity, session)
    if identity is None:
        return AccessPolicies([], ceilings, context, levels)
    if boundary_arn := getattr(identity, "permissions_boundary_arn", None):  # moto's users have none
        boundary = backend.managed_policies.get(boundary_arn)
        ceilings += [[_default_version(boundary)] if boundary is not None else []]
    documents = [text for holder in holders for text in holder.policies.values()]
    attached = [policy for holder in holders for policy in holder.managed_policies.values()]
    return AccessPolicies([*documents, *map(_default_version, attached)], ceilings, context, levels)


def _default_version(policy: Any) -> str:
    document: str = next(version.document for version in policy.versions if version.is_default)
    return document


def _context(caller: Caller, identity: Any, session: Any) -> dict[str, str | list[str]]:
    is_role = session is not None and ":role/" in session.role_arn
    context: dict[str, str | list[str]] = {
        "aws:principalarn": caller.principal_arn if session is None else session.role_arn,
        "aws:principalaccount": caller.account_id,
        "aws:principalisawsservice": "false",
        "aws:securetransport": "false",
        "aws:principaltype": "AssumedRole" if is_role else "User",
    }
    if identity is not None:
        context["aws:userid"] = f"{identity.id}:{session.session_name}" if is_role else identity.id
        tags = identity.tags or [] if isinstance(identity.tags, list) else []
        context.update({f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in tags})
        if not is_role:
            context["aws:username"] = identity.name
    if session is not None:
        known = vars(session)
        if issued_at := known.get("sandbox_issued_at"):  # sessions of an older sandbox do not know it
            context["aws:tokenissuetime"] = issued_at
        context.update(known.get("sandbox_context", {}))  # a session's tags go before those of its role
    if caller.account_id in active_account_ids():
        context["aws:principalorgid"] = _organization().org.id
    return context


def trust_document(role_arn: str) -> str | None:
    """Return the trust policy (JSON text) of a role in any account, or None when there is no such role."""
    role = _role_of(role_arn)
    return None if role is None else role.assume_role_policy_document


def longest_session_s(role_arn: str) -> int | None:
    """Return how long sessions of a role in any account may last, or None when there is no such role."""
    role = _role_of(role_arn)
    return None if role is None else int(role.max_session_duration or _HOUR_S)


def _role_of(role_arn: str) -> Any:
    account_id = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    roles = _iam(account_id).roles.values() if account_id in iam_backends else ()
    return next((role for role in roles if role.arn == role_arn), None)


def find_administrator() -> Administrator | None:
    """Return the administrator as moto's memory has it now, or None when its key no longer opens anything."""
    backend = _iam(MANAGEMENT_ACCOUNT_ID)
    user = backend.users.get(ADMINISTRATOR_NAME)
    key = user.access_keys[0] if user is not None and user.access_keys else None
    if user is None or key is None or key.status != "Active" or user.arn != _ADMINISTRATOR_ARN:
        return None
    policies = collect(Caller(MANAGEMENT_ACCOUNT_ID, user.arn, key.access_key_id))
    return Administrator(user.id, key.access_key_id, key.secret_access_key, policies)
