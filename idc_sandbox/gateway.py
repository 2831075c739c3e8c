"""One AWS request in, one answer out: who signed it, its rate, its service, and what that service says."""

from __future__ import annotations

import functools
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from idc_sandbox import switches
from idc_sandbox.context import AwsServices, Caller, Context, Origin, Signature, administrator_of
from idc_sandbox.errors import (
    DISK_FULL,
    FORM_CONTENT_TYPE,
    FetchFirst,
    LastingRefusal,
    Request,
    Response,
    ServiceError,
    is_disk_full,
    json_object,
    not_found,
    validation_error,
)
from idc_sandbox.store import IdFactory, Store
from idc_sandbox.trail.feed import MOST_WAITING, Feed, deliver_due
from idc_sandbox.trail.people import from_console
from idc_sandbox.trail.records import Attempt, is_data_event, origin_of
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

if TYPE_CHECKING:
    from idc_sandbox.athena.queue import Queries

HOME_REGION = "us-east-1"
NOWHERE = Origin()
_SEES_THE_BUCKET = ("s3", "athena", "cloudtrail")
_LATE_SERVICES = ("athena", "glue")
_QUICK_TARGETS = ("AWSIdentityStore.", "SWBExternalService.", "AWSOrganizationsV20161128.")
_QUICK_BODY = 64 * 1024
_MOST_CHECKPOINTS = 20
logger = logging.getLogger(__name__)


def _is_quick(request: Request) -> bool:
    """Tell whether a request is neither about objects or queries, nor one for which something is fetched."""
    target = request.headers.get("x-amz-target")
    if target is not None:
        return target.startswith(_QUICK_TARGETS)
    return request.path == "/" and request.headers.get("content-type", "").startswith(FORM_CONTENT_TYPE)


# Whether anything is begun that `provisioning.settle_due_requests` would end: most calls find nothing.
_IS_BEGUN = """
    SELECT EXISTS (SELECT 1 FROM asynchronous_request WHERE status = 'IN_PROGRESS')
        OR EXISTS (SELECT 1 FROM instance WHERE status = 'CREATE_IN_PROGRESS')
        OR EXISTS (SELECT 1 FROM instance_region WHERE status <> 'ACTIVE')
"""


def _settle_due_requests(context: Context) -> None:
    """Complete every asynchronous request that is due. Writes."""
    if context.value(_IS_BEGUN):
        from idc_sandbox.api.sso_admin import provisioning  # noqa: PLC0415  no start waits for it

        provisioning.settle_due_requests(context)


