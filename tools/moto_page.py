"""Make `docs/moto.md`: the sandbox and moto's own server are asked the same; the page says what they answer.

.venv/bin/python tools/moto_page.py
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import boto3
import botocore.model
import httpx
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from idc_sandbox import launcher
from idc_sandbox.loopback import RunningSandbox, ask
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.wire.models import _compiled, service_model

TOOLS = Path(__file__).parent
PAGE = TOOLS.parent / "docs" / "moto.md"
sys.path += [str(TOOLS.parent / "benchmarks"), str(TOOLS)]
_ROWS = runpy.run_path(str(TOOLS / "moto_rows.py"))
_OPERATIONS = runpy.run_path(str(TOOLS / "operations_page.py"))["operations"]
# Sent to either side where a member has no better value: the first that its model takes.
_VALUES = (
    "a", "aaaaaaaaaa", "00000000-0000-4000-8000-000000000000", "111122223333", "us-east-1", "https://example.com/",
    "d-0123456789", "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef",
    "arn:aws:sso::111122223333:application/ssoins-0123456789abcdef/apl-0123456789abcdef",
    "arn:aws:sso::aws:applicationProvider/custom", "arn:aws:iam::111122223333:role/a",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "arn:aws:sso::111122223333:trustedTokenIssuer/ssoins-0123456789abcdef/tti-00000000-0000-4000-8000-000000000000",
    "arn:aws:account-access:us-east-1:111122223333:application/app-0123456789abcdef", "a" * 40,
)  # fmt: skip
_TEXT = """\
# Beside moto

[moto](https://docs.getmoto.org) stands in for nearly all of AWS in tests; the sandbox for Identity Center and
what bears on it, and moto answers `sts`, `iam`, `organizations` and `s3` inside it. `tools/moto_page.py`
asked both the same questions, moto as its own server (`moto_server` {version}) without settings, and wrote
this page; a test asks again. How fast both are is in [performance.md](performance.md).

## What happens

| Question | Sandbox | moto |
|---|---|---|
{behaviours}

## Which operations are answered

Each was called with the members that it must have, the instance's own ids where there are such. *Yes* means
success, or an error that AWS's model has for it; what came instead is said after *no*. `signin` and
`account-access-runtime` are left out: boto3 asks them at their own host, or over TLS alone. A 500 of moto's
is mostly an operation that it does not have, and now and then one that fails on an id that is not there.

| Service | Operations | Sandbox | moto |
|---|---|---|---|
{counts}

| Operation | Sandbox | moto |
|---|---|---|
{operations}
"""


class Side:
    """One of the two, with boto3's clients of its administrator."""

    name = ""
    endpoint_url = ""
    keys = ("AKIAIOSFODNN7EXAMPLE", "none")

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str, *, region: str = "us-east-1", keys: tuple[str, ...] = ()) -> Any:
        """Return a client that tries once and checks nothing itself."""
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=20)
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            config=config,
            **dict(zip(names, keys or self.keys, strict=False)),
        )

    def known_client(self, service: str) -> Any:
        """Return a client of the administrator, made once."""
        if service not in self._clients:
            self._clients[service] = self.client(service)
        return self._clients[service]

    def get(self, path: str, method: str = "GET") -> int:
        """Return the status of a page."""
        return httpx.request(
            method, f"{self.endpoint_url}{path}", timeout=20, follow_redirects=True
        ).status_code

    def begin(self) -> None:
        """Have an instance, where there is none by itself."""

    def restart(self) -> None:
        """End it as a power cut would, and start it again."""

    def go_back(self, block: Callable[[], Any]) -> tuple[Any, Any]:
        """Do something, go back to the beginning without a restart, and do it again."""
        raise NotImplementedError

    @cached_property
    def instance(self) -> dict[str, str]:
        """The instance."""
        found: dict[str, str] = self.client("sso-admin").list_instances()["Instances"][0]
        return found


class Sandbox(Side):
    """The sandbox as a process."""

    name = "sandbox"

    def __init__(self, folder: Path) -> None:
        self._folder = StateFolder(folder)
        self.running: RunningSandbox
        self._start()

    def _start(self) -> None:
        self.running = launcher.start(self._folder, port=0, seed=1)
        self.endpoint_url = self.running.endpoint_url
        self.keys = (self.running.access_key_id, self.running.secret_access_key)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the sandbox's own endpoint."""
        secret = self.running.control_secret
        return ask(self.running.port, method, f"/_sandbox/{path}", control_secret=secret, body=body)

    def begin(self) -> None:
        """Enable Identity Center."""
        self.control("POST", "console/instance", {})

    def restart(self) -> None:
        """Kill it and start it again."""
        os.kill(self.running.pid, signal.SIGKILL)
        with self._folder.server_lock():
            pass
        self._start()

    def go_back(self, block: Callable[[], Any]) -> tuple[Any, Any]:
        """Go by a checkpoint."""
        self.control("PUT", "checkpoints/here")
        first = block()
        self.control("POST", "checkpoints/here")
        second = block()
        self.control("POST", "checkpoints/here")
        return first, second

    def stop(self) -> None:
        """Stop it."""
        launcher.stop(self._folder)


