"""The console of the sandbox: what at AWS a person does in the browser, over the sandbox's own endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from idc_helpers.aws.clients import LOOPBACK_HOSTS
from idc_helpers.aws.watching import about_to_use_console
from idc_helpers.errors import LeftSandboxError, SandboxError, WriteFailedError

_TIMEOUT_S = 30.0


class SandboxConsole:
    """Does what only the console can; talks to this machine alone.

    Parameters
    ----------
    endpoint_url
        The sandbox's address.
    control_secret
        From the sandbox's state folder; it never leaves the request's header.
    state_folder
        Where the sandbox keeps its state, and what practice people have in mind.

    Raises
    ------
    LeftSandboxError
        When the address is not one of this machine.
    """

    def __init__(self, endpoint_url: str, control_secret: str, state_folder: str = "") -> None:
        if urlsplit(endpoint_url).hostname not in LOOPBACK_HOSTS:
            raise LeftSandboxError(
                f"the sandbox's console cannot be at {endpoint_url!r}: that is not this machine"
            )
        self._endpoint_url = endpoint_url.rstrip("/")
        self._control_secret = control_secret
        self.state_folder = state_folder
        self._pool = urllib3.PoolManager()

    def __repr__(self) -> str:
        return f"SandboxConsole({self._endpoint_url!r})"

    def enable_organization_instance(self, *, region: str, name: str | None = None) -> str:
        """Enable the organization's instance, as the console's *Enable* does; return its ARN. Writes."""
        body = {"region": region} | ({"name": name} if name else {})
        about_to_use_console("instance", body)
        return str(self.send("POST", "instance", body)["instance_arn"])

    def read_settings(self, instance_arn: str) -> dict[str, Any]:
        """Return the console-only settings of an instance by name; None for one that is not shown."""
        return self.send("GET", f"settings?{urlencode({'instance_arn': instance_arn})}")

    def write_setting(self, instance_arn: str, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Change values of one setting and return all of them. Writes."""
        about_to_use_console(f"settings/{name}", values)
        return self.send("PUT", f"settings/{name}", {"instance_arn": instance_arn, **values})

    def pages(self, address: str | None = None, *, is_local: bool = False) -> dict[str, str]:
        """Return ``site_url``, ``portal_url``, and links that work once: ``mailbox_url``, ``settings_url``.

        Parameters
        ----------
        address
            Whose mailbox the link opens; None opens all of them.
        is_local
            For a program on this machine, rather than for a person behind a proxy.
        """
        query = {"address": address} if address is not None else {}
        query |= {"site": "local"} if is_local else {}
        return self.call("GET", f"pages?{urlencode(query)}")

    def let_frame(self, *origins: str) -> None:
        """Let web pages of these origins, such as JupyterLab's, show the sandbox's in a frame. Writes."""
        self.call("PUT", "pages", {"frame_ancestors": list(origins)})

    def read_clock(self) -> float:
        """Return the sandbox's time, in seconds since 1970; reads only."""
        return float(self.call("GET", "clock")["now"])

    @contextmanager
    def clock_ahead(self, duration_s: float) -> Iterator[None]:
        """Move the sandbox's clock ahead within a ``with`` block, and then back to where it was. Writes."""
        offset_s = float(self.call("GET", "clock")["offset_s"])
        self.advance_clock(duration_s)
        try:
            yield
        finally:
            self.call("POST", "clock", {"offset_s": offset_s})

    def advance_clock(self, duration_s: float) -> None:
        """Move the sandbox's clock ahead: what expires within that time has expired. Writes."""
        self.call("POST", "clock", {"advance_s": duration_s})

    def reset_clock(self) -> None:
        """Set the sandbox's clock to this machine's. Writes."""
        self.call("POST", "clock", {"reset": True})

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do one thing of the console and return its answer; as `call`."""
        return self.call(method, f"console/{path}", body)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the sandbox's own endpoint and return its answer.

        Raises
        ------
        SandboxError
            When the sandbox does not answer.
        WriteFailedError
            When it refuses.
        """
        try:
            answer = self._pool.request(
                method,
                f"{self._endpoint_url}/_sandbox/{path}",
                body=json.dumps(body or {}).encode(),
                headers={"content-type": "application/json", "x-sandbox-secret": self._control_secret},
                timeout=_TIMEOUT_S,
                retries=False,
                redirect=False,
            )
            values: dict[str, Any] = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise SandboxError(
                f"the sandbox at {self._endpoint_url} stopped answering ({type(error).__name__})",
                remedy="Connect again, which starts it, and run again: what is done is kept.",
            ) from error
        if answer.status != 200:
            raise WriteFailedError(
                f"the sandbox's console refused {method} {path.partition('?')[0]!r}: "
                f"{values.get('code', answer.status)}: {values.get('message', '')}"
            )
        return values
