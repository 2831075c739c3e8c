"""Somebody at the practice console: who they are, what they may call, and the page that they get."""

# What each screen has: its structure, names, order and defaults are those of the console at AWS; the words
# are ours. https://docs.aws.amazon.com/singlesignon/latest/userguide/

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from idc_sandbox.api import console as console_api
from idc_sandbox.api.instance_rules import is_administrator, visible_instances
from idc_sandbox.api.portal import issue_role_credentials
from idc_sandbox.context import IDENTITY_CENTER, Caller, Context, Signature, administrator_of
from idc_sandbox.errors import Request, ServiceError, access_denied, not_found
from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S
from idc_sandbox.pages.visits import (
    CONSOLE,
    LONGEST_COOKIE_S,
    ROLE_COOKIE,
    Visit,
    answer_at_door,
    forget_cookie,
    next_path,
    notice_of,
    problem,
    redirect,
    render,
    set_cookie,
)
from idc_sandbox.sign_in.people import Refusal
from idc_sandbox.trail.people import from_console, record_at_portal, record_console_login
from idc_sandbox.trail.records import Attempt
from idc_sandbox.wire.models import service_model
from idc_sandbox.wire.permissions import require_permission

ROOT = CONSOLE.path
_LONGEST_OF = 200  # of what a notice names: an address holds it
_MOST_PAGES = 1000  # of one list, for one screen
_ORGANIZATIONS = "AWSOrganizationsV20161128"


class Entry(NamedTuple):
    """An entry of the menu on the left."""

    label: str
    path: str
    section: str = ""


_MULTI_ACCOUNT = "Multi-account permissions"
MENU = (
    Entry("Dashboard", ROOT),
    Entry("Users", f"{ROOT}/users"),
    Entry("Groups", f"{ROOT}/groups"),
    Entry("Settings", f"{ROOT}/settings"),
    Entry("AWS accounts", f"{ROOT}/accounts", _MULTI_ACCOUNT),
    Entry("Permission sets", f"{ROOT}/permission-sets", _MULTI_ACCOUNT),
    Entry("Applications", f"{ROOT}/applications", "Application assignments"),
)


ConsolePage = Callable[["Console"], Response]


class Screen(NamedTuple):
    """A screen: a form on it that is refused shows it again, with what is wrong and what was typed."""

    path: str
    show: ConsolePage
    take: ConsolePage | None = None
    needs_instance: bool = True  # before there is one, it leads to the page that enables Identity Center


