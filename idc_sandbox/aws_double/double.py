"""moto's services as one durable double of AWS: a request, permission, moto's answer, state saved."""

from __future__ import annotations

import functools
import io
import json
import logging
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import unquote_to_bytes

from botocore.model import OperationNotFoundError

from idc_sandbox import store
from idc_sandbox.aws_double import accounts, moto_settings, s3
from idc_sandbox.aws_double.accounts import check_not_protected, check_parameters, resource_arns
from idc_sandbox.aws_double.administrator import (
    MANAGEMENT_ACCOUNT_ID,
    at_time,
    new_administrator,
    read_administrator,
    state_number,
)
from idc_sandbox.aws_double.memory import Memory
from idc_sandbox.aws_double.moto_settings import aws_managed_policy_arns, current, is_aws_managed_policy
from idc_sandbox.aws_double.s3 import bucket_of, needed_permissions
from idc_sandbox.context import AccessPolicies, AwsServices, Caller, IssuedKey, Signature
from idc_sandbox.errors import (
    Request,
    Response,
    SandboxStartError,
    ServiceError,
    access_denied,
    json_object,
    parse_json,
)
from idc_sandbox.organization import DEFAULT_ORGANIZATION
from idc_sandbox.store import Store
from idc_sandbox.wire.models import service_model, validate_request
from idc_sandbox.wire.permissions import (
    require_permission,
    require_resource_policy,
    require_trust,
)
from idc_sandbox.wire.protocols import form_values, is_for_service, operation_name
from idc_sandbox.wire.registry import MOTO_SERVICES, SERVICES
from idc_sandbox.wire.signatures import require_offered

# Requests to moto's services, held against AWS's models first; and what moto's own errors mean.

_HERE = str(Path(__file__).parent.parent)
_POLICIES = {"PolicyDocument", "AssumeRolePolicyDocument", "Policy", "Content"}
_INVALID = {"organizations": "InvalidInputException", "iam": "InvalidInput"}
logger = logging.getLogger(__name__)


def check_request(request: Request, service_name: str) -> None:
    """Refuse a request to organizations, iam or sts that breaks its operation's model."""
    if service_name == "s3":
        return  # its operations share paths; what is wrong shows in moto
    operation = service_model(service_name).operation_model(operation_name(request, service_name))
    if service_name == "organizations":
        values = json_object(request.body)
    else:
        shape = operation.input_shape
        values = form_values(shape, request.form) if shape else {}
    validate_request(operation, values)
    for name in _POLICIES & values.keys():
        _check_depth(values[name], service_name)


def _check_depth(document: str, service_name: str) -> None:
    """Refuse a policy that nothing could read again; moto refuses all others that are none."""
    try:
        parse_json(document)
    except ValueError as error:
        suffix = "Exception" if service_name == "organizations" else ""
        message = f"Syntax errors in policy. It is not JSON: {error}."
        raise ServiceError(f"MalformedPolicyDocument{suffix}", message) from None


def refusal_for(error: Exception, request: Request, service_name: str) -> ServiceError:
    """Return what AWS says to a request of which moto makes an error that it did not mean to."""
    if _is_ours(error.__traceback__):
        raise error  # a defect of the sandbox's
    logger.warning("moto's %s could not read a request", service_name, exc_info=error)
    reason = "The sandbox could not read the request as one of this operation"
    if service_name != "s3":
        code = _INVALID.get(service_name, "ValidationError")
        return ServiceError(code, f"{reason}: check its parameters ({type(error).__name__}).")
    if request.body.lstrip()[:1] == b"<" or type(error).__name__ == "ExpatError":
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        return ServiceError("MalformedXML", message)
    return ServiceError("InvalidArgument", f"{reason}: check its query and headers ({type(error).__name__}).")


def _is_ours(traceback: TracebackType | None) -> bool:
    """Tell whether an error arose in the sandbox's code, and not in moto's that it called."""
    ours = False
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name.startswith(_HERE):
            ours = True
        elif "/moto/" in name:
            ours = False
        traceback = traceback.tb_next
    return ours


