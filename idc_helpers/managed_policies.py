"""The names of AWS managed policies, and their ARNs.

AWS says "unknown policy" only after a permission set was created and while the policy is being attached.
The kit says it before anything is called, from a list that it carries with it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from types import MappingProxyType

from idc_helpers.errors import InvalidValueError
from idc_helpers.suggestions import did_you_mean

AWS_POLICY_PREFIX = "arn:aws:iam::aws:policy/"

# The console's wizard calls these permission sets predefined; the API has no such word.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetpredefined.html
PREDEFINED: MappingProxyType[str, str] = MappingProxyType(
    {
        "AdministratorAccess": f"{AWS_POLICY_PREFIX}AdministratorAccess",
        "Billing": f"{AWS_POLICY_PREFIX}job-function/Billing",
        "DatabaseAdministrator": f"{AWS_POLICY_PREFIX}job-function/DatabaseAdministrator",
        "DataScientist": f"{AWS_POLICY_PREFIX}job-function/DataScientist",
        "NetworkAdministrator": f"{AWS_POLICY_PREFIX}job-function/NetworkAdministrator",
        "PowerUserAccess": f"{AWS_POLICY_PREFIX}PowerUserAccess",
        "ReadOnlyAccess": f"{AWS_POLICY_PREFIX}ReadOnlyAccess",
        "SecurityAudit": f"{AWS_POLICY_PREFIX}SecurityAudit",
        "SupportUser": f"{AWS_POLICY_PREFIX}job-function/SupportUser",
        "SystemAdministrator": f"{AWS_POLICY_PREFIX}job-function/SystemAdministrator",
        "ViewOnlyAccess": f"{AWS_POLICY_PREFIX}job-function/ViewOnlyAccess",
    }
)

_AWS_MANAGED_ARN = re.compile(
    r"(?P<prefix>arn:aws(?:-[a-z]{1,5}){0,3}:iam::aws:policy)"
    r"(?P<path>(?:/[A-Za-z0-9.,+@=_-]+)*)/(?P<name>[A-Za-z0-9.,+=@_-]+)"
)
_CUSTOMER_MANAGED_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:policy/.+", re.ASCII)


@cache
def aws_managed_policies() -> dict[str, str]:
    """Return every AWS managed policy that the kit knows: its name, and its path with the name.

    Returns
    -------
    dict[str, str]
        Such as ``{"Billing": "job-function/Billing", "ReadOnlyAccess": "ReadOnlyAccess"}``, by name.
    """
    text = (resources.files("idc_helpers") / "data" / "aws_managed_policies.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition("/")[2]: line for line in lines}


def managed_policy_arn(name_or_arn: str) -> str:
    """Return the ARN of an AWS managed policy.

    Parameters
    ----------
    name_or_arn
        A name (``"ReadOnlyAccess"``, ``"ViewOnlyAccess"``), a name with its path
        (``"job-function/ViewOnlyAccess"``), or an ARN. AWS adds policies all the time, so a whole ARN of
        the right shape is accepted where the kit does not know its name.

    Raises
    ------
    InvalidValueError
        No AWS managed policy has that name, or the ARN is not one of an AWS managed policy.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AttachManagedPolicyToPermissionSet.html
    """
    if name_or_arn.startswith("arn:"):
        return _checked_arn(name_or_arn)
    name = name_or_arn.rpartition("/")[2]
    path_and_name = aws_managed_policies().get(name)
    if path_and_name is None or name_or_arn.removeprefix("/") not in (path_and_name, name):
        raise _unknown(name_or_arn)
    return _attachable(AWS_POLICY_PREFIX + path_and_name)


def _checked_arn(policy_arn: str) -> str:
    match = _AWS_MANAGED_ARN.fullmatch(policy_arn)
    if match is None:
        if _CUSTOMER_MANAGED_ARN.fullmatch(policy_arn):
            remedy = "It is a policy of your own: name it, with its path, under customer_managed_policies."
        else:
            remedy = (
                f"Write a name such as 'ReadOnlyAccess', or an ARN that starts with {AWS_POLICY_PREFIX!r}."
            )
        raise InvalidValueError(f"{policy_arn!r} is not the ARN of an AWS managed policy", remedy=remedy)
    # A policy's name is unique at AWS whatever its path, so a known name under another path is a mistake.
    right = aws_managed_policies().get(match["name"])
    if right is not None and f"{match['path']}/{match['name']}" != f"/{right}":
        raise InvalidValueError(
            f"{policy_arn!r} is not an AWS managed policy: {match['name']!r} has another path",
            remedy=f"Write '{match['prefix']}/{right}'.",
        )
    return _attachable(policy_arn)


def _attachable(policy_arn: str) -> str:
    # IAM attaches these to service-linked roles alone: the permission set would fail while it is provisioned.
    if "policy/aws-service-role/" in policy_arn:
        raise InvalidValueError(
            f"{policy_arn!r} is for a service-linked role only, not for people",
            remedy="Choose a policy whose path does not start with 'aws-service-role/'.",
        )
    return policy_arn


def _unknown(name: str) -> InvalidValueError:
    question = did_you_mean(name.rpartition("/")[2], aws_managed_policies())
    remedy = "If AWS has added it lately, write its whole ARN; your own go under customer_managed_policies."
    return InvalidValueError(
        f"{name!r} is an unknown AWS managed policy", remedy=f"{question} {remedy}".strip()
    )