class Moto(Side):
    """moto's own server."""

    name = "moto"

    def __init__(self, stack: ExitStack) -> None:
        from sandbox_starts import moto_server  # noqa: PLC0415  in benchmarks/

        self._server, self._stack = moto_server, stack
        self._block: Any = None
        self.restart()

    def restart(self) -> None:
        """Kill it and start it again."""
        if self._block is not None:
            self._block.__exit__(None, None, None)
        self._block = self._server()
        self.endpoint_url, _ = self._block.__enter__()

    def go_back(self, block: Callable[[], Any]) -> tuple[Any, Any]:
        """Go by moto's own way, a reset and a seed."""
        found = []
        for _ in range(2):
            self.get("/moto-api/reset", "POST")
            self.get("/moto-api/seed?a=42", "POST")
            found.append(block())
        self.get("/moto-api/reset", "POST")
        return found[0], found[1]

    def stop(self) -> None:
        """Stop it."""
        self._block.__exit__(None, None, None)


@contextmanager
def both() -> Iterator[tuple[Sandbox, Moto]]:
    """Hold both for the length of a block."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sandbox = Sandbox(Path(folder) / "state")
        stack.callback(sandbox.stop)
        moto = Moto(stack)
        stack.callback(moto.stop)
        sandbox.begin()
        yield sandbox, moto


def _value(shape: Any, name: str, known: dict[str, str]) -> Any:
    """Return a value that a model takes."""
    if name in known and shape.type_name == "string":
        return known[name]
    if shape.type_name == "structure":
        if getattr(shape, "is_document_type", False):
            return {}
        names = shape.required_members
        if getattr(shape, "is_tagged_union", False):
            names = list(shape.members)[:1]
        return {member: _value(shape.members[member], member, known) for member in names}
    if shape.type_name == "list":
        return [_value(shape.member, name, known)] * max(1, shape.metadata.get("min", 0))
    if shape.type_name == "string":
        return _text(shape)
    return {"boolean": True, "map": {}, "timestamp": 1_700_000_000, "blob": b"a"}.get(
        shape.type_name, shape.metadata.get("min", 1)
    )


def _text(shape: Any) -> str:
    if shape.enum:
        return str(shape.enum[0])
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 10**6)
    # The pattern as the sandbox reads it, which refuses what does not match.
    pattern = shape.metadata.get("pattern")
    fits = (value for value in _VALUES if low <= len(value) <= high)
    return next((value for value in fits if not pattern or _compiled(pattern).fullmatch(value)), "a")


_SHARED_CODES = (
    "ValidationException",
    "AccessDeniedException",
    "ThrottlingException",
    "ResourceNotFoundException",
)


def answer(side: Side, service: str, name: str) -> str:
    """Return ``yes``, or ``no`` with what came instead."""
    client = side.known_client(service)
    model = client.meta.service_model.operation_model(name)
    arn = side.instance["InstanceArn"]
    known = {**side.instance, **dict.fromkeys(("ResourceArn", "instanceArn"), arn)}
    shape: botocore.model.Shape | None = model.input_shape
    values = {} if shape is None else _value(shape, "", known)
    try:
        getattr(client, xform_name(name))(**values)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        modelled = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
        modelled |= {shape.name for shape in model.error_shapes}
        if code in (*modelled, *_SHARED_CODES) and "does not answer" not in message:
            return "yes"
        return f"no ({code})"
    except BotoCoreError as error:
        return f"no ({type(error).__name__})"
    return "yes"


def page_text() -> str:
    """Ask both, and return the text of the page."""
    with both() as sides:
        operations = {
            call: [answer(side, *call) for side in sides] for call in _OPERATIONS() if _is_known(*call)
        }
    with both() as sides:
        behaviours = [(question, [ask_one(side, row) for side in sides]) for question, row in _ROWS["ROWS"]]
    counts = []
    for service in dict.fromkeys(service for service, _ in operations):
        found = [answers for (one, _), answers in operations.items() if one == service]
        yes = [sum(answers[index] == "yes" for answers in found) for index in (0, 1)]
        counts.append(f"| `{service}` | {len(found)} | {yes[0]} | {yes[1]} |")
    return _TEXT.format(
        version=metadata.version("moto"),
        behaviours="\n".join(f"| {question} | {' | '.join(found)} |" for question, found in behaviours),
        counts="\n".join(counts),
        operations="\n".join(
            f"| `{service}` `{name}` | {' | '.join(found)} |" for (service, name), found in operations.items()
        ),
    )


def _is_known(service: str, name: str) -> bool:
    """Tell whether boto3 has an operation: a few that browsers and the AWS CLI call are in no model."""
    if service in ("signin", "account-access-runtime"):
        return False
    try:
        return name in service_model(service).operation_names
    except (LookupError, OSError):
        return False


def ask_one(side: Side, row: Callable[[Any], str]) -> str:
    """Return what a side answers; a refusal by its code."""
    try:
        return row(side)
    except ClientError as error:
        return f"refused: `{error.response['Error']['Code']}`"
    except (BotoCoreError, OSError, LookupError, TypeError) as error:
        return f"no answer that boto3 can read ({type(error).__name__})"


if __name__ == "__main__":
    PAGE.write_text(page_text(), "utf-8")
