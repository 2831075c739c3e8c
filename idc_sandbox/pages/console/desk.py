"""Somebody at the practice console: who they are, what they may call, and the page that they get."""

# What each screen has: its structure, names, order and defaults are those of the console at AWS; the words
# are ours. https://docs.aws.amazon.com/singlesignon/latest/userguide/

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from idc_sandbox.api import console as console_api
from idc_sandbox.api.portal import issue_role_credentials
from idc_sandbox.context import Caller, Context, Signature
from idc_sandbox.errors import Request, ServiceError, access_denied
from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S
from idc_sandbox.pages.visits import (
    CONSOLE,
    ROLE_COOKIE,
    Visit,
    answer_at_door,
    notice_of,
    redirect,
    render,
    set_cookie,
)
from idc_sandbox.sign_in.people import Refusal
from idc_sandbox.wire.models import service_model
from idc_sandbox.wire.permissions import require_permission

ROOT = CONSOLE.path
_MOST_PAGES = 1000  # of one list, for one screen
_ORGANIZATIONS = "AWSOrganizationsV20161128"
# What the console asks for where no public operation does it, by method and route of `console_api`.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html
_ACTIONS = {
    "POST instance": "sso:StartSSO",
    "GET settings": "sso:GetSharedSsoConfiguration",
    "PUT settings/multi_factor_authentication": "sso:PutMfaDeviceManagementForDirectory",
    "PUT settings/access_portal": "sso-directory:CreateAlias",
    "PUT settings": "sso:UpdateSSOConfiguration",
    "POST identity-source": "sso:UpdateDirectoryAssociation",
    "POST users/disable": "sso-directory:DisableUser",
    "POST users/enable": "sso-directory:EnableUser",
    "POST users/invite": "sso-directory:UpdatePassword",
    "POST users/reset-password": "sso-directory:UpdatePassword",
    "GET users/password": "sso-directory:DescribeUser",
    "GET users/mfa-devices": "sso-directory:ListMfaDevicesForUser",
    "POST users/mfa-devices": "sso-directory:DeleteMfaDeviceForUser",
    "GET users/sessions": "identitystore-auth:ListSessions",
    "POST users/sessions": "identitystore-auth:BatchDeleteSession",
}


class Entry(NamedTuple):
    """An entry of the menu on the left."""

    label: str
    path: str
    section: str = ""


MENU = (
    Entry("Dashboard", ROOT),
    Entry("Users", f"{ROOT}/users"),
    Entry("Groups", f"{ROOT}/groups"),
    Entry("Settings", f"{ROOT}/settings"),
    Entry("AWS accounts", f"{ROOT}/accounts", "Multi-account permissions"),
    Entry("Permission sets", f"{ROOT}/permission-sets", "Multi-account permissions"),
    Entry("Applications", f"{ROOT}/applications", "Application assignments"),
)


ConsolePage = Callable[["Console"], Response]


class Screen(NamedTuple):
    """A screen: a form on it that is refused shows it again, with what is wrong and what was typed."""

    path: str
    show: ConsolePage
    take: ConsolePage | None = None