class Console:
    """One visit to the practice console, inside its transaction."""

    def __init__(self, visit: Visit, context: Context, role_name: str = "") -> None:
        self.visit = visit
        self.context = context  # of who is at the console
        self.role_name = role_name  # the permission set's; empty: the sandbox's own administrator
        self.refusal: Refusal | ServiceError | None = None  # of the form that was sent, shown again with it

    @property
    def problem(self) -> str:
        """What was refused, in words; empty when nothing was."""
        return "" if self.refusal is None else self.refusal.message

    @property
    def may_be_administrator(self) -> bool:
        """Tell whether somebody who came with a role is the sandbox's owner, and may put it down here."""
        return bool(self.role_name and self.visit.opened(CONSOLE))

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
        return self.visit.house.gateway.call_at_console(self.context, service_name, operation_name, given)

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

    def call_sso(self, operation_name: str, **request: Any) -> dict[str, Any]:
        """Return the answer to an operation on the instance."""
        return self.call("sso-admin", operation_name, InstanceArn=self.instance_arn, **request)

    def list_sso(self, operation_name: str, **request: Any) -> list[Any]:
        """Return all items of a list of the instance."""
        return self.items("sso-admin", operation_name, InstanceArn=self.instance_arn, **request)

    def call_store(self, operation_name: str, **request: Any) -> dict[str, Any]:
        """Return the answer to an operation of the instance's identity store."""
        store_id = self.instance["IdentityStoreId"]
        return self.call("identitystore", operation_name, IdentityStoreId=store_id, **request)

    def list_store(self, operation_name: str, **request: Any) -> list[Any]:
        """Return all items of a list of the identity store."""
        store_id = self.instance["IdentityStoreId"]
        return self.items("identitystore", operation_name, IdentityStoreId=store_id, **request)

    def organizations(self, operation_name: str, **request: Any) -> dict[str, Any]:
        """Return the answer to an operation of AWS Organizations."""
        headers = {
            "x-amz-target": f"{_ORGANIZATIONS}.{operation_name}",
            "content-type": "application/x-amz-json-1.1",
            "host": "organizations.us-east-1.amazonaws.com",
            "user-agent": self.context.origin.agent,
        }
        asked = Request("POST", "/", "", headers, json.dumps(request).encode())
        signature = Signature(self._caller_for(operation_name), "us-east-1", "organizations")
        gateway = self.visit.house.gateway
        answer = gateway.double.handle(asked, signature)
        asker = replace(signature, caller=self.context.caller)
        attempt = Attempt(asked, None, asker, "organizations", operation_name, from_console(self.context))
        gateway.feed.record_call(attempt, answer)
        values: dict[str, Any] = json.loads(answer.body or b"{}")
        if answer.status >= 400:
            code = str(values.get("__type", "")).rpartition("#")[2]
            raise ServiceError(code, str(values.get("message") or values.get("Message") or code))
        return values

    def organization_items(self, operation_name: str, **request: Any) -> list[Any]:
        """Return the items of all pages of a list of AWS Organizations, such as ``ListAccounts``."""
        found: list[Any] = []
        for _ in range(_MOST_PAGES):
            answer = self.organizations(operation_name, **request)
            found += next(value for value in answer.values() if isinstance(value, list))
            if not answer.get("NextToken"):
                break
            request["NextToken"] = answer["NextToken"]
        return found

    def _caller_for(self, operation_name: str) -> Caller:
        """Return who asks AWS Organizations: a delegated administrator may read all of it."""
        # moto shows it nothing: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListRoots.html
        caller, double = self.context.caller, self.context.double
        is_delegate = caller.account_id in double.delegated_administrators(IDENTITY_CENTER)
        if not (is_delegate and operation_name.startswith(("List", "Describe"))):
            return caller
        require_permission(double, caller, f"organizations:{operation_name}")
        return administrator_of(double)

    def do(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        """Do what only a console can, as `idc_sandbox.api.console` has it, if the caller may."""
        with console_api.recorded(self.context, method, path, values):
            self._require_right(method, path)
            self._require_own_user(path)
            return console_api.handle(self.context, method, path, values)

    def settings(self) -> dict[str, Any]:
        """Return what no API reads of the instance."""
        return self.do("GET", "settings", instance_arn=self.instance_arn)

    def _require_right(self, method: str, path: str) -> None:
        act = console_api.find_act(method, path)
        if act is None or not act.action:
            raise access_denied(f"Nobody may {method} {path!r} here.")
        require_permission(self.context.double, self.context.caller, act.action)

    def _require_own_user(self, path: str) -> None:
        """Refuse a user of another instance, as the identity store here refuses one whom it does not know."""
        noun, _, rest = path.partition("?")[0].partition("/")
        if noun != "users":
            return
        user_id, instance = rest.partition("/")[0], self.found_instance
        store_id = self.context.value(
            "SELECT identity_store_id FROM identity_user WHERE user_id = ?", user_id
        )
        if store_id is None or instance is None or store_id != instance["IdentityStoreId"]:
            raise console_api.unknown_user(user_id)

    @cached_property
    def found_instance(self) -> dict[str, Any] | None:
        """The instance that the caller's account administers, or None: a member account sees its own."""
        listed = {one["InstanceArn"]: one for one in self.items("sso-admin", "ListInstances")}
        administered = _administered(self.context)
        return next((listed[arn] for arn, _ in administered if arn in listed), None)

    @property
    def instance(self) -> dict[str, Any]:
        """The instance, on a screen that needs one."""
        if self.found_instance is None:
            raise not_found("IAM Identity Center is not enabled here. Enable it on the dashboard first.")
        return self.found_instance

    @property
    def instance_arn(self) -> str:
        """The instance's ARN."""
        return str(self.instance["InstanceArn"])

    @property
    def menu(self) -> tuple[Entry, ...]:
        """The entries for what the instance has: an account's own has no permission sets."""
        try:
            if self.found_instance is None:
                return MENU[:1]
            details = self.call_sso("DescribeInstance")
        except ServiceError:  # who may not ask sees every entry, and is refused there
            return MENU
        if details["PermissionSetsEnabled"]:
            return MENU
        return tuple(one for one in MENU if one.section != _MULTI_ACCOUNT)

    def show(
        self,
        template: str,
        *,
        crumbs: tuple[tuple[str, str], ...] = (),
        status: int | None = None,
        **values: Any,
    ) -> Response:
        """Return a page of the console; `crumbs` are labels and paths above it."""
        notice = notice_of(self.visit, "practice-console").format(of=self.query("of")[:_LONGEST_OF])
        here = self.visit.request.url.path
        current = max((one.path for one in MENU if here.startswith(one.path)), key=len, default=ROOT)
        return render(
            self.visit,
            f"console/{template}",
            console=self,
            menu=self.menu,
            current=current,
            crumbs=crumbs,
            notice="" if self.problem else notice,
            status=status or (400 if self.problem else 200),
            **values,
        )

    def go(self, path: str, notice: str = "", of: str = "") -> Response:
        """Return the way to another page of the console, which says a notice about something."""
        query = {name: value for name, value in (("notice", notice), ("of", of[:_LONGEST_OF])) if value}
        mark = "&" if "?" in path else "?"
        return redirect(self.visit, f"{ROOT}{path}" + (f"{mark}{urlencode(query)}" if query else ""))


def at_console(page: ConsolePage, *, needs_instance: bool) -> Callable[..., Response]:
    """Return a handler of visits that lets a page of the console answer those who may be there."""
    page = _after_enabling(page) if needs_instance else page

    def answer(visit: Visit, refusal: Refusal | ServiceError | None = None) -> Response:
        role_key = _role_key(visit)
        # The owner's link: who came with a role is the administrator then, but only if it opens something.
        if role_key is None or "key" in visit.request.query_params:
            closed = answer_at_door(visit, CONSOLE, ends=ROLE_COOKIE)
            if closed is not None:
                return closed
        try:
            return _answer_as(visit, role_key, page, refusal)
        except ServiceError as error:
            if visit.request.method == "POST" and refusal is None:
                raise  # the page is shown again with it
            return _answer_as(visit, role_key, _show_refused, refusal or _in_plain_words(error))

    return answer


def _after_enabling(page: ConsolePage) -> ConsolePage:
    def answer(console: Console) -> Response:
        try:
            is_enabled = console.found_instance is not None
        except ServiceError:  # who may not ask is refused by the page itself, or sees what it shows without
            is_enabled = True
        return page(console) if is_enabled else console.go("")

    return answer


def _answer_as(
    visit: Visit, role_key: str | None, page: ConsolePage, refusal: Refusal | ServiceError | None
) -> Response:
    with visit.open() as context:
        if role_key is None:
            console: Console | None = _as_administrator(visit, context)
        else:
            console = _as_role(visit, context, role_key) if role_key else None
        if console is None:
            return _say_that_role_is_over(visit, is_readable=bool(role_key))
        console.refusal = refusal
        return page(console)


def _say_that_role_is_over(visit: Visit, *, is_readable: bool) -> Response:
    """Say so until the person leaves, or comes by the owner's link: nobody is made administrator unasked."""
    visit = visit.without_role()  # the form on it is nobody's
    paths = {"leave_path": f"{ROOT}/leave", "administrator_path": ROOT if visit.opened(CONSOLE) else ""}
    over = problem(visit, "console-role-over", **paths)
    if not is_readable:  # one that was planted for a longer path: no answer elsewhere could take it away
        forget_cookie(over, visit, ROLE_COOKIE, but="/")
    return over


_BAD_VALUE = re.compile(r"\d+ validation errors? detected: Value '(.*?)' at '(\w+)' ", re.DOTALL | re.ASCII)
_NOUNS = {
    "userId": "user",
    "groupId": "group",
    "permissionSetArn": "permission set",
    "accountId": "account",
}


def _in_plain_words(error: ServiceError) -> ServiceError:
    """Return the refusal of a page's address, which nobody typed as a pattern, in words."""
    found = _BAD_VALUE.match(error.message)
    noun = _NOUNS.get(found[2]) if found else None
    if found is None or noun is None:
        return error
    value = found[1].rpartition("/")[2]
    said = f"There is no {noun} {value!r}." if value else f"The address names no {noun}."
    return not_found(f"{said} Choose one from the list.")


def _show_refused(console: Console) -> Response:
    """Say what kept a page from being shown, in the console's frame."""
    code = getattr(console.refusal, "code", "")
    status = 403 if code == "AccessDeniedException" else 404 if code.endswith("NotFoundException") else 400
    return console.show("refused.html", status=status)


def _role_key(visit: Visit) -> str | None:
    """Return the access key id of the role at the console in this browser; None: nobody came with one.

    Empty where somebody did, and which one it was cannot be read.
    """
    if ROLE_COOKIE not in visit.cookies and ROLE_COOKIE not in visit.doubtful_cookies:
        return None
    sealed = visit.cookies.get(ROLE_COOKIE, "")
    found = visit.house.seals.unseal(_seal_of(visit), sealed, max_age_s=COOKIE_LIFETIME_S)
    return found if isinstance(found, str) else ""


def _seal_of(visit: Visit) -> str:
    return f"console-role {visit.browser}"


def _as_administrator(visit: Visit, context: Context) -> Console:
    return Console(visit, _in_region(replace(context, caller=administrator_of(context.double))))


def _as_role(visit: Visit, context: Context, key: str) -> Console | None:
    """Return the console as a role that somebody came with; None once its credentials have ended."""
    issued = context.double.secret_of(key)
    if issued is None or (issued.expires_at is not None and issued.expires_at <= context.now):
        return None
    role = issued.caller.principal_arn.split("/")[-2]
    name = role.removeprefix("AWSReservedSSO_").rpartition("_")[0]
    return Console(visit, _in_region(replace(context, caller=issued.caller)), name)


def _administered(context: Context) -> list[tuple[str, str]]:
    """Return ARN and Region of what the caller's account administers: the organization's first."""
    rows = [row for row in visible_instances(context) if is_administrator(context, row)]
    rows.sort(key=lambda row: str(row["kind"]), reverse=True)
    return [(row["instance_arn"], row["region"]) for row in rows]


def _in_region(context: Context) -> Context:
    """Return the context in the Region of the caller's instance: this console has no choice of Regions."""
    region = next((region for _, region in _administered(context)), context.region)
    return replace(context, region=region)


def enter(visit: Visit) -> Response:
    """Let a person who is signed in to the portal come in with a role, with exactly its permissions."""
    account_id, role_name = visit.form.get("account_id", ""), visit.form.get("role_name", "")
    with visit.open_signed_in() as (context, who):
        issued = issue_role_credentials(context, who.person.user_id, account_id, role_name)
        named = {"account_id": account_id, "role_name": role_name}
        record_at_portal(context, "Federate", who.person.user_id, named, eventTime=issued.issued_at)
        record_console_login(context, issued.access_key_id)
    answer = redirect(visit, ROOT)
    sealed = visit.house.seals.seal(_seal_of(visit), issued.access_key_id)
    # It outlives what it opens: that the role is over must be said for as long as its pages may be open.
    set_cookie(answer, visit, ROLE_COOKIE, sealed, max_age_s=LONGEST_COOKIE_S)
    return answer


def leave(visit: Visit) -> Response:
    """Put down the role with which somebody came in; the portal is next, or the page that they ask for."""
    answer = redirect(visit, next_path(visit))
    forget_cookie(answer, visit, ROLE_COOKIE)
    return answer
