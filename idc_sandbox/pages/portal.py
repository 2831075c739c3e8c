"""The access portal: accounts, roles, access keys, devices, account access, and consent to a client."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from idc_sandbox.api.account_access.access_runtime import (
    find_person_application,
    issue_access_credentials,
    list_access_roles,
)
from idc_sandbox.api.oidc.authorizations import (
    approve_authorize,
    approve_device,
    check_authorize,
    deny_authorize,
    deny_device,
    find_device_request,
)
from idc_sandbox.api.portal import (
    issue_role_credentials,
    list_portal_accounts,
    list_portal_applications,
    list_portal_roles,
    require_portal_role,
    role_session_name,
)
from idc_sandbox.api.sso_admin.applications import find_enabled_application
from idc_sandbox.errors import ServiceError
from idc_sandbox.loopback import HOST
from idc_sandbox.pages.sign_in import registration_forms
from idc_sandbox.pages.visits import (
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    SignInNeededError,
    Visit,
    notice_of,
    problem,
    redirect,
    render,
    set_cookie,
)
from idc_sandbox.sign_in import devices
from idc_sandbox.sign_in.people import Refusal, end_session, portal_instance, refuse, start_urls
from idc_sandbox.trail.people import record_at_portal

# The device page: a program in a terminal waits, and its person compares the code, then allows or denies.

_LONGEST_CODE = 64


def show_device(visit: Visit) -> Response:
    """Ask for the code, or, when the link brought it along, whether the terminal shows the same."""
    code = _linked_code(visit)
    if not code:
        return ask_code(visit)
    with visit.open_signed_in() as (context, who):
        waiting = find_device_request(context, code)
    return render(visit, "device_confirm.html", who, waiting=waiting)


def confirm_code(visit: Visit) -> Response:
    """Go on to the consent when the person says that the codes are the same; deny when not."""
    if visit.form.get("same") != "yes":
        return _finish_device(visit, is_allowed=False)
    with visit.open_signed_in() as (context, who):
        waiting = find_device_request(context, visit.form.get("user_code", ""))
    action = visit.link("/start/device/answer")
    return render(visit, "consent.html", who, asked=waiting, action=action, user_code=waiting.user_code)


def take_device_answer(visit: Visit) -> Response:
    """Allow or deny what the program asked for."""
    return _finish_device(visit, is_allowed=visit.form.get("answer") == "allow")


def ask_code(visit: Visit, refusal: Refusal | ServiceError | None = None) -> Response:
    """Ask for the code in the terminal; a second time with what is wrong with the first one."""
    with visit.open_signed_in() as (_, who):
        pass
    message = "" if refusal is None else refusal.message
    return render(visit, "device_code.html", who, code=_linked_code(visit), message=message)


def _linked_code(visit: Visit) -> str:
    return visit.request.query_params.get("user_code", "")[:_LONGEST_CODE]


def _finish_device(visit: Visit, *, is_allowed: bool) -> Response:
    code = visit.form.get("user_code", "")
    with visit.open_signed_in() as (context, who):
        if is_allowed:
            approve_device(context, code, who.session.session_id)
        else:
            deny_device(context, code)
    return render(visit, "device_done.html", who, is_allowed=is_allowed)


_LONGEST_DESTINATION = 2048
_CONSOLE_SERVICE = "singlesignon"  # as addresses of Identity Center's console call it


def show_portal(visit: Visit) -> Response:
    """Show the accounts in which the person has roles, and the person's applications."""
    with visit.open_signed_in() as (context, who):
        user_id = who.person.user_id
        accounts = [
            (account, list_portal_roles(context, user_id, account.account_id))
            for account in list_portal_accounts(context, user_id)
        ]
        shown_url = start_urls(context)[0]
        applications = list_portal_applications(context, user_id)
        record_at_portal(context, "ListApplications", user_id)
        has_access_roles = bool(list_access_roles(context, user_id))
    return render(
        visit,
        "portal.html",
        who,
        accounts=accounts,
        applications=applications,
        has_access_roles=has_access_roles,
        start_url=shown_url,
    )


