"""Temporary keys of an IAM user: GetSessionToken and GetFederationToken.

Stock moto gives everybody the same made-up keys; these are keys of their own, which expire.
"""

from __future__ import annotations

import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, STSBackend, sts_backends

from idc_sandbox.aws_double import access_keys
from idc_sandbox.context import Caller
from idc_sandbox.errors import ServiceError, access_denied
from idc_sandbox.json_documents import parse_json
from idc_sandbox.policy_grammar import policy_problem

_HOUR_S = 3_600
_NO_PERMISSIONS = '{"Version": "2012-10-17", "Statement": []}'
_stock_caller_identity = STSBackend.get_caller_identity


def get_session_token(response: Any) -> ActionResult:
    """Answer with keys that may do what the user may do.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
    """
    user = _calling_user(response, "GetSessionToken")
    duration_s = response._get_int_param("DurationSeconds", 43_200)
    return ActionResult({"Credentials": _issue(user, duration_s, user.arn, policy=None)})


def get_federation_token(response: Any) -> ActionResult:
    """Answer with keys that may do what both the user and the policy in the request allow.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
    """
    user = _calling_user(response, "GetFederationToken")
    name = response._get_param("Name")
    principal_arn = f"arn:aws:sts::{user.account_id}:federated-user/{name}"
    policy = response._get_param("Policy") or _NO_PERMISSIONS
    duration_s = response._get_int_param("DurationSeconds", 43_200)
    session = _issue(user, duration_s, principal_arn, policy=policy)
    federated = {"FederatedUserId": f"{user.account_id}:{name}", "Arn": principal_arn}
    return ActionResult({"Credentials": session, "FederatedUser": federated, "PackedPolicySize": 6})


def get_caller_identity(backend: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
    """Return user id, ARN and account of a caller; a user's temporary keys are the user's still."""
    session = access_keys.find_issued_session(access_key_id, backend.account_id)
    principal_arn = getattr(session, "sandbox_principal_arn", None)
    if session is None or principal_arn is None:
        return _stock_caller_identity(backend, access_key_id, region)
    user = iam_backends[backend.account_id]["aws"].users.get(session.session_name)
    return user.id if user is not None else "", principal_arn, backend.account_id


def check_policy(parameters: dict[str, list[str]]) -> None:
    """Refuse a session policy that is none, or that the sandbox would not hold the session to.

    Raises
    ------
    ServiceError
        ``MalformedPolicyDocument``, ``ValidationError``.
    """
    if any(name.startswith("PolicyArns.") for name in parameters):
        raise ServiceError(
            "ValidationError",
            "The sandbox does not know PolicyArns of a session: send what they allow as Policy.",
        )
    if not (text := parameters.get("Policy", [""])[0]):
        return
    try:
        problem = policy_problem(parse_json(text))
    except ValueError as error:
        problem = f"It is not JSON: {error}."
    if problem:
        raise ServiceError("MalformedPolicyDocument", problem)


def check_duration(caller: Caller, role_arn: str, parameters: dict[str, list[str]]) -> None:
    """Refuse a session that is to last longer than its role's may, or than one begun by another role's may.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    Raises
    ------
    ServiceError
        ``ValidationError``, in AWS's words.
    """
    duration_s = int(parameters.get("DurationSeconds", ["0"])[0])
    roles = iam_backends[role_arn.split(":")[4]]["aws"].roles.values()
    longest_s = next((role.max_session_duration for role in roles if role.arn == role_arn), None) or _HOUR_S
    start = "The requested DurationSeconds exceeds the"
    if ":assumed-role/" in caller.principal_arn and duration_s > _HOUR_S:
        raise ServiceError(
            "ValidationError", f"{start} 1 hour session limit for roles assumed by role chaining."
        )
    if duration_s > int(longest_s):
        raise ServiceError("ValidationError", f"{start} MaxSessionDuration set for this role.")


def assume_role(
    role_arn: str, session_name: str, duration_s: int, carried: dict[str, str]
) -> tuple[str, str, str, float]:
    """Return new keys of a role: access key id, secret, session token, expiry. Changes moto's memory.

    The sandbox's own services call this for people who may have the role; clients go through sts:AssumeRole.
    The session carries some condition keys (in lower case, with their values) besides those of every session.
    """
    backend = sts_backends[role_arn.split(":")[4]]["aws"]
    session = backend.assume_role("us-east-1", session_name, role_arn, "", duration_s, "")
    vars(session)["sandbox_context"] = carried
    expires_at = session.expiration.replace(tzinfo=datetime.UTC).timestamp()
    return session.access_key_id, session.secret_access_key, session.session_token, expires_at


def _calling_user(response: Any, action: str) -> Any:
    key = iam_backends[response.current_account]["aws"].access_keys[response.get_access_key()]
    if key.user_name is None:
        raise access_denied(f"Cannot call {action} with session credentials")
    return iam_backends[response.current_account]["aws"].users[key.user_name]


def _issue(user: Any, duration_s: int, principal_arn: str, *, policy: str | None) -> AssumedRole:
    access_key = iam_backends[user.account_id]["aws"].create_temp_access_key()
    session = AssumedRole(
        account_id=user.account_id,
        region_name="us-east-1",
        access_key=access_key,
        role_session_name=user.name,
        role_arn=user.arn,
        policy=policy or "",
        duration=duration_s,
        external_id="",
    )
    vars(session)["sandbox_principal_arn"] = principal_arn  # moto itself knows sessions of roles only
    sts_backends[user.account_id]["aws"].assumed_roles.append(session)
    return session
