"""One request to moto: permission before it acts, state saved after it has acted."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from idc_sandbox.authorization import require_permission, require_trust
from idc_sandbox.aws_double import access_keys
from idc_sandbox.aws_double.application import call_moto
from idc_sandbox.aws_double.iam_resources import resource_arn
from idc_sandbox.aws_double.memory import Memory
from idc_sandbox.aws_double.moto_settings import current
from idc_sandbox.errors import ServiceError, access_denied
from idc_sandbox.messages import Request, Response

if TYPE_CHECKING:
    from idc_sandbox.authentication import Signature
    from idc_sandbox.aws_double.double import AwsDouble

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
_OBJECT_ACTIONS = ("s3:PutObject", "s3:DeleteObject")
_ALWAYS_ALLOWED = ("sts:GetCallerIdentity", "sts:GetSessionToken")
_ISSUING_OPERATIONS = ("GetSessionToken", "GetFederationToken")


class Exchange:
    """A request on its way through moto, inside the current transaction."""

    def __init__(
        self,
        double: AwsDouble,
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
            external_id = moto_response.querystring.get("ExternalId", [None])[0]
            require_trust(self._double, caller, role_arn, external_id=external_id)
            return
        if action.startswith("iam:"):
            resource = resource_arn(caller, action.removeprefix("iam:"), moto_response.querystring)
        elif action in _OBJECT_ACTIONS and "/" not in resource:
            resource = f"{resource}/*"  # many objects in one request
        require_permission(self._double, caller, action, resource=resource)
        source = self._request.headers.get("x-amz-copy-source")
        if action == "s3:PutObject" and source:
            source_arn = f"arn:aws:s3:::{unquote(source).lstrip('/').partition('?')[0]}"
            require_permission(self._double, caller, "s3:GetObject", resource=source_arn)

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
