"""Which function answers which operation.

A handler is registered by decorating it; importing the service's package is enough to make it known::

    @operation("sso-admin", "CreatePermissionSet")
    def create_permission_set(context, request): ...

The request has been held against the service model before the handler sees it; the answer is shaped by the
model after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.model_validation import serialize, service_model, validate_request
from idc_sandbox.service_models import OperationModel

Handler = Callable[[Context, dict[str, Any]], dict[str, Any] | None]

_HANDLERS: dict[tuple[str, str], Handler] = {}

# JSON services name the operation in X-Amz-Target: PREFIX.Operation
SERVICE_OF_TARGET_PREFIX = {"SWBExternalService": "sso-admin", "AWSIdentityStore": "identitystore"}


def operation(service_name: str, operation_name: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of an operation."""

    def register(handler: Handler) -> Handler:
        if (service_name, operation_name) in _HANDLERS:
            raise ValueError(f"{service_name}:{operation_name} has two handlers")
        _HANDLERS[service_name, operation_name] = handler
        return handler

    return register


def find_operation(target: str) -> tuple[str, OperationModel]:
    """Return service name and model of the operation that an ``X-Amz-Target`` header names.

    Raises
    ------
    ServiceError
        ``UnknownOperationException`` when the model knows no such operation.
    """
    prefix, _, operation_name = target.partition(".")
    service_name = SERVICE_OF_TARGET_PREFIX.get(prefix)
    if service_name is None or operation_name not in service_model(service_name).operation_names:
        raise ServiceError("UnknownOperationException", f"The operation {target!r} does not exist.")
    return service_name, service_model(service_name).operation_model(operation_name)


def call_operation(
    context: Context, service_name: str, model: OperationModel, request: Any
) -> dict[str, Any]:
    """Validate a request, let its handler answer, and return the answer as JSON types.

    Raises
    ------
    ServiceError
        As the operation's model and rules say; an operation that the sandbox does not have yet is a
        ``ValidationException`` that says so, because every operation models that one.
    """
    validate_request(model, request)
    handler = _HANDLERS.get((service_name, model.name))
    if handler is None:
        raise ServiceError(
            "ValidationException",
            f"The sandbox does not answer {service_name}:{model.name} yet; AWS does. "
            "What it answers is listed in docs/sandbox.md.",
        )
    return serialize(model.output_shape, handler(context, request) or {}) or {}


def implemented_operations(service_name: str) -> list[str]:
    """Return the names of the operations of a service that have a handler, sorted."""
    return sorted(name for service, name in _HANDLERS if service == service_name)
