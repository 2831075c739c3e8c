"""Who is assigned to an application, and whether one has to be."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import is_administrator, require_visible_instance
from idc_sandbox.api.sso_admin.applications import find_application
from idc_sandbox.api.sso_admin.rules import principal_exists
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, conflict, not_found
from idc_sandbox.wire.registry import Listing, operation


@operation("sso-admin", "CreateApplicationAssignment")
def create_application_assignment(context: Context, request: dict[str, Any]) -> None:
    """Let a user or a group use an application, at once; what is assigned already is a conflict."""
    application = find_application(context, request)
    if not principal_exists(context, application["instance_arn"], request):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in the identity store of "
            f"{application['instance_arn']!r}."
        )
    if context.find("application_assignment", **_key(request)):
        raise conflict(
            f"{request['PrincipalType']} {request['PrincipalId']!r} is assigned to the application "
            f"{application['name']!r} already."
        )
    context.insert("application_assignment", **_key(request), created_at=context.now)


@operation("sso-admin", "DeleteApplicationAssignment")
def delete_application_assignment(context: Context, request: dict[str, Any]) -> None:
    """Take an assignment away, also of a deleted user or group; one that is not there is no error."""
    find_application(context, request)
    context.delete("application_assignment", **_key(request))


@operation("sso-admin", "DescribeApplicationAssignment")
def describe_application_assignment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return a direct assignment: what a user has through a group is not one."""
    application = find_application(context, request)
    row = context.find("application_assignment", **_key(request))
    if row is None:
        raise not_found(
            f"{request['PrincipalType']} {request['PrincipalId']!r} is not assigned to the application "
            f"{application['name']!r} directly. ListApplicationAssignmentsForPrincipal shows groups too."
        )
    return _shown(row)


@operation("sso-admin", "ListApplicationAssignments")
def list_application_assignments(context: Context, request: dict[str, Any]) -> Listing:
    """List the users and groups that are assigned to an application."""
    application = find_application(context, request)
    rows = context.find_all("application_assignment", application_arn=application["application_arn"])
    return Listing(rows, _order, _shown)


@operation("sso-admin", "ListApplicationAssignmentsForPrincipal")
def list_application_assignments_for_principal(context: Context, request: dict[str, Any]) -> Listing:
    """List what a user or group is assigned to: for a user, also what their groups are, under their names."""
    instance = require_visible_instance(context, request["InstanceArn"])
    wanted = (request.get("Filter") or {}).get("ApplicationArn")
    if not is_administrator(context, instance):
        if wanted is None:
            raise access_denied(
                f"Account {context.caller.account_id!r} does not administer the instance "
                f"{request['InstanceArn']!r}: filter by the ApplicationArn of an application of your own."
            )
        find_application(context, {"ApplicationArn": wanted})
    if not principal_exists(context, request["InstanceArn"], request):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in {request['InstanceArn']!r}."
        )
    rows = context.rows(
        "SELECT application_assignment.* FROM application_assignment JOIN application USING (application_arn)"
        " WHERE instance_arn = :InstanceArn AND ("
        " (principal_type = :PrincipalType AND principal_id = :PrincipalId)"
        " OR (:PrincipalType = 'USER' AND principal_type = 'GROUP' AND principal_id IN"
        " (SELECT group_id FROM group_membership WHERE user_id = :PrincipalId)))",
        **{name: request[name] for name in ("InstanceArn", "PrincipalType", "PrincipalId")},
    )
    return Listing([row for row in rows if wanted in (None, row["application_arn"])], _order, _shown)


@operation("sso-admin", "PutApplicationAssignmentConfiguration")
def put_application_assignment_configuration(context: Context, request: dict[str, Any]) -> None:
    """Say whether only who is assigned may use an application, or everybody; assignments stay."""
    application = find_application(context, request)
    context.update("application", application, assignment_required=int(request["AssignmentRequired"]))


@operation("sso-admin", "GetApplicationAssignmentConfiguration")
def get_application_assignment_configuration(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Tell whether only who is assigned may use an application."""
    return {"AssignmentRequired": bool(find_application(context, request)["assignment_required"])}


def applications_of_user(context: Context, user_id: str) -> list[sqlite3.Row]:
    """Return the enabled applications that a user may use: assigned, through a group, or open to all."""
    return context.rows(_OF_USER, user=user_id)


def may_use_application(context: Context, user_id: str, application_arn: str) -> bool:
    """Tell whether a user may use an application."""
    return application_arn in {row["application_arn"] for row in applications_of_user(context, user_id)}


_OF_USER = """
SELECT * FROM application
WHERE status = 'ENABLED'
    AND instance_arn = (
        SELECT instance_arn FROM instance JOIN identity_user USING (identity_store_id) WHERE user_id = :user)
    AND (NOT assignment_required OR application_arn IN (
        SELECT application_arn FROM application_assignment
        WHERE (principal_type = 'USER' AND principal_id = :user)
            OR (principal_type = 'GROUP' AND principal_id IN (
                SELECT group_id FROM group_membership WHERE user_id = :user))))
"""


def _key(request: dict[str, Any]) -> dict[str, str]:
    return {
        "application_arn": request["ApplicationArn"],
        "principal_type": request["PrincipalType"],
        "principal_id": request["PrincipalId"],
    }


def _order(row: sqlite3.Row) -> str:
    return f"{row['application_arn']} {row['principal_type']} {row['principal_id']}"


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "ApplicationArn": row["application_arn"],
        "PrincipalType": row["principal_type"],
        "PrincipalId": row["principal_id"],
    }
