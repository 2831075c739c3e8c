"""One AWS request in, one answer out: who signed it, which service it is for, and what that service says.

The gateway knows nothing of sockets: the server gives it method, path, headers and body, and tests do the same.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import idc_sandbox.api.identity_store
import idc_sandbox.api.sso_admin  # noqa: F401  importing a service's package registers its operations
from idc_sandbox.api import registry
from idc_sandbox.authentication import authenticate
from idc_sandbox.authorization import require_permission
from idc_sandbox.aws_double import AwsDouble
from idc_sandbox.context import Caller, Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.identifiers import IdFactory
from idc_sandbox.provisioning import settle_due_requests
from idc_sandbox.store import Store
from idc_sandbox.switches import next_fault

JSON_CONTENT_TYPE = "application/x-amz-json-1.1"
IAM_PREFIX_OF_SERVICE = {"sso-admin": "sso", "identitystore": "identitystore"}


@dataclass(frozen=True)
class Request:
    """An HTTP request, headers with lowercase names, body whole."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Response:
    """An HTTP answer, body whole."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


class Gateway:
    """Answers AWS requests from one store and one double."""

    def __init__(self, store: Store, double: AwsDouble) -> None:
        self.store = store
        self.double = double

    def handle(self, request: Request) -> Response:
        """Answer a request; every refusal is an answer in the protocol of the service that was meant.

        One transaction holds everything that a request changes, moto's memory included.
        """
        try:
            with self.store.transaction() as connection:
                signature = authenticate(request, self.double)
                settle_due_requests(self._context(connection, signature.caller, signature.region))
                service_name = signature.service_name
                target = request.headers.get("x-amz-target", "")
                if target.partition(".")[0] not in registry.SERVICE_OF_TARGET_PREFIX:
                    return self.double.handle(request, signature)
                service_name, model = registry.find_operation(target)
                fault = next_fault(connection, service_name, model.name)
                if fault is not None:
                    raise fault
                require_permission(self.double, signature.caller, f"{IAM_PREFIX_OF_SERVICE[service_name]}:{model.name}")
                return self._call(connection, signature.caller, signature.region, service_name, model, request.body)
        except ServiceError as error:
            return error_response(error, request)

    def _context(self, connection: Any, caller: Caller, region: str) -> Context:
        return Context(connection, caller, region, IdFactory(connection, self.store.seed), self.double)