def sign_out(visit: Visit) -> Response:
    """End the session, and with it the tokens of programs that it led to."""
    with visit.open() as context:
        if (who := visit.find_person(context)) is not None:
            end_session(context, who.session.session_id)
            record_at_portal(context, "Logout", who.person.user_id)
    answer = redirect(visit, "/start/sign-in?notice=signed-out")
    for name in (SESSION_COOKIE, SIGN_IN_COOKIE):
        set_cookie(answer, visit, name, "")
    return answer


def show_access_keys(visit: Visit) -> Response:
    """Show the ways to use a role's credentials; each time it is loaded, new ones are made."""
    account_id, role_name = visit.request.path_params["account_id"], visit.request.path_params["role_name"]
    with visit.open_signed_in() as (context, who):
        issued = issue_role_credentials(context, who.person.user_id, account_id, role_name)
        named = {"account_id": account_id, "role_name": role_name}
        record_at_portal(context, "GetRoleCredentials", who.person.user_id, named, eventTime=issued.issued_at)
        return render(
            visit,
            "access_keys.html",
            who,
            role=require_portal_role(context, who.person.user_id, account_id, role_name),
            issued=issued,
            lasts_s=issued.expires_at - context.now,
            start_url=start_urls(context)[0],
            region=portal_instance(context)["region"],
        )


def show_console(visit: Visit) -> Response:
    """Show where a role's console link leads; the landing page's address is shown, never followed."""
    account_id, role_name = (
        visit.request.query_params.get("account_id", ""),
        visit.request.query_params.get("role_name", ""),
    )
    with visit.open_signed_in() as (context, who):
        role = require_portal_role(context, who.person.user_id, account_id, role_name)
        accounts = list_portal_accounts(context, who.person.user_id)
        now = context.now
        named = {"account_id": account_id, "role_name": role_name}
        record_at_portal(context, "Federate", who.person.user_id, named, readOnly=False)
    destination = visit.request.query_params.get("destination", "")[:_LONGEST_DESTINATION]
    landing = destination or role.relay_state or ""
    session_name = role_session_name(who.person.user_name)
    return render(
        visit,
        "console.html",
        who,
        role=role,
        account=next(one for one in accounts if one.account_id == account_id),
        principal=f"arn:aws:sts::{account_id}:assumed-role/{role.role_name}/{session_name}",
        started_at=now,
        ends_at=now + role.session_duration_s,
        landing=landing,
        landing_is_relay_state=not destination,
        service=console_service(landing),
        leads_to_practice_console=console_service(landing) == _CONSOLE_SERVICE,
    )


def console_service(url: str) -> str:
    """Return which service's console an address is of, such as ``"s3"``; empty when it is of none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    is_console = host == "console.aws.amazon.com" or host.endswith(".console.aws.amazon.com")
    return parts.path.strip("/").partition("/")[0] if parts.scheme == "https" and is_console else ""


def refuse_access(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show that the person cannot have a role's credentials or console."""
    status = 403 if refusal.code == "no-access" else 400
    return problem(visit, "access-refused", message=refusal.message, status=status)


# My devices: a person's own MFA devices, where the administrator lets people manage them.

_DEVICES_PATH = "/start/devices"


def show_devices(visit: Visit, refusal: Refusal | ServiceError | None = None) -> Response:
    """Show the devices, with what may be done to them."""
    with visit.open_signed_in() as (context, who):
        shown = devices.list_devices(context, who.person.user_id)
        may_manage = devices.may_manage_own_devices(context, who.person.user_id)
    return render(
        visit,
        "devices.html",
        who,
        devices=shown,
        may_manage=may_manage,
        limits=devices.LIMIT_OF_KIND,
        message=notice_of(visit, "devices") if refusal is None else refusal.message,
        is_error=refusal is not None,
    )


