"""The access portal: accounts, roles, access keys, devices, and consent to a client."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from idc_sandbox.api.oidc.authorizations import (
    approve_authorize,
    approve_device,
    check_authorize,
    deny_authorize,
    deny_device,
    find_device_request,
)
from idc_sandbox.api.portal.access import (
    PortalRole,
    RoleCredentials,
    issue_role_credentials,
    list_portal_accounts,
    list_portal_roles,
    role_session_name,
)
from idc_sandbox.context import Context
from idc_sandbox.pages.sign_in import qr_picture
from idc_sandbox.pages.visits import (
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    Visit,
    problem,
    redirect,
    render,
    set_cookie,
    to_sign_in,
)
from idc_sandbox.sign_in import devices
from idc_sandbox.sign_in.people import Person, Refusal, end_session, portal_instance, start_urls

# The device page: a program in a terminal waits, and its person compares the code, then allows or denies.

_DEVICE_LOGIN_PATH = "/start/device"
_LONGEST_CODE = 64


def show_device(visit: Visit) -> Response:
    """Ask for the code, or, when the link brought it along, whether the terminal shows the same."""
    code = visit.query.get("user_code", "")[:_LONGEST_CODE]
    if not code:
        return _ask_code(visit, "")
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            waiting = find_device_request(context, code)
    except Refusal as refusal:
        return _ask_code(visit, refusal.message, code)
    return render(visit, "device_confirm.html", person=who[1], session=who[0], waiting=waiting)


def return_to_device(visit: Visit) -> Response:
    """Answer who loads the address of a form."""
    return redirect(visit, _DEVICE_LOGIN_PATH)


def confirm_code(visit: Visit) -> Response:
    """Go on to the consent when the person says that the codes are the same; deny when not."""
    code = visit.form.get("user_code", "")
    if visit.form.get("same") != "yes":
        return _finish(visit, code, is_allowed=False)
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            waiting = find_device_request(context, code)
    except Refusal as refusal:
        return _ask_code(visit, refusal.message)
    return render(
        visit,
        "consent.html",
        person=who[1],
        session=who[0],
        client_name=waiting.client_name,
        scopes=waiting.scopes,
        action=visit.link("/start/device/answer"),
        user_code=waiting.user_code,
        leads_to="",
    )


def take_device_answer(visit: Visit) -> Response:
    """Allow or deny what the program asked for."""
    return _finish(visit, visit.form.get("user_code", ""), is_allowed=visit.form.get("answer") == "allow")


def _finish(visit: Visit, code: str, *, is_allowed: bool) -> Response:
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            if is_allowed:
                approve_device(context, code, who[0].session_id)
            else:
                deny_device(context, code)
    except Refusal as refusal:
        return _ask_code(visit, refusal.message)
    return render(visit, "device_done.html", person=who[1], session=who[0], is_allowed=is_allowed)


def _ask_code(visit: Visit, message: str, code: str = "") -> Response:
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
    return render(visit, "device_code.html", person=who[1], session=who[0], code=code, message=message)


# A role's credentials in the ways that people paste them: three shells, a profile, single values.


def credential_values(issued: RoleCredentials) -> dict[str, str]:
    """Return the three values under the names of AWS's files."""
    return {
        "aws_access_key_id": issued.access_key_id,
        "aws_secret_access_key": issued.secret_access_key,
        "aws_session_token": issued.session_token,
    }


def credential_texts(issued: RoleCredentials, account_id: str, role_name: str) -> dict[str, str]:
    """Return texts to paste: ``bash``, ``powershell``, ``cmd`` and ``profile``."""
    values = credential_values(issued)
    profile = "".join(f"\n{name} = {value}" for name, value in values.items())
    return {
        "bash": "\n".join(f'export {name.upper()}="{value}"' for name, value in values.items()),
        "powershell": "\n".join(f'$Env:{name.upper()}="{value}"' for name, value in values.items()),
        "cmd": "\n".join(f"SET {name.upper()}={value}" for name, value in values.items()),
        "profile": f"[{account_id}_{role_name}]{profile}",
    }


_LONGEST_DESTINATION = 2048