class Checkpoints:
    """States to go back to by name, in memory: a test begins afresh in milliseconds, without a start."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._copies: dict[str, sqlite3.Connection] = {}

    def keep(self, name: str) -> None:
        """Keep the state as it is now, in place of an earlier one of this name."""
        if not re.fullmatch("[a-z0-9-]{1,64}", name):
            raise validation_error(
                f"{name[:80]!r} is no name of a checkpoint: 1 to 64 lowercase letters, digits and hyphens."
            )
        if name not in self._copies and len(self._copies) >= _MOST_CHECKPOINTS:
            raise validation_error(
                f"There are {_MOST_CHECKPOINTS} checkpoints already: use one of their names again."
            )
        # Pages are copied by SQLite's own means, in one step each way; the second is one transaction.
        copy = self._copies.setdefault(name, sqlite3.connect(":memory:", check_same_thread=False))
        with self._store.alone() as connection:
            connection.backup(copy)

    def go_back(self, name: str) -> None:
        """Make the state again what it was; what was written since is gone. Writes."""
        if name not in self._copies:
            kept = ", ".join(sorted(self._copies)) or "none"
            raise not_found(f"There is no checkpoint {name[:80]!r} to go back to; kept are: {kept}.")
        with self._store.alone() as connection:
            self._copies[name].backup(connection)


class Gateway:
    """Answers AWS requests from one store and one double."""

    site_url = "http://localhost"

    def __init__(self, store: Store, double: AwsServices) -> None:
        self.store = store
        self.double = double
        self._checkpoints = Checkpoints(store)
        self._take_over()

    def _take_over(self) -> None:
        """Take from the state what is held in memory beside it."""
        self._seed = self.store.seed
        kept = self.read_switches()
        self.latency_s: float = kept["latency_s"]
        self._limiter = switches.RateLimiter(kept["requests_per_second"])
        self.feed = Feed(self.store, self.double, is_on=kept["trail"])

    @functools.cached_property
    def queries(self) -> Queries:
        """Athena's queries; who asks Athena or Glue first waits for their module, not every start."""
        from idc_sandbox.athena.queue import Queries  # noqa: PLC0415

        return Queries(self.store, self.double)

    def handle(self, request: Request) -> Response:
        """Answer a request; a refusal, even for a defect of ours, is one in the protocol that was spoken."""
        # One transaction holds everything that a request changes, moto's memory and its event in the trail
        # included. What must outlive a refused request is kept before it: asynchronous requests that have
        # come due, and counted faults; or comes behind it: the event of the refusal.
        rest = protocols.find_rest_operation(request)
        attempt = Attempt(request, rest)
        try:
            return self._answer(attempt) if rest is None else self._answer_rest(attempt, rest)
        except ServiceError as error:
            refusal = error
        except Exception as error:
            target = request.headers.get("x-amz-target", "")
            logger.exception("defect while answering %s %s %s", request.method, request.path, target)
            message = "The sandbox has a defect here; its log, server.log in its state folder, says more."
            refusal = ServiceError("InternalServerException", DISK_FULL if is_disk_full(error) else message)
        if rest is not None:
            answer = protocols.rest_error_response(refusal, rest)
        else:
            answer = service_error_response(refusal, request)
        return self._refused(attempt, answer)

    def handle_at_once(self, request: Request) -> Response | None:
        """Answer a request that takes no longer than its way to another thread would; None for others."""
        # While moto is being loaded, or somebody else is in a transaction, the caller would hear nobody.
        if len(request.body) > _QUICK_BODY or not self.double.is_loaded or not _is_quick(request):
            return None
        if not self.store.try_to_hold():
            return None
        try:
            return self.handle(request)
        finally:
            self.store.let_go()

    def is_ours(self, head: Request) -> bool:
        """Tell by a request's head whether it is signed with a key that the sandbox has issued."""
        with self.store.transaction():
            return has_signed_head(head, self.double)

    @contextmanager
    def visit(
        self,
        site_url: str | None = None,
        browser: str = "",
        *,
        origin: Origin = NOWHERE,
        event: dict[str, Any] | None = None,
    ) -> Iterator[Context]:
        """Yield a context for somebody at the pages, who has signed nothing: one transaction."""
        account_id = self.double.management_account_id
        visitor = Caller(account_id, f"arn:aws:iam::{account_id}:anonymous", "")
        self._settle(visitor, HOME_REGION)
        with self.store.transaction() as connection:
            context = self._context(connection, visitor, HOME_REGION)
            yield replace(
                context,
                site_url=site_url or self.site_url,
                browser=browser,
                origin=origin,
                event={} if event is None else event,
            )

    def console(
        self,
        method: str,
        path: str,
        body: dict[str, Any],
        *,
        region: str = "us-east-1",
        request_id: str | None = None,
    ) -> dict[str, Any]:
        """Do in the management account what at AWS only the console can, and return what it would show.

        Its event in the trail has the request id.
        """
        # pydantic comes with the console: only who uses it waits for that, not every start of the sandbox.
        from idc_sandbox.api import console  # noqa: PLC0415

        caller = administrator_of(self.double)
        self._settle(caller, region)
        with self.store.transaction() as connection:
            context = replace(self._context(connection, caller, region), site_url=self.site_url)
            with console.recorded(context, method, path, body, request_id=request_id):
                return console.handle(context, method, path, body)

    def call(
        self, context: Context, service_name: str, operation_name: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        """Answer an operation of Identity Center for the context's caller, who must be allowed to ask."""
        model = service_model(service_name).operation_model(operation_name)
        action = f"{registry.SIGNING_NAMES[service_name]}:{operation_name}"
        resources = resources_of(
            context.connection,
            context.caller,
            service_name,
            operation_name,
            request,
            region=context.region,
        )
        require_permission(self.double, context.caller, action, *resources)
        return registry.call_operation(context, service_name, model, request)

    def call_at_console(
        self, context: Context, service_name: str, operation_name: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        """Answer an operation that a page of the console calls, and add its event."""
        target = f"{registry.target_prefix(service_name)}.{operation_name}"
        host = f"{registry.SIGNING_NAMES[service_name]}.{context.region}.amazonaws.com"
        headers = {"x-amz-target": target, "user-agent": context.origin.agent, "host": host}
        body = json.dumps(request).encode()
        sent = Request("POST", "/", "", headers, body, context.origin.address)
        signature = Signature(context.caller, context.region, registry.SIGNING_NAMES[service_name])
        attempt = Attempt(sent, None, signature, service_name, operation_name, from_console(context))
        try:
            attempt.answered = answer = self.call(context, service_name, operation_name, request)
        except ServiceError as error:
            self._refused(attempt, service_error_response(error, sent))
            raise
        self._recorded(attempt, json_response(answer))
        return answer

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
        self.feed.is_on = written["trail"]
        return written

    def keep_checkpoint(self, name: str) -> dict[str, Any]:
        """Keep the state as it is now under a name, to go back to it."""
        self.double.account_ids()  # moto's first state is part of it, so that it is not made again each time
        self._checkpoints.keep(name)
        return {"kept": name}

    def go_back(self, name: str) -> dict[str, Any]:
        """Make the state again what it was when this name was kept. Writes."""
        if "queries" in vars(self):
            self.queries.end_all()  # their ids come again
        self._checkpoints.go_back(name)
        self.double.forget()
        self._take_over()
        return {"went_back_to": name}

    def _answer(self, attempt: Attempt) -> Response:
        request = attempt.request
        target = request.headers.get("x-amz-target", "")
        with self.store.transaction() as connection:
            signature = attempt.signature = authenticate(request, self.double)
            said: dict[str, Any] = {"origin": origin_of(request), "event": attempt.event}
            context = self._context(connection, signature.caller, signature.region, **said)
            _settle_due_requests(context)
            self.store.keep()
            self._deliver(connection, signature.service_name)
            if target.rpartition(".")[0] not in registry.SERVICE_OF_TARGET_PREFIX:
                self._name(attempt, signature.service_name)
                self._raise_fault(request, signature.service_name)
                return self._recorded(attempt, self.double.handle(request, signature))
            service_name, model = registry.find_operation(target)
            attempt.service_name, attempt.operation_name = service_name, model.name
            self._limiter.take(service_name, model.name)
            self._raise_fault(request, service_name)
            if service_name in _LATE_SERVICES:
                self.queries.fail_interrupted()
                self.store.keep()
            attempt.values = json_object(request.body)
            attempt.answered = self.call(context, service_name, model.name, attempt.values)
            answer = self._recorded(attempt, json_response(attempt.answered))
        if service_name == "athena":
            self.queries.go_on()
        return answer

    def _deliver(self, connection: sqlite3.Connection, service_name: str) -> None:
        """Deliver the events that a service would show in S3, or that are too many to wait. Writes."""
        is_much = self.feed.waiting > MOST_WAITING
        if service_name not in _SEES_THE_BUCKET and not is_much:
            return
        if is_much:
            self.feed.waiting = 0
        try:
            self.store.take_in_events()
            deliver_due(connection, self.double, at_once=is_much)
            self.store.keep()
        except sqlite3.Error as error:
            if not is_disk_full(error):
                raise
            self.store.undo()  # what only reads goes on working
            logger.warning("events wait for room on the disk: %s", error)

    def _answer_rest(self, attempt: Attempt, rest: RestOperation) -> Response:
        """Answer an operation that path and method name: those of a person's client, nearly all unsigned."""
        request = attempt.request
        if rest.is_signed:
            with self.store.transaction():
                attempt.signature = authenticate(request, self.double, rest.iam_prefix)
        # It has its name, and so an event, only now: a request whose signature is wrong is nobody's.
        attempt.service_name, attempt.operation_name = rest.service_name, rest.model.name
        self._raise_fault(request, rest.service_name, rest.model.name)
        if rest.service_name in switches.LIMITED_TOGETHER:
            self._limiter.take(rest.service_name, rest.model.name)
        try:
            return self._answer_rest_to(attempt, rest)
        except FetchFirst as needed:
            needed.fetch()
        return self._answer_rest_to(attempt, rest)

    def _answer_rest_to(self, attempt: Attempt, rest: RestOperation) -> Response:
        request = attempt.request
        refusal: LastingRefusal | None = None
        with (
            self.visit(origin=origin_of(request), event=attempt.event) as visitor,
            protocols.in_words_of(rest),
        ):
            context = replace(visitor, headers=request.headers)
            if attempt.signature is not None:
                signature = attempt.signature
                context = replace(context, caller=signature.caller, region=signature.region)
            try:
                answer = protocols.rest_response(rest, self._call_rest(context, rest, request))
                return self._recorded(attempt, answer)
            except LastingRefusal as error:
                refusal = error
        raise refusal

    def _call_rest(self, context: Context, rest: RestOperation, request: Request) -> dict[str, Any]:
        values, name = protocols.read_rest_input(rest, request), rest.model.name
        if rest.is_signed and not registry.is_let_in_by_own_policy(rest.service_name, name):
            resources = resources_of(context.connection, context.caller, rest.service_name, name, values)
            require_permission(self.double, context.caller, f"{rest.iam_prefix}:{name}", *resources)
        return registry.call_operation(context, rest.service_name, rest.model, values)

    @staticmethod
    def _name(attempt: Attempt, service_name: str) -> None:
        """Say which operation of one of moto's services a request is for, where it names one."""
        request = attempt.request
        if service_name not in registry.MOTO_SERVICES or not protocols.is_for_service(request, service_name):
            return
        # An object's name alone tells: it spares the many reads of objects the look for their operation.
        name = "" if is_data_event(request, service_name, "") else operation_name(request, service_name)
        if not is_data_event(request, service_name, name):
            attempt.service_name, attempt.operation_name = service_name, name

    def _recorded(self, attempt: Attempt, answer: Response) -> Response:
        """Return an answer with its request id, and add its event in the current transaction."""
        answer = with_request_id(answer)
        self.feed.record_call(attempt, answer)
        return answer

    def _refused(self, attempt: Attempt, answer: Response) -> Response:
        """Return a refusal whose event is added; what goes wrong there is no reason to say less."""
        try:
            return self._recorded(attempt, answer)
        except Exception:
            logger.exception("the event of a refusal could not be made")
            return with_request_id(answer)

    def _settle(self, caller: Caller, region: str) -> None:
        with self.store.transaction() as connection:
            _settle_due_requests(self._context(connection, caller, region))

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

    def _context(self, connection: sqlite3.Connection, caller: Caller, region: str, **said: Any) -> Context:
        ids, feed = IdFactory(connection, self._seed), self.feed
        return Context(
            connection,
            caller,
            region,
            ids,
            self.double,
            record=feed.record,
            identity_of=feed.identity_of,
            **said,
        )
