"""``/authorize``: a program on the person's machine asks through the browser; consent, and back to it.

Source: RFC 6749, section 4.1. The query stays in the address through sign-in and consent.
"""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from idc_sandbox.api.oidc.authorization_codes import approve_authorize, check_authorize, deny_authorize
from idc_sandbox.pages.answers import problem, render
from idc_sandbox.pages.visits import Visit
from idc_sandbox.pages.ways import to_sign_in
from idc_sandbox.sign_in.refusals import Refusal

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