def show_portal(visit: Visit) -> Response:
    """Show the accounts in which the person has roles."""
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
        session, person = who
        accounts = [
            (account, list_portal_roles(context, person.user_id, account.account_id))
            for account in list_portal_accounts(context, person.user_id)
        ]
        shown_url = start_urls(context)[0]
    return render(
        visit, "portal.html", person=person, session=session, accounts=accounts, start_url=shown_url
    )


def sign_out(visit: Visit) -> Response:
    """End the session, and with it the tokens of programs that it led to."""
    with visit.open() as context:
        if (who := visit.find_person(context)) is not None:
            end_session(context, who[0].session_id)
    answer = redirect(visit, "/start/sign-in?notice=signed-out")
    for name in (SESSION_COOKIE, SIGN_IN_COOKIE):
        set_cookie(answer, visit, name, "")
    return answer


def show_access_keys(visit: Visit) -> Response:
    """Show the ways to use a role's credentials; each time it is loaded, new ones are made."""
    account_id, role_name = visit.parameters["account_id"], visit.parameters["role_name"]
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            session, person = who
            issued = issue_role_credentials(context, person.user_id, account_id, role_name)
            role = _require_role(context, person.user_id, account_id, role_name)
            start_url, region = start_urls(context)[0], portal_instance(context)["region"]
            now = context.now
    except Refusal as refusal:
        return _no_access(visit, refusal)
    return render(
        visit,
        "access_keys.html",
        person=person,
        session=session,
        role=role,
        issued=issued,
        lasts_s=issued.expires_at - now,
        texts=credential_texts(issued, account_id, role_name),
        start_url=start_url,
        region=region,
    )


