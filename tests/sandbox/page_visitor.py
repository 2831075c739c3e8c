"""A person at the pages without a browser: follows links, sends forms, keeps cookies. In this process."""

from __future__ import annotations

import asyncio
import functools
import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyotp
from portal_harness import Portal

from idc_sandbox.loopback import Sites
from idc_sandbox.pages.front_door import OneTimeLinks, Seals
from idc_sandbox.server import make_application
from idc_sandbox.state_folder import KEY_NAMES

PORT = 8723
KEYS = {name: f"the {name} of this test's state folder" for name in KEY_NAMES}
CONTROL_SECRET = KEYS["control_secret"]
PASSWORD = "Practice-makes-1"


@functools.cache
def _runner() -> asyncio.Runner:
    """Return this worker's event loop, with its threads: a new one takes a sixth of a test."""
    return asyncio.Runner()


class _Transport(httpx.BaseTransport):
    """Hand requests to an application in this thread; starlette's client starts a thread for each."""

    def __init__(self, application: Any, *, raise_app_exceptions: bool) -> None:
        self._inner = httpx.ASGITransport(
            application, raise_app_exceptions=raise_app_exceptions, client=("testclient", 50_000)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self._inner.handle_async_request(request)
            body = b"".join([part async for part in answer.stream])
            return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))

        request.read()
        return _runner().run(ask())


def client_of(
    application: Any, base_url: str, *, raise_app_exceptions: bool = True, follow_redirects: bool = True
) -> httpx.Client:
    """Return a client of an application in this process."""
    transport = _Transport(application, raise_app_exceptions=raise_app_exceptions)
    headers = {"user-agent": "testclient"}
    return httpx.Client(
        transport=transport, base_url=base_url, headers=headers, follow_redirects=follow_redirects
    )


class Place:
    """A sandbox with the user ``ana``, and its whole application: pages, services, control endpoint."""

    def __init__(self, folder: Path, public_url: str | None = None, frame_ancestors: tuple[str, ...] = ()):
        self.portal = Portal(folder)
        self.clients = self.portal.clients
        self.gateway = self.clients.gateway
        self.sites = Sites(PORT, public_url, frame_ancestors)
        self.seals = Seals(KEYS["form_key"], KEYS["cookie_key"])
        self.now = 1000.0
        self.one_time_links = OneTimeLinks(lambda: self.now)
        self.application = make_application(
            self.gateway,
            sites=self.sites,
            keys=KEYS,
            stop=lambda: None,
            links=self.one_time_links,
        )

    def visitor(self, base_url: str = f"http://localhost:{PORT}") -> Visitor:
        return Visitor(self, base_url)

    def links(self, address: str | None = None) -> dict[str, str]:
        query = {} if address is None else {"address": address}
        control = client_of(self.application, base_url=f"http://127.0.0.1:{PORT}")
        answer = control.get("/_sandbox/pages", params=query, headers={"x-sandbox-secret": CONTROL_SECRET})
        return dict(answer.json())

    def invite(self, user_id: str | None = None) -> str:
        path = f"users/{user_id or self.portal.user_id}/invite"
        return str(self.clients.console("POST", path)["message"]["link"])

    def set_mfa(self, **values: Any) -> None:
        arn = self.portal.instance["InstanceArn"]
        self.clients.console("PUT", "settings/multi_factor_authentication", {**values, "instance_arn": arn})


class Visitor:
    """One browser.

    Attributes
    ----------
    page
        The last answer.
    """

    def __init__(self, place: Place, base_url: str) -> None:
        self.place = place
        parts = urlsplit(base_url)
        self.prefix, origin = parts.path, f"{parts.scheme}://{parts.netloc}"
        self.client = client_of(place.application, base_url=origin, raise_app_exceptions=False)
        self.page: httpx.Response

    def open(self, path: str, *, follow: bool = True, **headers: str) -> httpx.Response:
        self.page = self.client.get(f"{self.prefix}{path}", follow_redirects=follow, headers=headers)
        return self.page

    def send(self, action: str, *, follow: bool = True, **fields: Any) -> httpx.Response:
        """Send the form of the page whose address ends with `action`, with its CSRF token."""
        address = next(one for one in self.actions() if one.partition("?")[0].endswith(action))
        data = {"csrf_token": self.csrf_token(), **fields}
        self.page = self.client.post(address, data=data, follow_redirects=follow)
        return self.page

    def actions(self) -> list[str]:
        return [html.unescape(one) for one in re.findall(r'action="([^"]*)"', self.page.text)]

    def csrf_token(self) -> str:
        found = re.findall(r'name="csrf_token" value="(\w+)"', self.page.text)
        return found[0] if found else ""

    @property
    def heading(self) -> str:
        return html.unescape(re.findall(r"<h1>(.*?)</h1>", self.page.text, re.DOTALL)[0])

    @property
    def message(self) -> str:
        found = re.findall(r'role="(?:alert|status)">(.*?)</p>', self.page.text, re.DOTALL)
        return html.unescape(re.sub("<.*?>", "", found[0])) if found else ""

    def value(self, name: str) -> str:
        """Return what the page shows under a name."""
        found = re.findall(rf'data-value="{name}"[^>]*>(.*?)<', self.page.text, re.DOTALL)
        return html.unescape(found[0])

    def choose_password(self, path: str, password: str = PASSWORD) -> None:
        self.open(path)
        self.send(path, new_password=password, confirm_password=password)

    def sign_in(self, password: str = PASSWORD, user_name: str = "ana", path: str = "/start") -> None:
        self.open(path)
        self.send("/user-name", user_name=user_name)
        self.send("/password", password=password)

    def register_app(self) -> str:
        secret = self.value("totp_secret")
        self.send("/register-totp", code=pyotp.TOTP(secret).now())
        return secret
