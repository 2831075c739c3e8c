"""Applications: the list, one application with its assigned users and groups, and who else is assigned."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from idc_sandbox.api.sso_admin.applications import is_customer_managed
from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.desk import ROOT, Screen
from idc_sandbox.pages.console.directory import Directory, in_directory, readable, ticked

_APPLICATIONS = f"{ROOT}/applications"
_CRUMBS = (("Applications", _APPLICATIONS),)
_TABS = (("AWS managed", _APPLICATIONS), ("Customer managed", f"{_APPLICATIONS}?tab=customer-managed"))
_KINDS = {"user": "USER", "group": "GROUP"}


def _show_applications(directory: Directory) -> Response:
    """Show the applications of one kind."""
    console = directory.console
    is_customers = console.query("tab") == "customer-managed"
    found = console.items("sso-admin", "ListApplications", InstanceArn=directory.instance_arn)
    return console.show(
        "applications.html",
        tabs=_TABS,
        here=_TABS[is_customers][1],
        is_customer_managed=is_customers,
        applications=[
            one for one in found if is_customer_managed(one["ApplicationProviderArn"]) is is_customers
        ],
    )


def _application(directory: Directory) -> dict[str, Any]:
    """Return the application that the address names by the last part of its ARN."""
    for one in directory.console.items("sso-admin", "ListApplications", InstanceArn=directory.instance_arn):
        if one["ApplicationArn"].rpartition("/")[2] == directory.console.part("application_id"):
            found: dict[str, Any] = one
            return found
    raise validation_error("There is no such application. Applications lists those that there are.")


def _call(directory: Directory, operation: str, application: dict[str, Any], **request: Any) -> Any:
    arn = application["ApplicationArn"]
    return directory.console.call("sso-admin", operation, ApplicationArn=arn, **request)


def _assigned(directory: Directory, application: dict[str, Any]) -> list[tuple[str, str]]:
    """Return kind and id of who is assigned."""
    arn = application["ApplicationArn"]
    found = directory.console.items("sso-admin", "ListApplicationAssignments", ApplicationArn=arn)
    return [(one["PrincipalType"], one["PrincipalId"]) for one in found]


def _names(directory: Directory) -> dict[tuple[str, str], str]:
    """Return the names of all users and groups by kind and id, as far as they may be read."""
    users, groups = readable(directory.users), readable(directory.groups)
    return {("USER", one["UserId"]): one["UserName"] for one in users.value} | {
        ("GROUP", one["GroupId"]): one["DisplayName"] for one in groups.value
    }


def _show_application(directory: Directory) -> Response:
    """Show an application and who is assigned to it."""
    console, application = directory.console, _application(directory)
    names = _names(directory)
    assigned = readable(lambda: _assigned(directory, application))
    is_required = readable(
        lambda: _call(directory, "GetApplicationAssignmentConfiguration", application)["AssignmentRequired"]
    )
    return console.show(
        "application.html",
        application=application,
        is_required=is_required.value,
        assigned=[(kind, one, names.get((kind, one), f"{one} (deleted)")) for kind, one in assigned.value],
        why_not=assigned.why_not,
        here=_here(application),
        crumbs=_CRUMBS,
    )


def _path(application: dict[str, Any]) -> str:
    return f"/applications/{application['ApplicationArn'].rpartition('/')[2]}"


def _here(application: dict[str, Any]) -> str:
    return f"{ROOT}{_path(application)}"


def _take_application(directory: Directory) -> Response:
    """Remove the access of the ticked users and groups."""
    application = _application(directory)
    chosen = _require_chosen(directory)
    names = _names(directory)
    for kind, one in chosen:
        request = {"PrincipalType": kind, "PrincipalId": one}
        _call(directory, "DeleteApplicationAssignment", application, **request)
    said = ", ".join(names.get(one, one[1]) for one in chosen)
    return directory.console.go(_path(application), "application-access-removed", said)


def _require_chosen(directory: Directory) -> list[tuple[str, str]]:
    chosen = [(kind, one) for name, kind in _KINDS.items() for one in ticked(directory.console, name)]
    if not chosen:
        raise validation_error("Tick at least one user or group first.")
    return chosen


def _show_assign(directory: Directory) -> Response:
    """Show who is not assigned yet."""
    console, application = directory.console, _application(directory)
    assigned = set(_assigned(directory, application))
    others = {key: name for key, name in _names(directory).items() if key not in assigned}
    return console.show(
        "application-assign.html",
        application=application,
        users=[(one, name) for (kind, one), name in others.items() if kind == "USER"],
        groups=[(one, name) for (kind, one), name in others.items() if kind == "GROUP"],
        here=_here(application),
        crumbs=(*_CRUMBS, (application["Name"], _here(application))),
    )


def _take_assign(directory: Directory) -> Response:
    """Assign the ticked users and groups."""
    application, names = _application(directory), _names(directory)
    chosen = _require_chosen(directory)
    for kind, one in chosen:
        request = {"PrincipalType": kind, "PrincipalId": one}
        _call(directory, "CreateApplicationAssignment", application, **request)
    said = ", ".join(names.get(one, one[1]) for one in chosen)
    return directory.console.go(_path(application), "application-assigned", said)


def applications_of(directory: Directory, principal_id: str, kind: str) -> list[tuple[str, str, str]]:
    """Return path and name of the applications of a user or group, and the group through which it is."""
    found = directory.console.items(
        "sso-admin",
        "ListApplicationAssignmentsForPrincipal",
        InstanceArn=directory.instance_arn,
        PrincipalId=principal_id,
        PrincipalType=kind,
    )
    rows = []
    for one in found:
        application = directory.console.call(
            "sso-admin", "DescribeApplication", ApplicationArn=one["ApplicationArn"]
        )
        through = one["PrincipalId"] if one["PrincipalType"] != kind else ""
        rows.append((_here(application), str(application["Name"]), through))
    return sorted(rows, key=lambda row: row[1].casefold())


_ONE = "/applications/{application_id}"
APPLICATION_SCREENS = (
    Screen("/applications", in_directory(_show_applications)),
    Screen(_ONE, in_directory(_show_application), in_directory(_take_application)),
    Screen(f"{_ONE}/assign", in_directory(_show_assign), in_directory(_take_assign)),
)