def change_device(visit: Visit) -> Response:
    """Rename or delete a device."""
    action, device_id = visit.request.path_params["action"], visit.request.path_params["device_id"]
    with visit.open_signed_in() as (context, who):
        user_id = who.person.user_id
        devices.require_own_management(context, user_id)
        if action == "rename":
            devices.rename_device(context, user_id, device_id, visit.form.get("name", ""))
        elif action == "delete":
            devices.delete_device(context, user_id, device_id)
        else:
            raise refuse("unknown-action")
    return redirect(visit, f"{_DEVICES_PATH}?notice={action}")


def show_registration(visit: Visit, refusal: Refusal | ServiceError | None = None) -> Response:
    """Show the forms for another device."""
    with visit.open_signed_in() as (context, who):
        if not devices.may_manage_own_devices(context, who.person.user_id):
            return redirect(visit, _DEVICES_PATH)
        values = registration_forms(context, who.person.user_id)
    message = "" if refusal is None else refusal.message
    return render(visit, "devices_register.html", who, message=message, is_error=bool(message), **values)


def register(visit: Visit) -> Response:
    """Register an authenticator app or a security key."""
    with visit.open_signed_in() as (context, who):
        devices.require_own_management(context, who.person.user_id)
        devices.register_device(context, who.person.user_id, visit.request.path_params["kind"], visit.form)
    return redirect(visit, f"{_DEVICES_PATH}?notice=registered")


# ``/authorize``: a program on the person's machine asks through the browser; consent, and back to it.


def show_consent(visit: Visit) -> Response:
    """Ask whether the program may act for the person; a request that is not safe is shown, never followed."""
    with visit.open() as context:
        request = check_authorize(context, visit.request.query_params)
        who = visit.find_person(context)
    if who is None:
        raise SignInNeededError
    action = visit.link(f"/authorize?{visit.request.url.query}")
    return render(visit, "consent.html", who, asked=request, action=action, leads_to=request.redirect_uri)


def consent_targets(visit: Visit) -> str:
    """Return where the answer may be sent to: an application's own site, or a program on this machine."""
    with visit.open() as context:
        asked = visit.request.query_params
        is_application = find_enabled_application(context, asked.get("client_id", "")) is not None
        try:
            site = urlsplit(check_authorize(context, asked).redirect_uri) if is_application else None
        except Refusal:
            site = None
    return f"{site.scheme}://{site.netloc}" if site else f"http://{HOST}:*"


def take_authorization_answer(visit: Visit) -> Response:
    """Send the browser back to the program, with a code or with the refusal."""
    with visit.open() as context:
        request = check_authorize(context, visit.request.query_params)
        if (who := visit.find_person(context)) is None:
            raise SignInNeededError
        if visit.form.get("answer") == "allow":
            url = approve_authorize(context, request, who.session.session_id)
        else:
            url = deny_authorize(request)
    return RedirectResponse(url, status_code=303)


def refuse_authorization(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show what is wrong with a program's request."""
    return problem(visit, "authorize-refused", message=refusal.message)


def show_access_roles(visit: Visit) -> Response:
    """List the roles of the person who is signed in."""
    with visit.open_signed_in() as (context, who):
        roles = list_access_roles(context, who.person.user_id)
        application = find_person_application(context, who.person.user_id)
    tenant_id = "" if application is None else application["tenant_id"]
    return render(visit, "access_roles.html", who, roles=roles, tenant_id=tenant_id)


def show_access_role_keys(visit: Visit) -> Response:
    """Show new keys of a role; each time it is loaded, others are made."""
    role_arn = visit.request.query_params.get("role_arn", "")
    with visit.open_signed_in() as (context, who):
        issued = issue_access_credentials(context, who.person.user_id, role_arn)
        record_at_portal(context, "GetRoleCredentials", who.person.user_id, {"role_arn": role_arn})
        lasts_s = issued.expires_at - context.now
    return render(visit, "access_role_keys.html", who, role_arn=role_arn, issued=issued, lasts_s=lasts_s)


def refuse_access_role(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show that the person cannot have a role."""
    return problem(visit, "access-refused", message=refusal.message, status=403)
