"""Which resource an operation of iam is about: moto leaves it open, and policies are written for resources.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from __future__ import annotations

from moto.iam.models import iam_backends

from idc_sandbox.context import Caller

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
_GROUP_FIRST = ("AddUserToGroup", "RemoveUserFromGroup")


def resource_arn(caller: Caller, operation_name: str, parameters: dict[str, list[str]]) -> str:
    """Return the ARN of the resource that a request is about, or ``"*"`` when it is about none.

    Parameters
    ----------
    parameters
        Of the request, as moto holds them: each name with a list of values.
    """
    names = ["GroupName", *_KINDS] if operation_name in _GROUP_FIRST else list(_KINDS)
    for parameter in names:
        if values := parameters.get(parameter):
            value = values[0]
            return value if value.startswith("arn:") else _arn(caller, parameter, value, parameters)
    return caller.principal_arn if _is_about_caller(caller, operation_name) else "*"


def _arn(caller: Caller, parameter: str, name: str, parameters: dict[str, list[str]]) -> str:
    kind, collection = _KINDS[parameter]
    held = getattr(iam_backends[caller.account_id]["aws"], collection).values() if collection else []
    existing = next((item for item in held if item.name == name), None)
    path = existing.path if existing is not None else parameters.get("Path", ["/"])[0]
    return f"arn:aws:iam::{caller.account_id}:{kind}{path or '/'}{name}"


def _is_about_caller(caller: Caller, operation_name: str) -> bool:
    """Tell whether an operation that names no user means the one that calls."""
    about_users = (
        "GetUser",
        "UpdateUser",
        "CreateAccessKey",
        "DeleteAccessKey",
        "ListAccessKeys",
        "UpdateAccessKey",
    )
    return operation_name in about_users and ":user/" in caller.principal_arn