def show_console(visit: Visit) -> Response:
    """Show where a role's console link leads: account, role, until when, and the landing page as text.

    Nothing leads out of the sandbox: the address of the landing page is shown, never followed.
    """
    account_id, role_name = visit.query.get("account_id", ""), visit.query.get("role_name", "")
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            session, person = who
            role = _require_role(context, person.user_id, account_id, role_name)
            accounts = list_portal_accounts(context, person.user_id)
            now = context.now
    except Refusal as refusal:
        return _no_access(visit, refusal)
    destination = visit.query.get("destination", "")[:_LONGEST_DESTINATION]
    landing = destination or role.relay_state or ""
    return render(
        visit,
        "console.html",
        person=person,
        session=session,
        role=role,
        account=next(one for one in accounts if one.account_id == account_id),
        principal=f"arn:aws:sts::{account_id}:assumed-role/{role.role_name}/{role_session_name(person.user_name)}",
        started_at=now,
        ends_at=now + role.session_duration_s,
        landing=landing,
        landing_is_relay_state=not destination,
        service=console_service(landing),
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


def _require_role(context: Context, user_id: str, account_id: str, role_name: str) -> PortalRole:
    for role in list_portal_roles(context, user_id, account_id):
        if role.permission_set_name == role_name:
            return role
    raise Refusal(
        "no-access",
        f"You have no role {role_name[:64]!r} in account {account_id[:32]!r}; choose one that the access "
        "portal shows.",
    )


def _no_access(visit: Visit, refusal: Refusal) -> Response:
    return problem(
        visit,
        "No access",
        refusal.message,
        status=403 if refusal.code == "no-access" else 400,
        next_path="/start",
        next_label="Go to the access portal",
    )


# My devices: a person's own MFA devices, where the administrator lets people manage them.

_DEVICES_PATH = "/start/devices"
_NOTICES = {
    "registered": "The device is registered.",
    "rename": "The device has its new name.",
    "delete": "The device is deleted.",
}


def show_devices(visit: Visit) -> Response:
    """Show the devices, with what may be done to them."""
    return _show_devices(visit, _NOTICES.get(visit.query.get("notice", ""), ""), is_error=False)


def return_to_devices(visit: Visit) -> Response:
    """Answer who loads the address of a form."""
    return redirect(visit, _DEVICES_PATH)


def return_to_registration(visit: Visit) -> Response:
    """Answer who loads the address of a registration's form."""
    return redirect(visit, f"{_DEVICES_PATH}/register")


def change_device(visit: Visit) -> Response:
    """Rename or delete a device."""
    action, device_id = visit.parameters["action"], visit.parameters["device_id"]
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            user_id = who[1].user_id
            devices.require_own_management(context, user_id)
            if action == "rename":
                devices.rename_device(context, user_id, device_id, visit.form.get("name", ""))
            elif action == "delete":
                devices.delete_device(context, user_id, device_id)
            else:
                raise Refusal("unknown-action", "A device can be renamed and deleted, nothing else.")
    except Refusal as refusal:
        return _show_devices(visit, refusal.message, is_error=True)
    return redirect(visit, f"{_DEVICES_PATH}?notice={action}")


def show_registration(visit: Visit) -> Response:
    """Show the forms for another device."""
    return _show_registration(visit, "")


def register(visit: Visit) -> Response:
    """Register an authenticator app or a security key."""
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            devices.require_own_management(context, who[1].user_id)
            _register(context, visit, who[1])
    except Refusal as refusal:
        return _show_registration(visit, refusal.message)
    return redirect(visit, f"{_DEVICES_PATH}?notice=registered")


def _register(context: Context, visit: Visit, person: Person) -> None:
    name = visit.form.get("name") or None
    match visit.parameters["kind"]:
        case "totp":
            devices.finish_app_registration(context, person.user_id, visit.form.get("code", ""), name)
        case "webauthn":
            devices.finish_registration(
                context,
                person.user_id,
                visit.form.get("credential", ""),
                relying_party_id=visit.site.relying_party_id,
                origin=visit.site.origin,
                name=name,
            )
        case kind:
            raise Refusal("unknown-kind", f"There is no kind of device {kind[:32]!r}; choose one below.")


def _show_devices(visit: Visit, message: str, *, is_error: bool) -> Response:
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
        session, person = who
        shown = devices.list_devices(context, person.user_id)
        may_manage = devices.may_manage_own_devices(context, person.user_id)
    return render(
        visit,
        "devices.html",
        person=person,
        session=session,
        devices=shown,
        may_manage=may_manage,
        limits=devices.LIMIT_OF_KIND,
        message=message,
        is_error=is_error,
    )


def _show_registration(visit: Visit, message: str) -> Response:
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
        session, person = who
        if not devices.may_manage_own_devices(context, person.user_id):
            return redirect(visit, _DEVICES_PATH)
        values = _registration_values(context, visit, person)
    return render(
        visit,
        "devices_register.html",
        person=person,
        session=session,
        message=message,
        is_error=bool(message),
        **values,
    )


def _registration_values(context: Context, visit: Visit, person: Person) -> dict[str, Any]:
    """Return what each form needs; a kind that cannot be registered has its reason instead."""
    values: dict[str, Any] = {"registration": None, "picture": "", "options": None, "reasons": []}
    try:
        values["registration"] = devices.pending_registration(context, person.user_id)
        values["picture"] = qr_picture(values["registration"].uri)
    except Refusal as refusal:
        values["reasons"].append(refusal.message)
    try:
        values["options"] = devices.registration_options(
            context, person.user_id, relying_party_id=visit.site.relying_party_id
        )
    except Refusal as refusal:
        values["reasons"].append(refusal.message)
    return values


# ``/authorize``: a program on the person's machine asks through the browser; consent, and back to it.

_TITLE = "This request cannot be answered"


def show_consent(visit: Visit) -> Response:
    """Ask whether the program may act for the person; a request that is not safe is shown, never followed."""
    try:
        with visit.open() as context:
            request = check_authorize(context, visit.query)
            who = visit.find_person(context)
    except Refusal as refusal:
        return problem(visit, _TITLE, refusal.message, status=400)
    if who is None:
        return to_sign_in(visit)
    return render(
        visit,
        "consent.html",
        person=who[1],
        session=who[0],
        client_name=request.client_name,
        scopes=request.scopes,
        action=visit.link(f"/authorize?{visit.query_string}"),
        user_code="",
        leads_to=request.redirect_uri,
    )


def take_authorization_answer(visit: Visit) -> Response:
    """Send the browser back to the program, with a code or with the refusal."""
    try:
        with visit.open() as context:
            request = check_authorize(context, visit.query)
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            if visit.form.get("answer") == "allow":
                url = approve_authorize(context, request, who[0].session_id)
            else:
                url = deny_authorize(request)
    except Refusal as refusal:
        return problem(visit, _TITLE, refusal.message, status=400)
    return RedirectResponse(url, status_code=303)
