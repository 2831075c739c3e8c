"""boto3 clients of a sandbox: of a gateway in this process, without a socket, or of a process of its own."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import forked_sandboxes
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config
from patience import PATIENCE_S

from idc_sandbox import launcher, store
from idc_sandbox.aws_double.double import AwsDouble
from idc_sandbox.errors import Request, ServiceError
from idc_sandbox.gateway import Gateway
from idc_sandbox.loopback import RunningSandbox, ask
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.store import Store

_SESSION = boto3.Session()  # one for all tests: it keeps botocore's parsed models


class SandboxClients:
    """What both kinds have in common: clients of any service, in any account of the organization."""

    endpoint_url: str

    def __init__(self) -> None:
        self._member_credentials: dict[str, dict[str, str]] = {}

    @property
    def management_account_id(self) -> str:
        """The organization's management account."""
        raise NotImplementedError

    def administrator_key(self) -> tuple[str, str]:
        """Return the administrator's access key id and secret."""
        raise NotImplementedError

    def client(
        self, service_name: str, region: str = "us-east-1", account: str | None = None, **options: Any
    ) -> Any:
        """Return a boto3 client; retries are off, so that a refusal is seen as it was sent.

        `credentials` (boto3's keyword arguments) replaces those of `account`; `config` adds to botocore's.
        """
        credentials = options.pop("credentials", None) or self.credentials(account)
        config = Config(**{"retries": {"total_max_attempts": 1}, **options.pop("config", {})})
        return _SESSION.client(
            service_name,
            region_name=region,
            endpoint_url=self.endpoint_url,
            config=config,
            **credentials,
            **options,
        )

    def credentials(self, account: str | None = None) -> dict[str, str]:
        """Return boto3's keyword arguments for the administrator, or for a member account's access role."""
        if account is None or account == self.management_account_id:
            key, secret = self.administrator_key()
            return {"aws_access_key_id": key, "aws_secret_access_key": secret}
        if account not in self._member_credentials:
            self._member_credentials[account] = self._assume_access_role(account)
        return self._member_credentials[account]

    def _assume_access_role(self, account_id: str) -> dict[str, str]:
        role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
        answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
        return {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }

    def member_account_ids(self) -> dict[str, str]:
        """Return the ids of the organization's accounts by their names."""
        pages = self.client("organizations").get_paginator("list_accounts").paginate()
        return {account["Name"]: account["Id"] for page in pages for account in page["Accounts"]}


class GatewayClient(SandboxClients):
    """A gateway in this process on a store of its own.

    Attributes
    ----------
    store, double, gateway
        The parts, for tests that look behind the protocol.
    """

    endpoint_url = "http://127.0.0.1:8723"

    def __init__(self, folder: Path, *, seed: int = 7) -> None:
        super().__init__()
        self.path = folder / "sandbox.db"
        self.seed = seed
        self._open()

    def _open(self) -> None:
        self.store = Store(self.path, seed=self.seed)
        self.double = AwsDouble(self.store)
        self.gateway = Gateway(self.store, self.double)

    def trail_texts(self) -> list[str]:
        """Return all records of the trail as they are kept, oldest first."""
        with self.store.transaction() as connection:
            self.store.take_in_events()
            return [text for (text,) in connection.execute("SELECT record FROM trail_event ORDER BY number")]

    def restart(self) -> None:
        """Close the state and open it as a process that starts does."""
        self.store.close()
        self._open()

    @property
    def management_account_id(self) -> str:
        """The organization's management account."""
        return self.double.management_account_id

    def administrator_key(self) -> tuple[str, str]:
        """Return the administrator's access key id and secret."""
        return self.double.administrator_credentials()

    def client(
        self, service_name: str, region: str = "us-east-1", account: str | None = None, **options: Any
    ) -> Any:
        """Return a boto3 client whose requests go straight to the gateway."""
        client = super().client(service_name, region, account, **options)
        client.meta.events.register("before-send.*", self._answer)
        return client

    def switches(self, **values: Any) -> dict[str, Any]:
        """Set the sandbox's switches and return all of them."""
        return self.gateway.write_switches(values)

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's clock ahead."""
        self._member_credentials.clear()
        with self.store.transaction() as connection:
            store.advance_clock(connection, seconds)

    def console(
        self, method: str, path: str, json: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Do what only the console can; a refusal raises ServiceError."""
        return self.gateway.console(method, path, json or {}, **options)

    def send(self, request: Request) -> AWSResponse:
        """Send a request as it stands, signed or not."""
        answer = self.gateway.handle(request)
        headers = HeadersDict(answer.headers)
        return AWSResponse(self.endpoint_url, answer.status, headers, RawBody(answer.body))

    def _answer(self, request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        url = urlsplit(request.url)
        body = request.body if request.body is not None else b""
        if hasattr(body, "read"):
            body = body.read()
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        headers.setdefault("host", url.netloc)
        data = body.encode() if isinstance(body, str) else bytes(body)
        return self.send(Request(request.method, url.path or "/", url.query, headers, data))


class RawBody(io.BytesIO):
    """What urllib3 would hand to botocore."""

    def stream(self, **_options: Any) -> Iterator[bytes]:
        """Yield the body in one piece."""
        if rest := self.read():
            yield rest


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class SandboxProcess(SandboxClients):
    """A sandbox that is a process of its own, on a free port.

    Attributes
    ----------
    running
        Where it answers, and its keys.
    """

    def __init__(self, path: Path, *, seed: int = 7) -> None:
        super().__init__()
        self.folder = StateFolder(path)
        self.seed = seed
        self.start()

    def start(self) -> RunningSandbox:
        """Start it again where it stood."""
        self.running = forked_sandboxes.start(self.folder, seed=self.seed)
        self.endpoint_url = self.running.endpoint_url
        self._member_credentials.clear()
        return self.running

    def stop(self) -> bool:
        """Stop it; its state stays."""
        return launcher.stop(self.folder)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        os.kill(self.running.pid, signal.SIGKILL)
        with self.folder.server_lock():
            pass

    @property
    def management_account_id(self) -> str:
        """The organization's management account."""
        return self.running.account_id

    def administrator_key(self) -> tuple[str, str]:
        """Return the administrator's access key id and secret."""
        return self.running.access_key_id, self.running.secret_access_key

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Call the sandbox's own endpoint; a refusal raises ServiceError."""
        answer = ask(
            self.running.port,
            method,
            f"/_sandbox/{path}",
            control_secret=self.running.control_secret,
            body=body,
            timeout_s=PATIENCE_S,
        )
        assert answer is not None, f"{method} {path}: no answer"
        if "code" in answer and "message" in answer:
            raise ServiceError(answer.pop("code"), answer.pop("message"), **answer)
        return answer

    def switches(self, **values: Any) -> dict[str, Any]:
        """Set the sandbox's switches and return all of them."""
        return self.control("PUT", "switches", values)

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's clock ahead."""
        self._member_credentials.clear()
        self.control("POST", "clock", {"advance_s": seconds})

    def console(self, method: str, path: str, json: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what only the console can; a refusal raises ServiceError."""
        return self.control(method, f"console/{path}", json)
