"""boto3 sessions and clients: of the sandbox, sealed off from the user's AWS configuration, and of AWS.

A session is made anew for each connection, because a kernel that keeps one keeps its expired token too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
)
from botocore.loaders import Loader

from idc_helpers.aws.failures import Failures
from idc_helpers.aws.pacing import Pacing
from idc_helpers.errors import LeftSandboxError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_AWS_ATTEMPTS = 8
_SANDBOX_ATTEMPTS = 4


class Clients:
    """Makes a boto3 client of each service once, with pacing and the kit's errors.

    Parameters
    ----------
    session
        Of boto3.
    failures
        Tells a refusal in the kit's words.
    pacing
        Spaces the requests.
    options
        More keyword arguments of ``Session.client``.
    prepare
        Called with each new client.
    """

    def __init__(
        self,
        session: boto3.Session,
        failures: Failures,
        pacing: Pacing,
        options: dict[str, Any],
        prepare: Callable[[Any], None],
    ) -> None:
        self._session = session
        self._pacing = pacing
        self._options = options
        self._prepare = prepare
        self._failures = failures
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        _explain_failures(session, failures)

    def client(self, service_name: str) -> Any:
        """Return the client of a service, such as ``"sso-admin"``; safe to share between threads."""
        with self._lock:
            if service_name not in self._clients:
                client = self._new_client(service_name)
                self._prepare(client)
                self._pacing.install(client)
                self._clients[service_name] = client
            return self._clients[service_name]

    def _new_client(self, service_name: str) -> Any:
        try:  # what the user's files and variables configure is read here
            return self._session.client(service_name, **self._options)
        except (BotoCoreError, OSError, ValueError) as error:
            explained = self._failures.explain(error, service_name, "")
            raise (explained or self._failures.misconfigured(error)) from error


def sandbox_clients(
    *,
    endpoint_url: str,
    region: str,
    access_key_id: str,
    secret_access_key: str,
    failures: Failures,
    pacing: Pacing,
) -> Clients:
    """Return clients that reach the sandbox and nothing else.

    They read no file of ``~/.aws``, no ``AWS_PROFILE``, ``AWS_ENDPOINT_URL`` or proxy variable, and ask no
    instance metadata. A request to any other host than this machine is refused before it is sent.
    """
    session = boto3.Session(
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        region_name=region,
        botocore_session=_spare_sessions.pop() if _spare_sessions else _sealed_session(),
    )
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _SANDBOX_ATTEMPTS},
        proxies={},
        ignore_configured_endpoint_urls=True,
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
        defaults_mode="legacy",
        s3={"addressing_style": "path"},
    )
    options = {"endpoint_url": endpoint_url, "config": config}
    return Clients(session, failures, pacing, options, lambda client: _seal(client, failures))


# Made ahead by a process that is forked: each fork has it as its own, and uses it once.
_spare_sessions: list[botocore.session.Session] = []


def make_spare_session() -> None:
    """Make the session of the next `sandbox_clients` now: it knows no credential and no address yet."""
    _spare_sessions.append(_sealed_session())


def _sealed_session() -> botocore.session.Session:
    session = session_without_files()
    session.register_component("data_loader", _sealed_loader())
    return session


def session_without_files() -> botocore.session.Session:
    """Return a session of botocore that reads no file of the user and no variable such as ``AWS_PROFILE``."""
    usual: dict[str, Any] = botocore.session.Session.SESSION_VARIABLES
    settings = {name: (None, None, default, convert) for name, (_, _, default, convert) in usual.items()}
    nothing = (None, None, os.devnull, None)
    return botocore.session.Session(
        session_vars={**settings, "config_file": nothing, "credentials_file": nothing}
    )


@cache
def _sealed_loader() -> Loader:
    """Return what reads botocore's models, which are the same for every session of this process."""
    # The usual loader looks into ~/.aws/models and AWS_DATA_PATH too.
    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)


def _seal(client: Any, failures: Failures) -> None:
    client.meta.events.register_first("before-send", refuse_other_hosts)

    def give_up_at_once(caught_exception: Exception | None = None, **_event: Any) -> None:
        # Nothing listens on the port any more: no retry brings the sandbox back.
        if isinstance(caught_exception, EndpointConnectionError):
            raise failures.unreachable(caught_exception) from caught_exception

    client.meta.events.register_first("needs-retry", give_up_at_once)


def refuse_other_hosts(request: Any, **_event: Any) -> None:
    """Refuse a request to any host but this machine.

    Raises
    ------
    LeftSandboxError
        Before anything is sent.
    """
    host = urlsplit(request.url).hostname or ""
    if host not in LOOPBACK_HOSTS:
        raise LeftSandboxError(
            f"a call of this sandbox run would have gone to {host!r}; it was not sent",
            remedy="This is a defect of the kit, or something changed its client: please report it.",
        )


def aws_clients(*, region: str, profile: str | None, failures: Failures, pacing: Pacing) -> Clients:
    """Return clients that reach AWS with the user's own credentials.

    Raises
    ------
    TargetError
        When there is no such profile, a file of AWS's tools cannot be read, or what gives the keys fails.
    """
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        if (credentials := session.get_credentials()) is not None:
            credentials.get_frozen_credentials()
    except Exception as error:  # a user's program, file or variable can make botocore raise anything
        explained = failures.explain(error, "sts", "GetCallerIdentity")
        raise (explained or failures.credentials_error(_words(error), error)) from error
    config = Config(retries={"mode": "standard", "total_max_attempts": _AWS_ATTEMPTS})
    return Clients(session, failures, pacing, {"config": config}, lambda _client: None)


def _words(error: Exception) -> str:
    if isinstance(error, BotoCoreError):
        return str(error)
    return f"no credentials: {type(error).__name__}: {error}"


def _explain_failures(session: boto3.Session, failures: Failures) -> None:
    def call_and_explain(self: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        try:
            return BaseClient._make_api_call(self, operation_name, api_params)
        except (ClientError, BotoCoreError) as error:
            explained = failures.explain(error, self.meta.service_model.service_name, operation_name)
            if explained is None:
                raise
            raise explained from error

    def add(class_attributes: dict[str, Any], **_event: Any) -> None:
        class_attributes["_make_api_call"] = call_and_explain

    session.events.register("creating-client-class", add)
