"""Access keys: the administrator's, and those that moto has issued."""

from __future__ import annotations

import datetime
from typing import Any

from moto.iam.models import AccessKey, iam_backends
from moto.sts.models import sts_backends

from idc_sandbox.aws_double.administrator import ADMINISTRATOR_NAME, Administrator
from idc_sandbox.context import Caller, IssuedKey

_ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
# An expired session is remembered for this long, so that its user reads "expired" and not "unknown".
_EXPIRED_KEPT_S = 7 * 86_400.0


def create_administrator(account_id: str, administrator: Administrator) -> None:
    """Make the IAM user whose key opens the sandbox. Changes moto's memory."""
    backend = iam_backends[account_id]["aws"]
    backend.create_user("us-east-1", ADMINISTRATOR_NAME)
    user = backend.get_user(ADMINISTRATOR_NAME)
    user.id = administrator.user_id
    backend.managed_policies[_ADMINISTRATOR_POLICY].attach_to(user)
    key = backend.create_access_key(ADMINISTRATOR_NAME, prefix="AKIA")
    del backend.access_keys[key.access_key_id]
    key.access_key_id, key.secret_access_key = administrator.access_key_id, administrator.secret
    backend.access_keys[key.access_key_id] = key


def administrator_key(account_id: str) -> tuple[str, str]:
    """Return access key id and secret of the administrator.

    Raises
    ------
    LookupError
        When somebody has deleted the administrator or its key.
    """
    user = iam_backends[account_id]["aws"].users.get(ADMINISTRATOR_NAME)
    if user is None or not user.access_keys:
        raise LookupError(
            f"the IAM user {ADMINISTRATOR_NAME!r} or its access key was deleted from account {account_id!r}. "
            "Start over with `idc sandbox reset`."
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
    """Drop sessions that expired long ago, so that state does not grow for ever. Changes moto's memory."""
    for account_id, partitions in list(sts_backends.items()):
        for backend in partitions.values():
            gone = [role for role in backend.assumed_roles if _epoch(role.expiration) < now - _EXPIRED_KEPT_S]
            for role in gone:
                backend.assumed_roles.remove(role)
                iam_backends[account_id]["aws"].access_keys.pop(role.access_key_id, None)


def find_issued_session(access_key_id: str, account_id: str) -> Any:
    """Return moto's session (AssumedRole) of a temporary key, or None."""
    return sts_backends[account_id]["aws"].get_assumed_role_from_access_key(access_key_id)


def _user_key(account_id: str, key: AccessKey) -> IssuedKey | None:
    user = iam_backends[account_id]["aws"].users.get(key.user_name or "")
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
    return IssuedKey(session.secret_access_key, session.session_token, caller, _epoch(session.expiration))


def _epoch(moment: datetime.datetime) -> float:
    return moment.replace(tzinfo=datetime.UTC).timestamp()
