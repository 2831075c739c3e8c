"""AWS account access at the portal: the roles that entitlements give a person, and their keys."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.api.account_access.access_runtime import (
    find_person_application,
    issue_access_credentials,
    list_access_roles,
)
from idc_sandbox.errors import ServiceError
from idc_sandbox.pages.visits import Visit, problem, render
from idc_sandbox.sign_in.people import Refusal
from idc_sandbox.trail.people import record_at_portal


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