_NOT_PASSED_ON = {"content-type", "content-length", "transfer-encoding", "connection", "authorization"}
_METADATA = "x-amz-meta-"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def call_moto(request: Request, signature: Signature) -> Response:
    """Send a request to the moto service that its signature names."""
    from werkzeug.test import run_wsgi_app  # noqa: PLC0415  Flask's, which is not there before

    application = _application(signature.service_name)
    try:
        body, status, headers = run_wsgi_app(application, _environ(request, signature), buffered=True)
    except (NotImplementedError, ImportError, OperationNotFoundError) as error:
        raise ServiceError(
            "UnknownOperationException",
            f"The sandbox's {signature.service_name} does not have this operation: {error}. "
            "It is moto's; docs/sandbox.md says where to look what moto has.",
        ) from error
    except (ServiceError, sqlite3.Error, SandboxStartError):
        raise
    except Exception as error:
        raise refusal_for(error, request, signature.service_name) from error
    return Response(int(status[:3]), dict(headers), b"".join(body))


def prepare_applications() -> None:
    """Make what the first request to each of moto's services would wait for."""
    for service_name in MOTO_SERVICES:
        _application(service_name)


@functools.cache
def _application(service_name: Any) -> Any:
    from moto.moto_server import werkzeug_app  # noqa: PLC0415  Flask is not needed before the first request

    werkzeug_app.DISABLE_GLOBAL_CORS = True  # no page of another origin may read answers
    return werkzeug_app.create_backend_app(service_name)


def _environ(request: Request, signature: Signature) -> dict[str, Any]:
    """Return a request as WSGI has it."""
    # A signed URL has no such header, and moto looks only there for what the sandbox has found.
    scope = f"{signature.caller.access_key_id}/20200101/{signature.region}/{signature.service_name}"
    return _empty_environ() | {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": request.path + (f"?{request.query}" if request.query else ""),
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": _content_type(request, signature.service_name),
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        **_header_variables(request.headers),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host, "
        "Signature=checked",
    }


@functools.cache
def _empty_environ() -> dict[str, Any]:
    from werkzeug.test import create_environ  # noqa: PLC0415

    return create_environ()  # made once: it takes longer than all that is put in its place


def _content_type(request: Request, service_name: str) -> str:
    """Return the type of the body; S3 has no forms here, and moto would take their fields for the query's."""
    content_type = request.headers.get("content-type", "")
    is_form = content_type.partition(";")[0].strip().lower() in _FORMS
    return "" if service_name == "s3" and is_form and request.method != "PUT" else content_type


def _header_variables(headers: dict[str, str]) -> dict[str, Any]:
    """Return headers as WSGI has them; moto wants to know which had an underscore, which WSGI cannot tell."""
    # Such a header is passed on with an object's metadata only: elsewhere it would pass for one with a
    # hyphen, which is signed and looked at before.
    passed_on = {
        name: value
        for name, value in headers.items()
        if name not in _NOT_PASSED_ON and ("_" not in name or name.startswith(_METADATA))
    }
    variables = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in passed_on}
    with_underscore = {variables[name]: name for name in passed_on if "_" in name}
    return {
        **{variables[name]: value for name, value in passed_on.items()},
        "moto.preserved_header_names": with_underscore,
    }


# What a service's operations change besides itself: keys of sessions and roles of new accounts live in iam.
_SAVED_WITH = {"sts": ("sts", "iam"), "organizations": ("organizations", "iam")}
_READING_VERBS = ("Get", "List", "Describe", "Simulate")
_READING_METHODS = ("GET", "HEAD", "OPTIONS")
_ALWAYS_ALLOWED = ("sts:GetCallerIdentity", "sts:GetSessionToken")
_ISSUING_OPERATIONS = ("GetSessionToken", "GetFederationToken")


