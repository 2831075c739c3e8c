"""Applications: the list, one application with its assigned users and groups, and who else is assigned."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.api.sso_admin.applications import is_customer_managed
from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import groups_of, readable, ticked, users_of

_APPLICATIONS = f"{ROOT}/applications"
_CRUMBS = (("Applications", _APPLICATIONS),)
_TABS = (("AWS managed", _APPLICATIONS), ("Customer managed", f"{_APPLICATIONS}?tab=customer-managed"))
_KINDS = {"user": "USER", "group": "GROUP"}


def _show_applications(console: Console) -> Response:
    """Show the applications of one kind."""
    is_customers = console.query("tab") == "customer-managed"
    found = console.list_sso("ListApplications")
    return console.show(
        "applications.html",
        tabs=_TABS,
        here=_TABS[is_customers][1],
        is_customer_managed=is_customers,
        applications=[
            one for one in found if is_customer_managed(one["ApplicationProviderArn"]) is is_customers
        ],
    )


def _application(console: Console) -> dict[str, Any]:
    """Return the application that the address names by the last part of its ARN."""
    for one in console.list_sso("ListApplications"):
        if one["ApplicationArn"].rpartition("/")[2] == console.part("application_id"):
            return dict(one)
    raise validation_error("There is no such application. Applications lists those that there are.")


def _call(console: Console, operation: str, application: dict[str, Any], **request: Any) -> Any:
    arn = application["ApplicationArn"]
    return console.call("sso-admin", operation, ApplicationArn=arn, **request)


def _assigned(console: Console, application: dict[str, Any]) -> list[tuple[str, str]]:
    """Return kind and id of who is assigned."""
    arn = application["ApplicationArn"]
    found = console.items("sso-admin", "ListApplicationAssignments", ApplicationArn=arn)
    return [(one["PrincipalType"], one["PrincipalId"]) for one in found]


def _names(console: Console) -> dict[tuple[str, str], str]:
    """Return the names of all users and groups by kind and id, as far as they may be read."""
    users, groups = readable(partial(users_of, console)), readable(partial(groups_of, console))
    return {("USER", one["UserId"]): one["UserName"] for one in users.value} | {
        ("GROUP", one["GroupId"]): one["DisplayName"] for one in groups.value
    }


def _show_application(console: Console) -> Response:
    """Show an application and who is assigned to it."""
    application = _application(console)
    names = _names(console)
    assigned = readable(lambda: _assigned(console, application))
    is_required = readable(
        lambda: _call(console, "GetApplicationAssignmentConfiguration", application)["AssignmentRequired"]
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


def _take_application(console: Console) -> Response:
    """Remove the access of the ticked users and groups."""
    return _change_ticked(console, "DeleteApplicationAssignment", "application-access-removed")


def _change_ticked(console: Console, operation: str, notice: str) -> Response:
    application, names = _application(console), _names(console)
    chosen = [(kind, one) for name, kind in _KINDS.items() for one in ticked(console, name)]
    if not chosen:
        raise validation_error("Tick at least one user or group first.")
    for kind, one in chosen:
        _call(console, operation, application, PrincipalType=kind, PrincipalId=one)
    said = ", ".join(names.get(one, one[1]) for one in chosen)
    return console.go(_path(application), notice, said)


def _show_assign(console: Console) -> Response:
    """Show who is not assigned yet."""
    application = _application(console)
    assigned = set(_assigned(console, application))
    others = {key: name for key, name in _names(console).items() if key not in assigned}
    return console.show(
        "application-assign.html",
        application=application,
        users=[(one, name) for (kind, one), name in others.items() if kind == "USER"],
        groups=[(one, name) for (kind, one), name in others.items() if kind == "GROUP"],
        here=_here(application),
        crumbs=(*_CRUMBS, (application["Name"], _here(application))),
    )


def _take_assign(console: Console) -> Response:
    """Assign the ticked users and groups."""
    return _change_ticked(console, "CreateApplicationAssignment", "application-assigned")


def applications_of(console: Console, principal_id: str, kind: str) -> list[tuple[str, str, str]]:
    """Return path and name of the applications of a user or group, and the group through which it is."""
    principal = {"PrincipalId": principal_id, "PrincipalType": kind}
    found = console.list_sso("ListApplicationAssignmentsForPrincipal", **principal)
    rows = []
    for one in found:
        application = console.call("sso-admin", "DescribeApplication", ApplicationArn=one["ApplicationArn"])
        through = one["PrincipalId"] if one["PrincipalType"] != kind else ""
        rows.append((_here(application), str(application["Name"]), through))
    return sorted(rows, key=lambda row: row[1].casefold())


_ONE = "/applications/{application_id}"
APPLICATION_SCREENS = (
    Screen("/applications", _show_applications),
    Screen(_ONE, _show_application, _take_application),
    Screen(f"{_ONE}/assign", _show_assign, _take_assign),
)
