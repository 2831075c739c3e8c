"""Permission sets: the list, one set's page with its tabs, and what changes it."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.responses import Response

from idc_sandbox.api.sso_admin.rules import require_session_duration
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.access import permission_sets_by_arn
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import account_names, require_typed
from idc_sandbox.pages.console.set_parts import (
    SESSION_DURATIONS,
    WIZARD_SCREENS,
    PermissionSet,
    Policies,
    checked_settings,
    chosen_boundary,
    chosen_policies,
    chosen_tags,
    find_managed_policies,
)
from idc_sandbox.pages.visits import duration_words

_SETS = "/permission-sets"
_LIST = ("Permission sets", f"{ROOT}{_SETS}")
_MOST_SHOWN = 100  # of the list; a search finds the others
_NEWEST_REQUESTS = 20  # of all sets' provisionings, to find this one's
_SKELETON = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Statement1",
      "Effect": "Allow",
      "Action": ["s3:ListAllMyBuckets"],
      "Resource": "*"
    }
  ]
}"""


def show_permission_sets(console: Console) -> Response:
    """Show the list, or those that a search finds."""
    wanted, problem, sets = console.query("search").strip(), "", dict[str, dict[str, Any]]()
    try:
        sets = permission_sets_by_arn(console)
    except ServiceError as denied:
        problem = denied.message
    found = [
        (PermissionSet(console, arn), shown)
        for arn, shown in sets.items()
        if wanted.casefold() in f"{shown['Name']} {arn}".casefold()
    ]
    return console.show(
        "permission-sets.html",
        search=wanted,
        problem=problem,
        count=len(found),
        sets=[(one.path, shown, bool(one.accounts())) for one, shown in found[:_MOST_SHOWN]],
    )


def take_permission_sets(console: Console) -> Response:
    """Lead to the page that deletes the set that was chosen."""
    chosen = console.form.get("chosen", "")
    if chosen in [PermissionSet(console, arn).path for arn in console.list_sso("ListPermissionSets")]:
        return console.go(f"{chosen}/delete")
    raise validation_error("Choose the permission set to delete in the first column.")


def _this(console: Console) -> PermissionSet:
    """Return the set that the address names."""
    instance_id = console.instance_arn.rpartition("/")[2]
    return PermissionSet(
        console, f"arn:aws:sso:::permissionSet/{instance_id}/{console.part('permission_set_id')}"
    )


def _show_part(console: Console, template: str, one: PermissionSet, **values: Any) -> Response:
    """Show a page of one set."""
    shown = one.describe()
    crumbs = (_LIST,) if template == "permission-set.html" else (_LIST, (shown["Name"], f"{ROOT}{one.path}"))
    return console.show(template, crumbs=crumbs, one=one, shown=shown, **values)


def _show_tab(console: Console, tab: str, one: PermissionSet, **values: Any) -> Response:
    """Show one set's page with a tab of it open."""
    accounts, tags = one.accounts(), one.tags()
    path = f"{ROOT}{one.path}"
    tabs = (
        ("Permissions", path),
        (f"Accounts ({len(accounts)})", f"{path}/accounts"),
        (f"Tags ({len(tags)})", f"{path}/tags"),
    )
    return _show_part(
        console,
        "permission-set.html",
        one,
        tab=tab,
        tabs=tabs,
        here=path if tab == "permissions" else f"{path}/{tab}",
        is_provisioned=bool(accounts),
        session_s=require_session_duration(one.describe()["SessionDuration"]),
        tags=tags,
        **values,
    )


def _saved(console: Console, one: PermissionSet, notice: str) -> Response:
    """Provision a changed set where it is, as the console does and the API does not, and say so."""
    ending = one.provision_everywhere()
    return console.go(one.path, f"{notice}{ending}", one.describe()["Name"])


def show_permissions(console: Console) -> Response:
    """Show one set's policies."""
    one = _this(console)
    return _show_tab(console, "permissions", one, policies=one.policies())


