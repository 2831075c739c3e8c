"""One AWS request in, one answer out: who signed it, its rate, its service, and what that service says."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import idc_sandbox.api.identity_store
import idc_sandbox.api.oidc
import idc_sandbox.api.portal
import idc_sandbox.api.sso_admin  # noqa: F401  importing a service's package registers its operations
from idc_sandbox import switches
from idc_sandbox.api.sso_admin.provisioning import settle_due_requests
from idc_sandbox.context import AwsServices, Caller, Context
from idc_sandbox.errors import (
    DISK_FULL,
    LastingRefusal,
    Request,
    Response,
    ServiceError,
    is_disk_full,
    json_object,
)
from idc_sandbox.store import IdFactory, Store
from idc_sandbox.wire import protocols, registry
from idc_sandbox.wire.models import service_model
from idc_sandbox.wire.permissions import require_permission, resources_of
from idc_sandbox.wire.protocols import (
    RestOperation,
    json_response,
    operation_name,
    service_error_response,
    with_request_id,
)
from idc_sandbox.wire.signatures import authenticate, has_signed_head

_WINDOW_S = 1.0


class RateLimiter:
    """AWS's limit of requests a second, for drills: sso-admin's together, others by operation."""

    def __init__(self, requests_per_second: int) -> None:
        self.requests_per_second = requests_per_second
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, service_name: str, operation_name: str) -> None:
        """Count a request, or refuse it."""
        if not self.requests_per_second:
            return
        is_shared = service_name == "sso-admin"
        with self._lock:
            taken = self._taken[service_name if is_shared else f"{service_name}:{operation_name}"]
            now = time.monotonic()
            while taken and taken[0] <= now - _WINDOW_S:
                taken.popleft()
            if len(taken) < self.requests_per_second:
                taken.append(now)
                return
        raise ServiceError(
            "ThrottlingException",
            f"Rate exceeded. More than {self.requests_per_second} requests in a second: wait, and try again.",
            RetryAfterSeconds=None if is_shared else 1,
        )


HOME_REGION = "us-east-1"
IAM_PREFIX_OF_SERVICE = {"sso-admin": "sso", "identitystore": "identitystore"}
logger = logging.getLogger(__name__)


class Gateway:
    """Answers AWS requests from one store and one double."""

    site_url = "http://localhost"

    def __init__(self, store: Store, double: AwsServices) -> None:
        self.store = store
        self.double = double
        self._seed = store.seed
        kept = self.read_switches()
        self.latency_s: float = kept["latency_s"]
        self._limiter = RateLimiter(kept["requests_per_second"])

    def handle(self, request: Request) -> Response:
        """Answer a request; a refusal, even for a defect of ours, is one in the protocol that was spoken."""
        # One transaction holds everything that a request changes, moto's memory included. What must outlive a
        # refused request is kept before it: asynchronous requests that have come due, and counted faults.
        rest = protocols.find_rest_operation(request)
        try:
            answer = self._answer(request) if rest is None else self._answer_rest(request, rest)
            return with_request_id(answer)
        except ServiceError as error:
            refusal = error
        except Exception as error:
            target = request.headers.get("x-amz-target", "")
            logger.exception("defect while answering %s %s %s", request.method, request.path, target)
            message = "The sandbox has a defect here; its log, server.log in its state folder, says more."
            refusal = ServiceError("InternalServerException", DISK_FULL if is_disk_full(error) else message)
        if rest is not None:
            return protocols.rest_error_response(refusal, rest)
        return service_error_response(refusal, request)

    def is_ours(self, head: Request) -> bool:
        """Tell by a request's head whether it is signed with a key that the sandbox has issued."""
        with self.store.transaction():
            return has_signed_head(head, self.double)

    @contextmanager
    def visit(self, site_url: str | None = None, browser: str = "") -> Iterator[Context]:
        """Yield a context for somebody at the pages, who has signed nothing: one transaction."""
        account_id = self.double.management_account_id
        visitor = Caller(account_id, f"arn:aws:iam::{account_id}:anonymous", "")
        self._settle(visitor, HOME_REGION)
        with self.store.transaction() as connection:
            context = self._context(connection, visitor, HOME_REGION)
            yield replace(context, site_url=site_url or self.site_url, browser=browser)

    def console(
        self, method: str, path: str, body: dict[str, Any], *, region: str = "us-east-1"
    ) -> dict[str, Any]:
        """Do in the management account what at AWS only the console can, and return what it would show."""
        # pydantic comes with the console: only who uses it waits for that, not every start of the sandbox.
        from idc_sandbox.api import console  # noqa: PLC0415

        account_id = self.double.management_account_id
        key, _ = self.double.administrator_credentials()
        caller = Caller(account_id, f"arn:aws:iam::{account_id}:user/sandbox-administrator", key)
        self._settle(caller, region)
        with self.store.transaction() as connection:
            context = replace(self._context(connection, caller, region), site_url=self.site_url)
            return console.handle(context, method, path, body)

    def call(
        self, context: Context, service_name: str, operation_name: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        """Answer an operation of Identity Center for the context's caller, who must be allowed to ask."""
        model = service_model(service_name).operation_model(operation_name)
        action = f"{IAM_PREFIX_OF_SERVICE[service_name]}:{operation_name}"
        resources = resources_of(context.connection, context.caller, service_name, operation_name, request)
        require_permission(self.double, context.caller, action, *resources)
        return registry.call_operation(context, service_name, model, request)

    def read_switches(self) -> dict[str, Any]:
        """Return the switches for tests and lessons."""
        with self.store.transaction() as connection:
            return switches.read_switches(connection)

    def write_switches(self, values: Any) -> dict[str, Any]:
        """Set switches, as `switches.write_switches` says."""
        with self.store.transaction() as connection:
            written = switches.write_switches(connection, values)
        self.latency_s = written["latency_s"]
        self._limiter.requests_per_second = written["requests_per_second"]
        return written

    def _answer(self, request: Request) -> Response:
        target = request.headers.get("x-amz-target", "")
        with self.store.transaction() as connection:
            signature = authenticate(request, self.double)
            context = self._context(connection, signature.caller, signature.region)
            settle_due_requests(context)
            self.store.keep()
            if target.partition(".")[0] not in registry.SERVICE_OF_TARGET_PREFIX:
                self._raise_fault(request, signature.service_name)
                return self.double.handle(request, signature)
            service_name, model = registry.find_operation(target)
            self._limiter.take(service_name, model.name)
            self._raise_fault(request, service_name)
            return json_response(self.call(context, service_name, model.name, json_object(request.body)))

    def _answer_rest(self, request: Request, rest: RestOperation) -> Response:
        """Answer one of the operations that a person's client calls, nearly all of them unsigned."""
        self._raise_fault(request, rest.service_name, rest.model.name)
        if rest.is_signed:
            with self.store.transaction():
                caller = authenticate(request, self.double, rest.iam_prefix).caller
                require_permission(self.double, caller, f"{rest.iam_prefix}:{rest.model.name}")
        refusal: LastingRefusal | None = None
        with self.visit() as context:
            try:
                answer = protocols.call_rest_operation(context, rest, request)
            except LastingRefusal as error:
                refusal = error
        if refusal is not None:
            raise refusal
        return protocols.response(answer)

    def _settle(self, caller: Caller, region: str) -> None:
        with self.store.transaction() as connection:
            settle_due_requests(self._context(connection, caller, region))

    def _raise_fault(self, request: Request, service_name: str, name: str | None = None) -> None:
        with self.store.transaction() as connection:
            if not switches.read_switch(connection, "faults"):  # spares the common call the rest
                return
            fault = switches.next_fault(
                connection, service_name, name or operation_name(request, service_name)
            )
            self.store.keep()
        if fault is not None:
            raise fault

    def _context(self, connection: sqlite3.Connection, caller: Caller, region: str) -> Context:
        return Context(connection, caller, region, IdFactory(connection, self._seed), self.double)
