"""One request to moto: permission before it acts, state saved after it has acted."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.authorization import (
    require_permission,
    require_permission_for_each,
    require_resource_policy,
    require_trust,
)
from idc_sandbox.aws_double import access_keys, access_policies, session_keys
from idc_sandbox.aws_double.application import call_moto
from idc_sandbox.aws_double.iam_resources import check_not_protected, check_parameters, resource_arns
from idc_sandbox.aws_double.memory import Memory
from idc_sandbox.aws_double.moto_settings import current
from idc_sandbox.aws_double.s3_permissions import bucket_of, needed_permissions
from idc_sandbox.context import AwsServices, Signature
from idc_sandbox.errors import ServiceError, access_denied
from idc_sandbox.messages import Request, Response

# What a service's operations change besides itself: keys of sessions and roles of new accounts live in iam.
_SAVED_WITH = {
    "iam": ("iam",),
    "sts": ("sts", "iam"),
    "organizations": ("organizations", "iam"),
    "s3": ("s3",),
}
_READING_VERBS = ("Get", "List", "Describe", "Simulate")
_READING_METHODS = ("GET", "HEAD", "OPTIONS")
# moto believes any assertion, and would hand out every role to whoever asks.
_NOT_OFFERED = {
    "sts:AssumeRoleWithSAML": "use sts:AssumeRole; the sandbox does not check assertions",
    "sts:AssumeRoleWithWebIdentity": "use sts:AssumeRole; the sandbox does not check web identities",
}
_ALWAYS_ALLOWED = ("sts:GetCallerIdentity", "sts:GetSessionToken")
_ISSUING_OPERATIONS = ("GetSessionToken", "GetFederationToken")


class Exchange:
    """A request on its way through moto, inside the current transaction."""

    def __init__(
        self,
        double: AwsServices,
        memory: Memory,
        connection: sqlite3.Connection,
        request: Request,
        signature: Signature,
    ) -> None:
        self._double = double
        self._memory = memory
        self._connection = connection
        self._request = request
        self._signature = signature
        self._changes = False
        self._was_authorized = False

    def run(self) -> Response:
        """Return moto's answer; what it changed is saved before.

        Raises
        ------
        ServiceError
            When the caller is not allowed to, or moto has no such operation.
        """
        caller = self._signature.caller
        current.account_id, current.access_key_id = caller.account_id, caller.access_key_id
        current.region, current.authorize = self._signature.region, self._authorize
        try:
            response = call_moto(self._request, self._signature)
        finally:
            current.authorize = None
        if not self._was_authorized and response.status < 300:
            self._memory.forget()
            raise access_denied("The sandbox does not know which permission this request needs.")
        if self._changes:
            self._save()
        return response

    def _authorize(self, action: str, moto_response: Any, resource: str) -> None:
        """Refuse what the caller may not do; moto calls this before it does anything."""
        self._was_authorized = True
        if action in _NOT_OFFERED:
            raise ServiceError(
                "AccessDenied", f"The sandbox does not offer {action}: {_NOT_OFFERED[action]}."
            )
        self._require(action, moto_response, resource)
        if self._is_change(action) and not self._changes:
            self._changes = True
            self._memory.begin_change(self._connection)

    def _require(self, action: str, moto_response: Any, resource: str) -> None:
        caller = self._signature.caller
        if action in _ALWAYS_ALLOWED:
            return
        if action == "sts:AssumeRole":
            role_arn = moto_response.querystring["RoleArn"][0]
            session_keys.check_policy(moto_response.querystring)
            external_id = moto_response.querystring.get("ExternalId", [None])[0]
            require_trust(self._double, caller, role_arn, external_id=external_id)
            session_keys.check_duration(caller, role_arn, moto_response.querystring)
            return
        if action == "sts:GetFederationToken":
            session_keys.check_policy(moto_response.querystring)
        if action.startswith("s3:"):
            for name, arn in needed_permissions(self._request, resource):
                require_permission(self._double, caller, name, resource=arn)
                self._require_owner(name, arn)
            return
        resources = [resource]
        if action.startswith("iam:"):
            check_parameters(action, moto_response.querystring)
            resources = resource_arns(caller, action.removeprefix("iam:"), moto_response.querystring)
            if self._is_change(action):
                check_not_protected(resources)
        require_permission_for_each(self._double, caller, action, resources)

    def _require_owner(self, action: str, arn: str) -> None:
        """Refuse what a caller's own account may allow, but the account whose bucket it is does not."""
        bucket = access_policies.find_bucket(bucket_of(arn))
        if bucket is not None and action != "s3:CreateBucket":
            caller, policy = self._signature.caller, bucket.policy
            is_own = bucket.account_id == caller.account_id
            require_resource_policy(self._double, caller, policy, action, arn, is_own=is_own)

    def _is_change(self, action: str) -> bool:
        service_name, _, name = action.partition(":")
        if service_name == "s3":
            return self._request.method not in _READING_METHODS
        return not name.startswith(_READING_VERBS) or name in _ISSUING_OPERATIONS

    def _save(self) -> None:
        service_name = self._signature.service_name
        if service_name == "sts":
            access_keys.forget_long_expired(self._double.now())
        self._memory.save(self._connection, *_SAVED_WITH[service_name])