@dataclass
class Exchange:
    """A request on its way through moto, inside the current transaction."""

    double: AwsServices
    memory: Memory
    connection: sqlite3.Connection
    request: Request
    signature: Signature
    changes: bool = False
    was_authorized: bool = False

    def run(self) -> Response:
        """Return moto's answer; what it changed is saved before."""
        caller = self.signature.caller
        current.account_id, current.access_key_id = caller.account_id, caller.access_key_id
        current.region, current.authorize = self.signature.region, self._authorize
        try:
            response = call_moto(self.request, self.signature)
        finally:
            current.authorize = None
        if not self.was_authorized and response.status < 300:
            self.memory.forget()
            raise access_denied("The sandbox does not know which permission this request needs.")
        if self.changes:
            service_name = self.signature.service_name
            if service_name == "sts":
                accounts.forget_long_expired(self.double.now())
            names = _SAVED_WITH.get(service_name, (service_name,))
            account_id = caller.account_id if service_name == "iam" else None
            self.memory.save(self.connection, *names, account_id=account_id)
        return response

    def _authorize(self, action: str, moto_response: Any, resource: str) -> None:
        """Refuse what the caller may not do; moto calls this before it does anything."""
        self.was_authorized = True
        require_offered(action)
        self._require(action, moto_response, resource)
        if self._is_change(action) and not self.changes:
            self.changes = True
            self.memory.begin_change(self.connection, self.signature.service_name)

    def _require(self, action: str, moto_response: Any, resource: str) -> None:
        caller = self.signature.caller
        if action in _ALWAYS_ALLOWED:
            return
        if action == "sts:AssumeRole":
            role_arn = moto_response.querystring["RoleArn"][0]
            moto_settings.check_policy(moto_response.querystring)
            external_id = moto_response.querystring.get("ExternalId", [None])[0]
            require_trust(self.double, caller, role_arn, external_id=external_id)
            moto_settings.check_duration(caller, role_arn, moto_response.querystring)
            return
        if action == "sts:GetFederationToken":
            moto_settings.check_policy(moto_response.querystring)
        if action.startswith("s3:"):
            for name, arn in needed_permissions(self.request, resource):
                require_permission(self.double, caller, name, arn)
                self._require_owner(name, arn)
            return
        resources = [resource]
        if action.startswith("iam:"):
            check_parameters(action, moto_response.querystring)
            resources = resource_arns(caller, action.removeprefix("iam:"), moto_response.querystring)
            if self._is_change(action):
                check_not_protected(resources)
        require_permission(self.double, caller, action, *resources)

    def _require_owner(self, action: str, arn: str) -> None:
        """Refuse what a caller's own account may allow, but the account whose bucket it is does not."""
        bucket = s3.find_bucket(bucket_of(arn))
        if bucket is not None and action != "s3:CreateBucket":
            caller, policy = self.signature.caller, bucket.policy
            is_own = bucket.account_id == caller.account_id
            require_resource_policy(self.double, caller, policy, action, arn, is_own=is_own)

    def _is_change(self, action: str) -> bool:
        service_name, _, name = action.partition(":")
        if service_name == "s3":
            return self.request.method not in _READING_METHODS
        return not name.startswith(_READING_VERBS) or name in _ISSUING_OPERATIONS


P = ParamSpec("P")
R = TypeVar("R")


def _reading(read: Callable[P, R]) -> Callable[Concatenate[AwsDouble, P], R]:
    """Return a method that reads moto's memory once it is that of the state file."""

    def method(self: AwsDouble, *arguments: P.args, **options: P.kwargs) -> R:
        self._synchronize()
        return read(*arguments, **options)

    return method


def _changing(
    change: Callable[P, R], service_name: str, ids: str = "double_request"
) -> Callable[Concatenate[AwsDouble, P], R]:
    """Return a method that changes the memory of one of moto's services, and saves it. Writes."""

    def method(self: AwsDouble, *arguments: P.args, **options: P.kwargs) -> R:
        account_id = str(arguments[0]) if service_name == "iam" else None
        with (
            self.store.transaction() as connection,
            self._memory.change(connection, service_name, account_id=account_id, ids=ids),
        ):
            return change(*arguments, **options)

    return method


