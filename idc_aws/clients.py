"""boto3's clients: made once, paced, with retries and refusals as the kit wants them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, count
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
)
from botocore.loaders import JSONFileLoader, Loader, instance_cache
from botocore.model import OperationModel

from idc_aws.calls import READERS, Timing, current_look, end_look
from idc_aws.errors import LeftSandboxError, RunFailedError
from idc_aws.failures import Failures
from idc_aws.files import lock_file
from idc_aws.identifiers import LOOPBACK_HOSTS
from idc_aws.project import PACING_FOLDER_VARIABLE

# Of sso-admin in all, of identitystore for each operation; pacing takes half the time of retrying.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
AWS_RATE_PER_S = 20.0


class Pacer:
    """Lets calls pass one by one, evenly spaced; shared by all threads of a run."""

    def __init__(self, rate_per_s: float | None, timing: Timing | None = None) -> None:
        self.rate_per_s = rate_per_s
        self._timing = timing or Timing()
        self._lock = threading.Lock()
        self._next_slot = float("-inf")

    def wait(self) -> float:
        """Take the next slot, wait for it, and return how many seconds that took."""
        if self.rate_per_s is None:
            return 0.0
        delay_s = self._take_slot(1 / self.rate_per_s)
        if delay_s > 0:
            self._timing.sleep(delay_s)
        return delay_s

    def _take_slot(self, length_s: float) -> float:
        """Take the next slot, which is so long, and return in how many seconds it begins."""
        with self._lock:
            now = self._timing.clock()
            slot = max(now, self._next_slot)
            self._next_slot = slot + length_s
        return slot - now


# No queue is that long: the file is of a time before the machine was started anew, and its clock with it.
_FARTHEST_S = 3600.0


class SharedPacer(Pacer):
    """Lets the calls of all processes that use one file pass one by one, evenly spaced."""

    def __init__(self, rate_per_s: float, path: Path, timing: Timing | None = None) -> None:
        super().__init__(rate_per_s, timing)
        self._path = path

    def _take_slot(self, length_s: float) -> float:
        try:
            with lock_file(self._path, wait=True) as descriptor:
                assert descriptor is not None
                now = self._timing.clock()
                slot = max(now, _slot_in(descriptor, now))
                os.pwrite(descriptor, f"{slot + length_s:32.9f}".encode(), 0)
        except OSError as error:
            raise RunFailedError(
                f"the pace of the calls cannot be kept in {str(self._path)!r}: {error.strerror or error}",
                remedy=f"See that the folder in {PACING_FOLDER_VARIABLE} can be written, or unset the "
                "variable.",
            ) from error
        return slot - now


def _slot_in(descriptor: int, now: float) -> float:
    try:
        slot = float(os.pread(descriptor, 64, 0))
    except ValueError:
        return now  # new
    return slot if slot < now + _FARTHEST_S else now


class Pacing:
    """The pacers of one connection."""

    def __init__(
        self, rate_per_s: float | None = None, make_pacer: Callable[[float | None], Pacer] = Pacer
    ) -> None:
        self._identity_store: dict[str, Pacer] = {}
        self._lock = threading.Lock()
        self.share(lambda _limit: make_pacer(rate_per_s))

    def share(self, make_pacer: Callable[[str], Pacer]) -> None:
        """Take pacers of this make from now on; those of one limit are shared with other processes."""
        with self._lock:
            self.sso_admin = make_pacer("sso-admin")
            self._identity_store.clear()
            self._make_pacer = make_pacer

    def pacer(self, service_name: str, operation_name: str) -> Pacer | None:
        """Return the pacer of an operation, or None for services that have limits of another kind."""
        if service_name == "sso-admin":
            return self.sso_admin
        if service_name != "identitystore":
            return None
        with self._lock:
            if operation_name not in self._identity_store:
                self._identity_store[operation_name] = self._make_pacer(f"identitystore-{operation_name}")
            return self._identity_store[operation_name]

    def install(self, client: Any) -> None:
        """Make every request of a client wait for its slot just before it is sent, retries included."""
        service_name = client.meta.service_model.service_name

        def wait_for_slot(event_name: str, **_event: Any) -> None:
            pacer = self.pacer(service_name, event_name.rpartition(".")[2])
            if pacer is not None:
                pacer.wait()

        client.meta.events.register("before-send", wait_for_slot)


_READS = ("list", "describe", "get", "is_member", "simulate")
_LARGEST_PAGES = ("sso-admin", "identitystore")
"""Services whose lists are asked for in pages as large as AWS allows: fewer calls, which are paced."""


class Page(NamedTuple):
    """What a list answers at once."""

    entries: Sequence[Any]
    is_last: bool
    """Whether AWS has no more, where it says so by ``NextToken``."""


class KnownPages:
    """The pages of a list: read when they are first asked for, and kept."""

    def __init__(self, pages: Iterator[Page]) -> None:
        self._pages, self._lock = pages, threading.Lock()
        self._known: list[Page] = []
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[Page]:
        for number in count():
            with self._lock:
                if number == len(self._known):
                    page = self._next()
                    if page is None:
                        return
                    self._known.append(page)
            yield self._known[number]

    def _next(self) -> Page | None:
        # A list that broke off is not a list that ended: who asks again meets the same refusal.
        if self._error is not None:
            raise self._error
        try:
            return next(self._pages, None)
        except Exception as error:
            self._error = error
            raise


def _require_whole_answer(http_response: Any, model: OperationModel, **_event: Any) -> None:
    """Refuse an answer whose connection ended before it was whole: botocore takes what came for all of it."""
    headers = {name.lower(): value for name, value in http_response.headers.items()}
    has_body = model.http.get("method") != "HEAD" and not model.has_streaming_output
    if http_response.status_code != 200 or not has_body or "transfer-encoding" in headers:
        return
    if not model.output_shape or not model.output_shape.members:
        return
    length = len(http_response.content)
    # Where it ended among its headers, its length is not said, and nothing follows.
    is_short = length < int(headers["content-length"]) if "content-length" in headers else not length
    if is_short and "content-encoding" not in headers:
        raise ConnectionClosedError(endpoint_url=http_response.url)


_AWS_ATTEMPTS = 8
_SANDBOX_ATTEMPTS = 4


class Clients:
    """Makes a boto3 client of each service once, with pacing and the kit's errors."""

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
                client.meta.events.register("after-call", _require_whole_answer)
                self._clients[service_name] = client
            return self._clients[service_name]

    def operation(self, service_name: str, method_name: str) -> OperationModel:
        """Return botocore's model of what a client's method calls."""
        meta = self.client(service_name).meta
        model: OperationModel = meta.service_model.operation_model(meta.method_to_api_mapping[method_name])
        return model

    def call(self, service_name: str, method_name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call and return AWS's answer; within one look the same read is made once."""
        look, is_read = current_look(), method_name.startswith(_READS)
        if not is_read:
            end_look()
        if look is None or not is_read:
            return self._call(service_name, method_name, request)
        name = self._name(service_name, method_name, request)
        return look.once(name, lambda: self._call(service_name, method_name, request))

    def _call(self, service_name: str, method_name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.client(service_name), method_name)(**request)
        return answer

    def _name(self, service_name: str, method_name: str, request: Mapping[str, Any]) -> str:
        return f"{id(self)} {service_name} {method_name} {json.dumps(request, sort_keys=True, default=str)}"

    def items(self, service_name: str, method_name: str, request: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the items of all pages of a list; a page may be empty and not the last."""
        return chain.from_iterable(page.entries for page in self.pages(service_name, method_name, request))

    def pages(self, service_name: str, method_name: str, request: Mapping[str, Any]) -> Iterator[Page]:
        """Yield the pages of a list, each of one call; within one look each page is read once."""
        look = current_look()
        if look is None:
            return self._pages(service_name, method_name, request)
        name = self._name(service_name, method_name, request)
        return iter(look.once(name, lambda: KnownPages(self._pages(service_name, method_name, request))))

    def _pages(self, service_name: str, method_name: str, request: Mapping[str, Any]) -> Iterator[Page]:
        size = self._largest_page(service_name, method_name)
        paginator = self.client(service_name).get_paginator(method_name)
        pages = paginator.paginate(**request, PaginationConfig={"PageSize": size})
        (items_of,) = pages.result_keys
        for page in pages:
            yield Page(items_of.search(page) or (), not page.get("NextToken"))

    def _largest_page(self, service_name: str, method_name: str) -> int | None:
        """Return how many items AWS gives at once, at most, where that is the kit's to ask for."""
        if service_name not in _LARGEST_PAGES:
            return None
        shape = self.operation(service_name, method_name).input_shape
        asked = shape.members.get("MaxResults") if shape is not None else None
        return asked.metadata.get("max") if asked is not None else None

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
    """Return clients that reach the sandbox and nothing else."""
    session = boto3.Session(
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        region_name=region,
        botocore_session=_spare_sessions.pop() if _spare_sessions else _sealed_session(),
    )
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _SANDBOX_ATTEMPTS},
        max_pool_connections=READERS,
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
    """Refuse a request to any host but this machine."""
    host = urlsplit(request.url).hostname or ""
    if host not in LOOPBACK_HOSTS:
        raise LeftSandboxError(
            f"a call of this sandbox run would have gone to {host!r}; it was not sent",
            remedy="This is a defect of the kit, or something changed its client: please report it.",
        )


def aws_clients(*, region: str, profile: str | None, failures: Failures, pacing: Pacing) -> Clients:
    """Return clients that reach AWS with the user's own credentials."""
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        if (credentials := session.get_credentials()) is not None:
            credentials.get_frozen_credentials()
    except Exception as error:  # a user's program, file or variable can make botocore raise anything
        explained = failures.explain(error, "sts", "GetCallerIdentity")
        words = (
            str(error)
            if isinstance(error, BotoCoreError)
            else f"no credentials: {type(error).__name__}: {error}"
        )
        raise (explained or failures.credentials_error(words, error)) from error
    retries = {"mode": "standard", "total_max_attempts": _AWS_ATTEMPTS}
    config = Config(retries=retries, max_pool_connections=READERS)
    return Clients(session, failures, pacing, {"config": config}, lambda _client: None)


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


# What most notebooks use. The models of others are large, and few notebooks ask for one.
SERVICES = ("sts", "organizations", "sso-admin", "identitystore", "sso", "sso-oidc")
_REGION = "us-east-1"


class SharedFiles(JSONFileLoader):
    """Keeps what botocore's own data files hold, for all sessions of this process."""

    # A session keeps what it parsed to itself, and would parse the same files again.
    _known: ClassVar[dict[str, Any]] = {}

    def load_file(self, file_path: str) -> Any:
        """Return what a file holds; one of the user's own is read each time."""
        if not Path(file_path).is_relative_to(Loader.BUILTIN_DATA_PATH):
            return super().load_file(file_path)
        if file_path not in self._known:
            self._known[file_path] = super().load_file(file_path)
        return self._known[file_path]


_look_for_services = Loader.list_available_services


@instance_cache
def _list_services(loader: Loader, type_name: str) -> list[str]:
    """List what botocore's loaders do, its own folder of thousands of files looked through once."""
    if Loader.BUILTIN_DATA_PATH not in loader.search_paths:
        return list(_look_for_services(loader, type_name))
    own = [path for path in loader.search_paths if path != Loader.BUILTIN_DATA_PATH]
    others = Loader(extra_search_paths=own, include_default_search_paths=False)
    found = (_look_for_services(each, type_name) for each in (_sealed_loader(), others))
    return sorted(set(chain.from_iterable(found)))


def share_service_models() -> None:
    """Parse the files of the services that the kit uses, and let all sessions of this process share them."""
    # No client, credential or connection is shared, and no session that has been used.
    Loader.FILE_LOADER_CLASS = SharedFiles
    Loader.list_available_services = _list_services
    nobody = {"access_key_id": "none", "secret_access_key": "none"}
    failures, pacing = Failures("sandbox", _REGION), Pacing(None)
    sealed = sandbox_clients(
        endpoint_url="http://127.0.0.1:1", region=_REGION, failures=failures, pacing=pacing, **nobody
    )
    for service in SERVICES:
        client = sealed.client(service)
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))  # reads what can be, of all
    # A notebook's own boto3 looks into other folders too, and reads a few files more; the user's config file
    # may be one that no AWS tool can read, and a sandbox run has nothing to do with it.
    keys = {f"aws_{name}": value for name, value in nobody.items()}
    usual = boto3.Session(**keys, region_name=_REGION, botocore_session=session_without_files())
    usual.client("sts", endpoint_url="http://127.0.0.1:1")
    make_spare_session()
