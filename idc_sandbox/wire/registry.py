"""Which function answers which operation, and how its lists are paged."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, parse_json
from idc_sandbox.wire.models import OperationModel, serialize, service_model, validate_request


@dataclass(frozen=True)
class Listing:
    """All items of a list, the keys that order them, and how an item is shown on its page."""

    items: Iterable[Any]
    order: Callable[[Any], str] = str
    shown: Callable[[Any], Any] = lambda item: item
    most_on_a_page: int = 100
    no_such_page: str = "ValidationException"  # the code of what refuses a token of another list

    def after(self, last_key: str | None, number: int) -> list[Any]:
        """Return at most so many items behind a key, in order; None: from the first."""
        ordered = sorted(self.items, key=self.order)
        return [item for item in ordered if last_key is None or self.order(item) > last_key][:number]


@dataclass(frozen=True)
class LongListing(Listing):
    """A list of which only a page is read; ``items`` is empty."""

    read: Callable[[str | None, int], list[Any]] = lambda _last_key, _number: []

    def after(self, last_key: str | None, number: int) -> list[Any]:
        """Return at most so many items behind a key, in order; None: from the first."""
        return self.read(last_key, number)


Handler = Callable[[Context, dict[str, Any]], dict[str, Any] | Listing | None]
_Handler = TypeVar("_Handler", bound=Handler)

_HANDLERS: dict[tuple[str, str], Handler] = {}

# The modules that answer a service's operations. Its first request imports them, so that no start waits for
# what nobody has asked; soon behind the first answers the server imports the rest of them.
_MODULES = {
    "sso-admin": (
        "api.sso_admin.instances",
        "api.sso_admin.permission_sets",
        "api.sso_admin.provisioning",
        "api.sso_admin.regions",
        "api.sso_admin.applications",
        "api.sso_admin.application_access",
    ),
    "identitystore": ("api.identity_store.operations",),
    "sso": ("api.portal",),
    "sso-oidc": (
        "api.oidc.clients",
        "api.oidc.authorizations",
        "api.oidc.tokens",
        "api.oidc.applications",
    ),
    "signin": ("api.signin.logins", "api.signin.login_tokens"),
    "account-access": ("api.account_access.access_applications",),
    "account-access-runtime": ("api.account_access.access_runtime",),
    "cloudtrail": ("trail.lookups",),
    "athena": ("athena.operations", "athena.metadata"),
    "glue": ("athena.metadata",),
}

MOTO_SERVICES = ("iam", "sts", "organizations", "s3")
SERVICES = (*_MODULES, *MOTO_SERVICES)  # all that are answered, by boto3's names

# JSON services name the operation in X-Amz-Target: PREFIX.Operation
SERVICE_OF_TARGET_PREFIX = {
    "SWBExternalService": "sso-admin",
    "AWSIdentityStore": "identitystore",
    "AmazonAthena": "athena",
    "AWSGlue": "glue",
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail",
}
# boto3's name -> the prefix of its IAM actions, which is its signing name but for the portal's
SIGNING_NAMES = {
    **{name: name for name in ("identitystore", "athena", "glue", "cloudtrail", "signin", "account-access")},
    "sso-admin": "sso",
    "sso": "sso",
    "sso-oidc": "sso-oauth",
    "account-access-runtime": "account-access",
}

_LET_IN_BY_OWN_POLICY: set[tuple[str, str]] = set()


def operation(
    service_name: str, operation_name: str, *, lets_in_by_own_policy: bool = False
) -> Callable[[_Handler], _Handler]:
    """Register the decorated function as the handler of an operation, in a module of ``_MODULES``."""
    if lets_in_by_own_policy:
        _LET_IN_BY_OWN_POLICY.add((service_name, operation_name))

    def register(handler: _Handler) -> _Handler:
        if (service_name, operation_name) in _HANDLERS:
            raise ValueError(f"{service_name}:{operation_name} has two handlers")
        _HANDLERS[service_name, operation_name] = handler
        return handler

    return register


@functools.cache
def _import_operations(service_name: str) -> None:
    # A module that another thread has begun to import is waited for: half of it would answer with a defect.
    for name in _MODULES[service_name]:
        importlib.import_module(f"idc_sandbox.{name}")


def handlers() -> Mapping[tuple[str, str], Handler]:
    """Return the handlers of all operations by service and operation; imports those that are not yet."""
    for service_name in _MODULES:
        _import_operations(service_name)
    return _HANDLERS


def is_let_in_by_own_policy(service_name: str, operation_name: str) -> bool:
    """Tell whether an operation is on what has a policy: its handler asks that, and the caller's policies."""
    _import_operations(service_name)
    return (service_name, operation_name) in _LET_IN_BY_OWN_POLICY


