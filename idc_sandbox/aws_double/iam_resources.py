"""Which resource an operation of iam is about: moto leaves it open, and policies are written for resources.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from __future__ import annotations

from moto.iam.models import iam_backends

from idc_sandbox.context import Caller
from idc_sandbox.errors import ServiceError
from idc_sandbox.service_models import service_model

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
    """Return the ARNs of the resources that a request is about, ``["*"]`` when it is about none.

    Parameters
    ----------
    parameters
        Of the request, as moto holds them: each name with a list of values. Those that the operation does
        not have say nothing: anybody could add one that names a resource of their own.
    """
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
    """Refuse a limit that moto would take and forget: the user would be able to do more than was said.

    Raises
    ------
    ServiceError
        ``InvalidInput``.
    """
    if action == "iam:CreateUser" and "PermissionsBoundary" in parameters:
        raise ServiceError(
            "InvalidInput",
            "The sandbox has permissions boundaries of roles only: leave PermissionsBoundary out.",
        )


def check_not_protected(resources: list[str]) -> None:
    """Refuse to change a role that Identity Center looks after, as AWS does.

    Raises
    ------
    ServiceError
        ``UnmodifiableEntity``.
    """
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
    held = getattr(iam_backends[caller.account_id]["aws"], collection).values() if collection else []
    existing = next((item for item in held if item.name == name), None)
    path = existing.path if existing is not None else known.get("Path", "/")
    return f"arn:aws:iam::{caller.account_id}:{kind}{path or '/'}{name}"


def _implied(caller: Caller, operation_name: str, known: dict[str, str]) -> str:
    """Return the user that an operation means which names none: a key's own, or the one that calls."""
    if operation_name not in _ABOUT_USERS or ":user/" not in caller.principal_arn:
        return "*"
    key = iam_backends[caller.account_id]["aws"].access_keys.get(known.get("AccessKeyId", ""))
    return caller.principal_arn if key is None else _arn(caller, "UserName", key.user_name or "", known)
