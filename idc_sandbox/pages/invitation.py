"""The page behind the link of an invitation or of a password reset: choose a password, once."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.answers import problem, redirect, render
from idc_sandbox.pages.sign_in_steps import passwords_differ
from idc_sandbox.pages.visits import Visit
from idc_sandbox.sign_in import invitations, passwords
from idc_sandbox.sign_in.refusals import Refusal


def show_invitation(visit: Visit) -> Response:
    """Show whom the link is for, and the form; to load it uses nothing up."""
    return _show(visit, "")


def accept_invitation(visit: Visit) -> Response:
    """Set the password and lead to the sign-in; a password that is no good leaves the link usable."""
    new = visit.form.get("new_password", "")
    if new != visit.form.get("confirm_password", ""):
        return _show(visit, passwords_differ())
    try:
        with visit.open() as context:
            invitations.accept(context, visit.parameters["token"], new)
    except Refusal as refusal:
        return _show(visit, refusal.message)
    return redirect(visit, "/start/sign-in?notice=password-set")


def _show(visit: Visit, message: str) -> Response:
    try:
        with visit.open() as context:
            invitation = invitations.look_at_invitation(context, visit.parameters["token"])
    except Refusal as refusal:
        return problem(
            visit,
            "This link opens nothing",
            refusal.message,
            status=410 if refusal.code in ("invitation-used", "invitation-expired") else 404,
            next_path="/start",
            next_label="Go to the access portal",
        )
    return render(
        visit,
        "invitation.html",
        invitation=invitation,
        message=message,
        is_error=bool(message),
        shortest=passwords.SHORTEST,
        longest=passwords.LONGEST,
    )