def take_permissions(console: Console) -> Response:
    """Detach or delete one of the policies."""
    one, form = _this(console), console.form
    match form.get("act"):
        case "detach-managed":
            one.call("DetachManagedPolicyFromPermissionSet", ManagedPolicyArn=form.get("policy", ""))
        case "detach-customer":
            one.call(
                "DetachCustomerManagedPolicyReferenceFromPermissionSet",
                CustomerManagedPolicyReference={"Name": form.get("name", ""), "Path": form.get("path", "")},
            )
        case "delete-inline":
            one.call("DeleteInlinePolicyFromPermissionSet")
        case "delete-boundary":
            one.call("DeletePermissionsBoundaryFromPermissionSet")
        case _:
            raise validation_error("Choose what to do with one of the policies.")
    return _saved(console, one, "permission-set-policies-saved")


class _InAccount(NamedTuple):
    """How the set is in one account."""

    account_id: str
    account_name: str
    status: str
    reason: str


def show_set_accounts(console: Console) -> Response:
    """Show the accounts that have the set, and which of them lag behind it."""
    one = _this(console)
    outdated = one.accounts(are_outdated=True)
    running, failed = _provisionings(console, one)
    rows = []
    for account_id, name in _named_accounts(console, one):
        status = "Out of date" if account_id in outdated else "Up to date"
        is_running = None in running or account_id in running
        status = "In progress" if is_running else status
        reason = failed if status == "Out of date" and account_id in failed else ""
        rows.append(_InAccount(account_id, name, status, reason))
    return _show_tab(console, "accounts", one, accounts=rows, failed=failed)


def take_set_accounts(console: Console) -> Response:
    """Bring one account, or all, up to date."""
    one, account_id = _this(console), console.form.get("account_id", "")
    if account_id:
        one.call("ProvisionPermissionSet", TargetType="AWS_ACCOUNT", TargetId=account_id)
    else:
        one.call("ProvisionPermissionSet", TargetType="ALL_PROVISIONED_ACCOUNTS")
    return console.go(f"{one.path}/accounts", "permission-set-updating", one.describe()["Name"])


def _provisionings(console: Console, one: PermissionSet) -> tuple[set[str | None], str]:
    """Return where the set is being provisioned (None: everywhere), and why the last time failed."""
    requests = console.list_sso("ListPermissionSetProvisioningStatus")
    running: set[str | None] = set()
    last: dict[str, Any] = {}
    for request in sorted(requests, key=lambda found: found["CreatedDate"])[-_NEWEST_REQUESTS:]:
        described = console.call_sso(
            "DescribePermissionSetProvisioningStatus", ProvisionPermissionSetRequestId=request["RequestId"]
        )["PermissionSetProvisioningStatus"]
        if described.get("PermissionSetArn") == one.arn:
            last = described
            if described["Status"] == "IN_PROGRESS":
                running.add(described.get("AccountId"))
    return running, last.get("FailureReason", "")


def show_set_tags(console: Console) -> Response:
    """Show the tags."""
    return _show_tab(console, "tags", _this(console))


def take_set_tags(console: Console) -> Response:
    """Add a tag, or remove one."""
    one, form = _this(console), console.form
    if form.get("act") == "remove":
        one.change_tags("UntagResource", TagKeys=[form.get("key", "")])
    else:
        tags = chosen_tags(console)
        if not tags:
            raise validation_error("Tags: type a key.")
        one.change_tags("TagResource", Tags=tags)
    return console.go(f"{one.path}/tags", "permission-set-tags-saved", one.describe()["Name"])


def show_edit(console: Console) -> Response:
    """Show the general settings to change, and where saving provisions the set."""
    one = _this(console)
    durations, now = SESSION_DURATIONS, one.describe()["SessionDuration"]
    now_s = require_session_duration(now)
    chosen = f"PT{now_s / 3600:g}H"  # however the API says it, such as PT60M
    if chosen not in durations:  # what only the API can set stays as it is until another one is chosen
        durations, chosen = {now: duration_words(now_s), **durations}, now
    return _show_part(
        console,
        "permission-set-edit.html",
        one,
        durations=durations,
        duration=chosen,
        accounts=_named_accounts(console, one),
    )


