"""The calls that would be made: the very code that applies, run against clients that never send a write.

Reads are sent, so that real ids stand where they are known. A call that writes is kept and answered with
placeholders, and later reads are answered as if it had been made.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, cast

from idc_helpers.aws.clients import Clients
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.rehearsed_answers import modelled_answer
from idc_helpers.aws.rehearsed_reads import RehearsedReads
from idc_helpers.aws.sandbox_console import SandboxConsole
from idc_helpers.aws.waiting import Timing
from idc_helpers.aws.watching import CONSOLE, Call

_READS = ("List", "Describe", "Get", "IsMember")


class Rehearsal:
    """A connection on which nothing is ever written, and the calls that would have been.

    Parameters
    ----------
    connection
        The real one; it is read through and not changed.

    Attributes
    ----------
    connection
        To hand to the resources that are to be rehearsed.
    calls
        In order.
    """

    def __init__(self, connection: Connection) -> None:
        self.calls: list[Call] = []
        self._reads = RehearsedReads(self.calls)
        now = [0.0]

        def sleep(duration_s: float) -> None:
            now[0] += duration_s

        # dataclasses.replace keeps what `connection` has read already; its own cache may grow.
        self.connection: Connection = dataclasses.replace(
            connection,
            clients=cast(Clients, _Clients(connection, self)),
            console=cast(SandboxConsole, _Console(connection.console, self))
            if connection.console is not None
            else None,
            timing=Timing(clock=lambda: now[0], sleep=sleep),
            cache=copy.deepcopy(connection.cache),
        )

    def call(self, client: Any, operation_name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one call: a read through AWS, anything else with placeholders."""
        if operation_name.startswith(_READS):
            return self._reads.answer(client, operation_name, request)
        service_model = client.meta.service_model
        shape = service_model.operation_model(operation_name).output_shape
        answer, makes = modelled_answer(shape, len(self.calls) + 1)
        self.calls.append(Call(service_model.service_name, operation_name, dict(request), makes))
        return answer

    def pages(self, client: Any, method_name: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Answer a list, page by page."""
        return self._reads.pages(client, method_name, request)


class _Clients:
    def __init__(self, connection: Connection, rehearsal: Rehearsal) -> None:
        self._connection, self._rehearsal = connection, rehearsal

    def client(self, service_name: str) -> Any:
        return _Client(self._connection.client(service_name), self._rehearsal)


class _Client:
    """Has the methods of a boto3 client that the kit uses: operations, paginators and ``meta``."""

    def __init__(self, client: Any, rehearsal: Rehearsal) -> None:
        self._client, self._rehearsal = client, rehearsal
        self.meta = client.meta

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operations = self._client.meta.method_to_api_mapping
        if name not in operations:
            raise AttributeError(name)
        return lambda **request: self._rehearsal.call(self._client, operations[name], request)

    def get_paginator(self, method_name: str) -> _Paginator:
        return _Paginator(self._client, method_name, self._rehearsal)


class _Paginator:
    def __init__(self, client: Any, method_name: str, rehearsal: Rehearsal) -> None:
        self._client, self._method_name, self._rehearsal = client, method_name, rehearsal

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        return self._rehearsal.pages(self._client, self._method_name, request)


class _Console:
    """The sandbox's console: read for real, and never changed."""

    def __init__(self, console: SandboxConsole, rehearsal: Rehearsal) -> None:
        self._console, self._rehearsal = console, rehearsal
        self.state_folder = console.state_folder

    def enable_organization_instance(self, *, region: str, name: str | None = None) -> str:
        placeholder = f"‹InstanceArn made by call {len(self._rehearsal.calls) + 1}›"
        values = {"region": region} | ({"name": name} if name else {})
        self._rehearsal.calls.append(Call(CONSOLE, "instance", values, {placeholder: "InstanceArn"}))
        return placeholder

    def read_settings(self, instance_arn: str) -> dict[str, Any]:
        return self._console.read_settings(instance_arn)

    def write_setting(
        self,
        instance_arn: str,  # noqa: ARG002 - the signature of the console
        name: str,
        values: dict[str, Any],
    ) -> dict[str, Any]:
        self._rehearsal.calls.append(Call(CONSOLE, f"settings/{name}", values))
        return {}