class AwsDouble:
    """moto's sts, iam, organizations and s3 behind the sandbox's port; has what `AwsServices` says."""

    management_account_id = MANAGEMENT_ACCOUNT_ID
    is_managed_policy = staticmethod(is_aws_managed_policy)
    aws_managed_policies = staticmethod(aws_managed_policy_arns)
    is_loaded = True
    prepare = staticmethod(prepare_applications)
    account_ids = _reading(accounts.active_account_ids)
    closed_account_ids = _reading(accounts.closed_account_ids)
    describe_account = _reading(accounts.describe_account)
    delegated_administrators = _reading(accounts.delegated_administrators)
    administrator_credentials = _reading(accounts.administrator_key)
    trust_document = _reading(accounts.trust_document)
    longest_session_s = _reading(accounts.longest_session_s)
    has_trusted_access = _reading(accounts.has_trusted_access)
    login_profile = _reading(moto_settings.login_profile)
    customer_managed_policy_exists = _reading(accounts.customer_managed_policy_exists)
    list_reserved_roles = _reading(accounts.reserved_role_names)
    bucket_owner = _reading(s3.bucket_owner)
    list_objects = _reading(s3.list_objects)
    read_object = _reading(s3.read_stored_object)
    organization_id = _reading(accounts.organization_id)
    # What AWS's services keep in S3 by themselves shifts nobody's ids.
    create_trail_bucket = _changing(s3.create_trail_bucket, "s3", ids="service_object")
    put_trail_objects = _changing(s3.put_trail_objects, "s3", ids="service_object")
    enable_trusted_access = _changing(accounts.enable_trusted_access, "organizations")
    put_reserved_role = _changing(accounts.put_reserved_role, "iam")
    delete_reserved_role = _changing(accounts.delete_reserved_role, "iam")

    def __init__(self, store: Store) -> None:
        moto_settings.apply()
        self.store = store
        self._memory = Memory(store.seed)
        self._synchronize()

    def handle(self, request: Request, signature: Signature) -> Response:
        """Answer a request with moto, and save what it changed in the current transaction."""
        if signature.service_name not in MOTO_SERVICES:
            raise ServiceError(
                "UnknownOperationException",
                f"The sandbox does not answer the service {signature.service_name!r}; it answers "
                f"{', '.join(SERVICES)}.",
            )
        if not is_for_service(request, signature.service_name):
            raise ServiceError(
                "UnknownOperationException",
                f"The request names no operation of {signature.service_name}.",
            )
        check_request(request, signature.service_name)
        with self.store.transaction() as connection:
            self._synchronize()
            return Exchange(self, self._memory, connection, request, signature).run()

    def forget(self) -> None:
        """Give up what memory holds: the state file holds something else now."""
        self._memory.forget()

    def access_policies(self, caller: Caller) -> AccessPolicies:
        """Return the policies that decide what a caller may do."""
        self._synchronize()
        return at_time(self._memory.recall(accounts.collect, caller), self.now())

    def secret_of(self, access_key_id: str) -> IssuedKey | None:
        """Return an issued access key, expired ones included; None when it is unknown or inactive."""
        self._synchronize()
        return self._memory.recall(accounts.find_key, access_key_id)

    def require_objects(self, caller: Caller, action: str, bucket: str, keys: list[str]) -> None:
        """Return when a caller may do something with each of these objects of S3, or with the bucket."""
        self._synchronize()
        s3.require_objects(self, caller, action, bucket, keys)

    def now(self) -> float:
        """Return the sandbox's time, epoch seconds."""
        return self.store.now()

    def assume_reserved_role(
        self, account_id: str, role_name: str, *, session_name: str, duration_s: int, carried: dict[str, str]
    ) -> tuple[str, str, str, float] | None:
        """Return keys of a permission set's role, or None when the account has no such role. Writes."""
        with self.store.transaction() as connection:
            self._synchronize()
            role_arn = accounts.find_role_arn(account_id, role_name)
            if role_arn is None:
                return None
            with self._memory.change(connection, "sts", "iam"):
                accounts.forget_long_expired(self.now())
                return moto_settings.assume_role(role_arn, session_name, duration_s, carried)

    def issue_user_keys(
        self, account_id: str, user_name: str, duration_s: int
    ) -> tuple[str, str, str, float] | None:
        """Return temporary keys of an IAM user, or None when the account has no such user. Writes."""
        with self.store.transaction() as connection:
            self._synchronize()
            with self._memory.change(connection, "sts", "iam"):
                return moto_settings.issue_user_keys(account_id, user_name, duration_s)

    def _synchronize(self) -> None:
        with self.store.transaction() as connection:
            self._memory.synchronize(connection)
            if state_number(connection) == 0:  # a new state, or one whose first transaction was rolled back
                self._begin(connection)

    def _begin(self, connection: sqlite3.Connection) -> None:
        administrator = read_administrator(connection) or new_administrator(self.store.seed)
        kept = store.kept_organization(connection)
        organization = json.loads(kept) if kept else DEFAULT_ORGANIZATION
        with self._memory.change(connection, *MOTO_SERVICES):
            accounts.create_organization(organization)
            accounts.create_administrator(administrator)