class Console:
    """One visit to the practice console, inside its transaction.

    Attributes
    ----------
    visit, context
        The request, and the transaction as who is at the console.
    role_name
        The permission set's name; empty: the sandbox's own administrator.
    problem
        What was refused of the form that was sent; the page is shown again with it.
    """

    def __init__(self, visit: Visit, context: Context, role_name: str = "", problem: str = "") -> None:
        self.visit = visit
        self.context = context
        self.role_name = role_name
        self.problem = problem

    @property
    def form(self) -> Any:
        """The fields of the form that was sent."""
        return self.visit.form

    def query(self, name: str) -> str:
        """Return what the address says under a name."""
        return str(self.visit.request.query_params.get(name, ""))

    def part(self, name: str) -> str:
        """Return a part of the address's path."""
        return str(self.visit.request.path_params[name])

    def call(self, service_name: str, operation_name: str, **request: Any) -> dict[str, Any]:
        """Return the answer to an operation of ``sso-admin`` or ``identitystore``; None is left out."""
        given = {name: value for name, value in request.items() if value is not None}
        return self.visit.house.gateway.call(self.context, service_name, operation_name, given)

    def items(self, service_name: str, operation_name: str, **request: Any) -> list[Any]:
        """Return the items of all pages of a list."""
        output = service_model(service_name).operation_model(operation_name).output_shape
        assert output is not None
        name = next(name for name, shape in output.members.items() if shape.type_name == "list")
        found: list[Any] = []
        token: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self.call(service_name, operation_name, NextToken=token, **request)
            found += answer.get(name) or []
            token = answer.get("NextToken")
            if not token:
                break
        return found

    def organizations(self, operation_name: str, **request: Any) -> dict[str, Any]:
        """Return the answer to an operation of AWS Organizations."""
        headers = {
            "x-amz-target": f"{_ORGANIZATIONS}.{operation_name}",
            "content-type": "application/x-amz-json-1.1",
            "host": "organizations.us-east-1.amazonaws.com",
        }
        asked = Request("POST", "/", "", headers, json.dumps(request).encode())
        signature = Signature(self.context.caller, "us-east-1", "organizations")
        answer = self.visit.house.gateway.double.handle(asked, signature)
        values: dict[str, Any] = json.loads(answer.body or b"{}")
        if answer.status >= 400:
            code = str(values.get("__type", "")).rpartition("#")[2]
            raise ServiceError(code, str(values.get("message") or values.get("Message") or code))
        return values

    def do(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        """Do what only a console can, as `idc_sandbox.api.console` has it, if the caller may."""
        self._require_right(method, path)
        return console_api.handle(self.context, method, path, values)

    def _require_right(self, method: str, path: str) -> None:
        parts = path.split("/")
        route = "/".join([parts[0], *parts[2:3]]) if parts[0] == "users" else path
        action = _ACTIONS.get(f"{method} {route}") or _ACTIONS.get(f"{method} {parts[0]}")
        if action is None:
            raise access_denied(f"Nobody may {method} {path!r} here.")
        require_permission(self.context.double, self.context.caller, action)

    @property
    def instance(self) -> dict[str, Any] | None:
        """The instance of the caller's organization or account, or None before it is enabled."""
        found = self.items("sso-admin", "ListInstances")
        return next(iter(found), None)

    def show(self, template: str, *, crumbs: tuple[tuple[str, str], ...] = (), **values: Any) -> Response:
        """Return a page of the console; `crumbs` are labels and paths above it."""
        notice = notice_of(self.visit, "practice-console").format(of=self.query("of")[:200])
        here = self.visit.request.url.path
        current = max((one.path for one in MENU if here.startswith(one.path)), key=len, default=ROOT)
        return render(
            self.visit,
            f"console/{template}",
            console=self,
            menu=MENU,
            current=current,
            crumbs=crumbs,
            notice="" if self.problem else notice,
            status=400 if self.problem else 200,
            **values,
        )

    def go(self, path: str, notice: str = "", of: str = "") -> Response:
        """Return the way to another page of the console, which says a notice about something."""
        query = {name: value for name, value in (("notice", notice), ("of", of)) if value}
        return redirect(self.visit, f"{ROOT}{path}" + (f"?{urlencode(query)}" if query else ""))


def at_console(page: ConsolePage) -> Callable[..., Response]:
    """Return a handler of visits that lets a page of the console answer those who may be there."""

    def answer(visit: Visit, refusal: Refusal | ServiceError | None = None) -> Response:
        role_key = _role_key(visit)
        if role_key is None and (closed := answer_at_door(visit, CONSOLE)) is not None:
            return closed
        with visit.open() as context:
            console = _as_administrator(visit, context) if role_key is None else None
            console = console or _as_role(visit, context, str(role_key))
            if console is None:
                return _leave(visit)
            console.problem = "" if refusal is None else refusal.message
            return page(console)

    return answer


def _role_key(visit: Visit) -> str | None:
    """Return the access key id of the role that is at the console in this browser, or None."""
    if visit.request.query_params.get("key") is not None:
        return None  # the owner's link: the administrator comes
    sealed = visit.cookies.get(ROLE_COOKIE, "")
    found = visit.house.seals.unseal(_seal_of(visit), sealed, max_age_s=COOKIE_LIFETIME_S)
    return found if isinstance(found, str) else None


def _seal_of(visit: Visit) -> str:
    return f"console-role {visit.browser}"


def _as_administrator(visit: Visit, context: Context) -> Console:
    account_id = context.double.management_account_id
    key, _ = context.double.administrator_credentials()
    caller = Caller(account_id, f"arn:aws:iam::{account_id}:user/sandbox-administrator", key)
    return Console(visit, replace(context, caller=caller))


def _as_role(visit: Visit, context: Context, key: str) -> Console | None:
    """Return the console as a role that somebody came with; None once its credentials have ended."""
    issued = context.double.secret_of(key)
    if issued is None or (issued.expires_at is not None and issued.expires_at <= context.now):
        return None
    role = issued.caller.principal_arn.split("/")[-2]
    name = role.removeprefix("AWSReservedSSO_").rpartition("_")[0]
    return Console(visit, replace(context, caller=issued.caller), name)


def enter(visit: Visit) -> Response:
    """Let a person who is signed in to the portal come in with a role, with exactly its permissions."""
    account_id, role_name = visit.form.get("account_id", ""), visit.form.get("role_name", "")
    with visit.open_signed_in() as (context, who):
        issued = issue_role_credentials(context, who.person.user_id, account_id, role_name)
    answer = redirect(visit, ROOT)
    sealed = visit.house.seals.seal(_seal_of(visit), issued.access_key_id)
    set_cookie(answer, visit, ROLE_COOKIE, sealed, max_age_s=COOKIE_LIFETIME_S)
    return answer


def leave(visit: Visit) -> Response:
    """Take back the role with which somebody came in; the portal is next."""
    return _leave(visit)


def _leave(visit: Visit) -> Response:
    answer = redirect(visit, "/start")
    set_cookie(answer, visit, ROLE_COOKIE, "")
    return answer
