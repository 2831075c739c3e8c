"""The access portal: accounts, roles, access keys, the console's landing page, sign out."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from idc_sandbox.api.portal.access import (
    PortalRole,
    issue_role_credentials,
    list_portal_accounts,
    list_portal_roles,
    role_session_name,
)
from idc_sandbox.context import Context
from idc_sandbox.pages.answers import problem, redirect, render, set_cookie
from idc_sandbox.pages.credential_texts import credential_texts
from idc_sandbox.pages.visits import SESSION_COOKIE, SIGN_IN_COOKIE, Visit
from idc_sandbox.pages.ways import to_sign_in
from idc_sandbox.sign_in.people import portal_instance, start_urls
from idc_sandbox.sign_in.portal_sessions import end_session
from idc_sandbox.sign_in.refusals import Refusal

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