def target_prefix(service_name: str) -> str:
    """Return what stands before the operation's name in a service's ``X-Amz-Target``."""
    return next(prefix for prefix, name in SERVICE_OF_TARGET_PREFIX.items() if name == service_name)


def find_operation(target: str) -> tuple[str, OperationModel]:
    """Return service name and model of the operation that an ``X-Amz-Target`` header names."""
    prefix, _, operation_name = target.rpartition(".")
    service_name = SERVICE_OF_TARGET_PREFIX.get(prefix)
    if service_name is None or operation_name not in service_model(service_name).operation_names:
        raise ServiceError("UnknownOperationException", f"The operation {target!r} does not exist.")
    return service_name, service_model(service_name).operation_model(operation_name)


def call_operation(
    context: Context, service_name: str, model: OperationModel, request: Any
) -> dict[str, Any]:
    """Hold a request against the model, let its handler answer, and return the answer as JSON types."""
    validate_request(model, request)
    _import_operations(service_name)
    handler = _HANDLERS.get((service_name, model.name))
    if handler is None:
        raise ServiceError(
            "ValidationException",
            f"The sandbox does not answer {service_name}:{model.name} yet; AWS does. "
            "docs/sandbox.md says what it leaves out.",
        )
    answer = handler(replace(context, operation_name=model.name), request)
    if isinstance(answer, Listing):
        answer = _page(context, model, answer, request)
    return serialize(model.output_shape, answer or {}) or {}


def _page(
    context: Context, model: OperationModel, listing: Listing, request: dict[str, Any]
) -> dict[str, Any]:
    """Return the page that a request asks for, and the token of the next one, under the model's names."""
    members = model.output_shape.members if model.output_shape else {}
    items_name = next(name for name, shape in members.items() if shape.type_name == "list")
    is_capitalized = "NextToken" in members
    token_name, size_name = ("NextToken", "MaxResults") if is_capitalized else ("nextToken", "maxResults")
    last_key = None
    if given := request.get(token_name):
        last_key = _read_token(given, model.name, _digest(context, model, request), listing.no_such_page)
    size = min(int(request.get(size_name) or listing.most_on_a_page), listing.most_on_a_page)
    found = listing.after(last_key, size + 1)
    page = found[:size]
    token = None
    if len(found) > size:
        next_key = json.dumps([_digest(context, model, request), listing.order(page[-1])])
        token = base64.urlsafe_b64encode(next_key.encode()).decode()
    return {items_name: [listing.shown(item) for item in page], token_name: token}


def _digest(context: Context, model: OperationModel, request: dict[str, Any]) -> str:
    """Return what a token is good for: the same question of the same account; a person's token may be new."""
    shapes = model.input_shape.members if model.input_shape else {}
    asked = {
        name: value
        for name, value in request.items()
        if name.lower() not in ("nexttoken", "maxresults")
        and not (name in shapes and shapes[name].is_sensitive)
    }
    text = json.dumps([model.name, context.caller.account_id, asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_token(token: str, operation_name: str, digest: str, code: str) -> str:
    try:
        said, last_key = parse_json(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        said, last_key = None, None
    if said != digest or not isinstance(last_key, str):
        raise ServiceError(
            code,
            f"The NextToken {token[:40]!r} was not given by {operation_name} to your account for the same "
            "parameters; start over without one.",
        )
    return last_key
