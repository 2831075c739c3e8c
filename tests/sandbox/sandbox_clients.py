"""boto3 clients whose requests go straight to a gateway: no socket, no process, everything else as in real life."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config

from idc_sandbox import clock
from idc_sandbox.aws_double import AwsDouble
from idc_sandbox.gateway import Gateway
from idc_sandbox.messages import Request
from idc_sandbox.store import Store

ENDPOINT_URL = "http://127.0.0.1:8787"
_SESSION = boto3.Session()  # one for all tests: it keeps botocore's parsed models


class RawBody(io.BytesIO):
    """What urllib3 would hand to botocore."""

    def stream(self, **_options: Any) -> Iterator[bytes]:
        """Yield the body in one piece."""
        if rest := self.read():
            yield rest


def make_client(service_name: str, region: str, credentials: dict[str, str], **options: Any) -> Any:
    """Return a boto3 client with these credentials; retries are off, so that a refusal is seen as it was sent."""
    config = Config(retries={"total_max_attempts": 1}, **options.pop("config", {}))
    return _SESSION.client(service_name, region_name=region, config=config, **credentials, **options)


def assumed_credentials(sts: Any, account_id: str) -> dict[str, str]:
    """Return credentials of a member account, by the role that Organizations leaves there."""
    answer = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole", RoleSessionName="tests"
    )["Credentials"]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


class GatewayClient:
    """A gateway on a store of its own, and clients of it.

    Attributes
    ----------
    store, double, gateway
        The parts, for tests that look behind the protocol.
    """

    def __init__(self, folder: Path, *, seed: int = 7) -> None:
        self.path = folder / "sandbox.db"
        self.seed = seed
        self.open()

    def open(self) -> None:
        """Open the state as a process that starts does."""
        self.store = Store(self.path, seed=self.seed)
        self.double = AwsDouble(self.store)
        self.gateway = Gateway(self.store, self.double)
        self._member_credentials: dict[str, dict[str, str]] = {}

    def restart(self) -> None:
        """Close the state and open it again."""
        self.store.close()
        self.open()

    @property
    def management_account_id(self) -> str:
        """The organization's management account."""
        return self.double.management_account_id

    def credentials(self, account: str | None = None) -> dict[str, str]:
        """Return boto3's keyword arguments for the administrator, or for a member account's access role."""
        if account is None or account == self.management_account_id:
            key, secret = self.double.administrator_credentials()
            return {"aws_access_key_id": key, "aws_secret_access_key": secret}
        if account not in self._member_credentials:
            self._member_credentials[account] = assumed_credentials(self.client("sts"), account)
        return self._member_credentials[account]

    def client(
        self, service_name: str, region: str = "us-east-1", account: str | None = None, **options: Any
    ) -> Any:
        """Return a boto3 client of the sandbox; `credentials` in `options` replaces the account's."""
        credentials = options.pop("credentials", None) or self.credentials(account)
        client = make_client(service_name, region, credentials, endpoint_url=ENDPOINT_URL, **options)
        client.meta.events.register("before-send.*", self._answer)
        return client

    def switches(self, **values: Any) -> dict[str, Any]:
        """Set the sandbox's switches and return all of them."""
        return self.gateway.write_switches(values)

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's clock ahead."""
        with self.store.transaction() as connection:
            clock.advance_clock(connection, seconds)

    def console(
        self, method: str, path: str, json: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Do what only the console can; a refusal raises ServiceError."""
        return self.gateway.console(method, path, json or {}, **options)

    def send(self, request: Request) -> AWSResponse:
        """Send a request as it stands, signed or not."""
        answer = self.gateway.handle(request)
        return AWSResponse(ENDPOINT_URL, answer.status, HeadersDict(answer.headers), RawBody(answer.body))

    def _answer(self, request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        url = urlsplit(request.url)
        body = request.body if request.body is not None else b""
        if hasattr(body, "read"):
            body = body.read()
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        headers.setdefault("host", url.netloc)
        data = body.encode() if isinstance(body, str) else bytes(body)
        return self.send(Request(request.method, url.path or "/", url.query, headers, data))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
