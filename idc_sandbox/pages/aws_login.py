"""The page of ``aws login``: somebody proves who they are, and so lets the AWS CLI work as them."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from idc_sandbox.api.portal import list_portal_accounts, list_portal_roles
from idc_sandbox.api.signin.logins import (
    LoginPrincipal,
    LoginRequest,
    approve_login,
    check_login,
    code_to_carry,
    role_of_person,
    sign_in_user,
    where_login_leads,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.loopback import HOST
from idc_sandbox.pages.visits import SignInNeededError, Visit, problem, render, with_next
from idc_sandbox.sign_in.people import Refusal

_LONGEST_FIELD = 256


def show_login(visit: Visit, message: str = "", status: int = 200) -> Response:
    """Ask who the AWS CLI may work as; a request that is not safe is shown, never followed."""
    with visit.open() as context:
        request = check_login(visit.request.query_params)
        who = visit.find_person(context)
        user_id = "" if who is None else who.person.user_id
        roles = [
            (account, role)
            for account in (list_portal_accounts(context, user_id) if who else [])
            for role in list_portal_roles(context, user_id, account.account_id)
        ]
        management_account_id = context.double.management_account_id
    here = f"/v1/authorize?{visit.request.url.query}"
    return render(
        visit,
        "aws_login.html",
        who,
        status=status,
        asked=request,
        roles=roles,
        action=visit.link(here),
        portal_path=visit.link(with_next("/start/sign-in", here)),
        account_id=visit.form.get("account_id", "") or management_account_id,
        user_name=visit.form.get("user_name", ""),
        message=message,
    )


def take_login(visit: Visit) -> Response:
    """Send the browser back to the program with a code, or show the code that the person carries there."""
    message = ""
    with visit.open() as context:
        request = check_login(visit.request.query_params)
        if visit.form.get("answer") == "deny":
            return _deny(visit, request)
        principal = _principal(visit, context)
        if isinstance(principal, LoginPrincipal):
            code = approve_login(context, request, principal)
        else:
            message = principal
    if message:
        return show_login(visit, message, status=400)
    if request.is_remote:
        return render(visit, "aws_login_code.html", code=code_to_carry(request, code))
    return RedirectResponse(where_login_leads(request, code=code), status_code=303)


def refuse_login(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show what is wrong with a program's request, or what the person is not allowed to do."""
    if refusal.code == "AccessDeniedException":
        return show_login(visit, refusal.message, status=403)
    return problem(visit, "authorize-refused", message=refusal.message)


def login_targets(_visit: Visit) -> str:
    """Return where the answer may be sent to: a program on this machine."""
    return f"http://{HOST}:*"


def _principal(visit: Visit, context: Context) -> LoginPrincipal | str:
    """Return who the form says that somebody is, or what is wrong with it."""
    if chosen := visit.form.get("role", ""):
        if (who := visit.find_person(context)) is None:
            raise SignInNeededError
        account_id, _, name = chosen.partition("/")
        return role_of_person(context, who.person, account_id, name)
    fields = (visit.form.get(name, "")[:_LONGEST_FIELD] for name in ("account_id", "user_name", "password"))
    client = visit.request.client.host if visit.request.client else ""
    account_id, user_name, password = fields
    return sign_in_user(context, account_id.strip(), user_name.strip(), password, client=client)


def _deny(visit: Visit, request: LoginRequest) -> Response:
    if request.is_remote:
        return problem(visit, "login-denied")
    return RedirectResponse(where_login_leads(request, error="access_denied"), status_code=303)