def _named_accounts(console: Console, one: PermissionSet) -> list[tuple[str, str]]:
    """Return id and name of the accounts that have the set."""
    names = account_names(console)
    return [(account_id, names.get(account_id, "")) for account_id in one.accounts()]


def take_edit(console: Console) -> Response:
    """Save the general settings."""
    one = _this(console)
    one.call("UpdatePermissionSet", **checked_settings(console, now=one.describe()))
    return _saved(console, one, "permission-set-saved")


def show_attach(console: Console) -> Response:
    """Show the policies that may be attached."""
    one = _this(console)
    return _show_part(
        console,
        "permission-set-attach.html",
        one,
        attached=one.policies().managed,
        form=console.form,
        found=find_managed_policies(console, console.form.get("policy_search", "")),
    )


def take_attach(console: Console) -> Response:
    """Attach the policies that were chosen, or search for more."""
    if console.form.get("go") in ("search", "more-policies"):
        return show_attach(console)
    chosen = chosen_policies(console, with_boundary=False)
    if not chosen.managed and not chosen.customer:
        raise validation_error("Tick an AWS managed policy, or type the name of a customer managed one.")
    one = _this(console)
    one.add_policies(Policies(chosen.managed, chosen.customer, "", None))
    return _saved(console, one, "permission-set-policies-saved")


def show_inline(console: Console) -> Response:
    """Show the inline policy to change, or an example to begin with."""
    one = _this(console)
    typed = console.form.get("inline") if console.problem else None
    document = one.policies().inline
    return _show_part(
        console,
        "permission-set-inline.html",
        one,
        document=typed if typed is not None else document or _SKELETON,
        is_new=not document,
    )


def take_inline(console: Console) -> Response:
    """Save the inline policy."""
    inline = chosen_policies(console, with_boundary=False).inline
    if not inline:
        raise validation_error("The inline policy is empty. To remove it, use Delete on the set's page.")
    one = _this(console)
    one.add_policies(Policies([], [], inline, None))
    return _saved(console, one, "permission-set-policies-saved")


def show_boundary(console: Console) -> Response:
    """Show the permissions boundary to set or change."""
    one = _this(console)
    return _show_part(
        console, "permission-set-boundary.html", one, form=console.form, boundary=one.policies().boundary
    )


def take_boundary(console: Console) -> Response:
    """Save the permissions boundary."""
    one = _this(console)
    one.add_policies(Policies([], [], "", chosen_boundary(console)))
    return _saved(console, one, "permission-set-policies-saved")


def show_set_delete(console: Console) -> Response:
    """Show what deleting needs: no account that has the set, and its name."""
    one = _this(console)
    return _show_part(console, "permission-set-delete.html", one, accounts=_named_accounts(console, one))


def take_set_delete(console: Console) -> Response:
    """Delete the set when its name is typed."""
    one = _this(console)
    name = one.describe()["Name"]
    require_typed(console, name)
    one.call("DeletePermissionSet")
    return console.go(_SETS, "permission-set-deleted", name)


_SET = f"{_SETS}/{{permission_set_id}}"
PERMISSION_SET_SCREENS = (
    Screen(_SETS, show_permission_sets, take_permission_sets),
    *WIZARD_SCREENS,
    Screen(_SET, show_permissions, take_permissions),
    Screen(f"{_SET}/accounts", show_set_accounts, take_set_accounts),
    Screen(f"{_SET}/tags", show_set_tags, take_set_tags),
    Screen(f"{_SET}/edit", show_edit, take_edit),
    Screen(f"{_SET}/attach", show_attach, take_attach),
    Screen(f"{_SET}/inline-policy", show_inline, take_inline),
    Screen(f"{_SET}/boundary", show_boundary, take_boundary),
    Screen(f"{_SET}/delete", show_set_delete, take_set_delete),
)
