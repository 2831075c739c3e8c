"""Account ids, ARNs, role names and addresses: read, checked and written, without a call.

Durations, managed policies and "did you mean" live in modules of their own and are offered here as well, so
that there is one place to import words from.
"""

from __future__ import annotations

import re

from idc_helpers.durations import format_duration, parse_duration
from idc_helpers.errors import InvalidValueError
from idc_helpers.managed_policies import PREDEFINED, managed_policy_arn
from idc_helpers.suggestions import did_you_mean

__all__ = [
    "PREDEFINED",
    "access_key_kind",
    "access_portal_url",
    "check_account_id",
    "check_region",
    "console_link",
    "did_you_mean",
    "format_duration",
    "instance_id_of",
    "is_account_id",
    "managed_policy_arn",
    "parse_duration",
    "reserved_role_pattern",
]

_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,2}-\d{1,2}", re.ASCII)
_INSTANCE_ARN = re.compile(
    r"arn:aws(?:-[a-z]{1,5}){0,3}:sso:::instance/(?P<instance_id>(?:sso)?ins-[a-zA-Z0-9.-]{16})"
)
_IDENTITY_STORE_ID = re.compile(r"d-[0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PERMISSION_SET_NAME = re.compile(r"[\w+=,.@-]{1,32}", re.ASCII)
_ACCESS_KEY_ID = re.compile(r"(?P<prefix>AKIA|ASIA)[A-Z0-9]{12,124}")


def is_account_id(text: str) -> bool:
    """Return whether a text has the shape of an account id: twelve digits."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def check_account_id(value: object) -> str:
    """Return an account id, or say what is wrong with it.

    Raises
    ------
    InvalidValueError
        The value is a number (which is what YAML makes of an unquoted id), or not twelve digits.
    """
    if isinstance(value, str) and is_account_id(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise InvalidValueError(
            f"{value!r} is a number, and an account id is text",
            remedy="Quote the account id: YAML reads unquoted ids as numbers, and a leading 0 as octal. "
            "On papermill's command line use -r in place of -p.",
        )
    raise InvalidValueError(
        f"{value!r} is not an account id", remedy="Write the twelve digits in quotes, such as '111122223333'."
    )


def check_region(text: str) -> str:
    """Return a Region's code, or say what is wrong with it; whether AWS has that Region is not looked up.

    Raises
    ------
    InvalidValueError
        The text does not have the shape of a Region's code.
    """
    if _REGION.fullmatch(text) is None:
        raise InvalidValueError(
            f"{text!r} is not a Region's code", remedy="Write a code such as 'us-east-1' or 'eu-west-1'."
        )
    return text


def instance_id_of(instance_arn: str) -> str:
    """Return the id of an instance, such as ``"ssoins-7223abcdef012345"``, from its ARN.

    Raises
    ------
    InvalidValueError
        The text is not the ARN of an instance.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_InstanceMetadata.html
    """
    match = _INSTANCE_ARN.fullmatch(instance_arn)
    if match is None:
        raise InvalidValueError(
            f"{instance_arn!r} is not the ARN of an instance",
            remedy="Copy it from the Settings page: 'arn:aws:sso:::instance/ssoins-' and 16 characters.",
        )
    return match["instance_id"]


def console_link(region: str, instance_arn: str, tail: str) -> str:
    """Return a link into the Identity Center console.

    The form of the link is observed by the community and not documented by AWS: give people the path in
    words next to it. The fallback is https://console.aws.amazon.com/singlesignon.

    Parameters
    ----------
    region
        The instance's Region, such as ``"us-east-1"``.
    instance_arn
        The instance's ARN.
    tail
        ``"dashboard"``, ``"settings"``, ``"users"``, ``"users$addUserWizard"`` or
        ``"users/user-details/USER_ID"``.

    Raises
    ------
    InvalidValueError
        The Region or the ARN is not one.
    """
    check_region(region)
    short_id = instance_id_of(instance_arn).partition("ins-")[2]
    home = f"https://{region}.console.aws.amazon.com/singlesignon/home?region={region}"
    return f"{home}#!/instances/{short_id}/{tail.lstrip('/')}"


def access_portal_url(identity_store_id: str, subdomain: str | None = None) -> str:
    """Return the address of the AWS access portal.

    Parameters
    ----------
    identity_store_id
        Such as ``"d-1234567890"``.
    subdomain
        The custom subdomain, once it is set in the console.

    Raises
    ------
    InvalidValueError
        The identity store's id is not one.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/howtochangeURL.html
    """
    if _IDENTITY_STORE_ID.fullmatch(identity_store_id) is None:
        raise InvalidValueError(
            f"{identity_store_id!r} is not the id of an identity store",
            remedy="Take it from the Settings page: 'd-' and ten digits or letters from a to f.",
        )
    return f"https://{subdomain or identity_store_id}.awsapps.com/start"


def reserved_role_pattern(permission_set_name: str) -> re.Pattern[str]:
    """Return a pattern that matches (``fullmatch``) the names of the roles of one permission set.

    Identity Center makes ``AWSReservedSSO_<permission set>_<16 hexadecimal digits>`` in each account. The
    digits change whenever the role is made anew, so nothing should name them.

    Raises
    ------
    InvalidValueError
        No permission set can have that name.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
    """
    if _PERMISSION_SET_NAME.fullmatch(permission_set_name) is None:
        raise InvalidValueError(
            f"{permission_set_name!r} cannot be a permission set's name",
            remedy="Use 1 to 32 letters, digits and + = , . @ - _ without blanks.",
        )
    return re.compile(rf"AWSReservedSSO_{re.escape(permission_set_name)}_[0-9a-f]{{16}}")


def access_key_kind(access_key_id: str) -> str:
    """Return ``"long-lived"`` for an IAM user's access key (AKIA), ``"temporary"`` for a session's (ASIA).

    Raises
    ------
    InvalidValueError
        The text is neither. It is not repeated in the message: it might be a secret in the wrong place.

    Notes
    -----
    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
    """
    match = _ACCESS_KEY_ID.fullmatch(access_key_id)
    if match is None:
        raise InvalidValueError(
            f"a text of {len(access_key_id)} characters is not an access key id ('AKIA…' or 'ASIA…')",
            remedy="Give the access key id, never the secret access key.",
        )
    return "long-lived" if match["prefix"] == "AKIA" else "temporary"
