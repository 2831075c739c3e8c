"""AWS accounts: the tree, and who may do what in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from idc_sandbox.api.sso_admin.provisioning import LATEST
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.access import (
    MOST_ACCOUNTS,
    Wanted,
    account_name,
    follow,
    given,
    grants_in,
    named_principals,
    permission_set_path,
    permission_sets_by_arn,
    principals_by_key,
    request_name,
    split,
    start_changes,
)
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import require_typed

_DEEPEST = 5  # units below the root, AWS's limit
_PROVISIONED = "ListPermissionSetsProvisionedToAccount"


class _Line(NamedTuple):
    """A line of the organization's tree: the root, a unit, or an account."""

    depth: int
    identifier: str
    name: str
    above: str = ""
    email: str = ""
    status: str = ""

    @property
    def is_account(self) -> bool:
        return bool(self.email)

    def matches(self, search: str) -> bool:
        text = f"{self.name} {self.identifier} {self.email} {self.above}"
        return search.strip().casefold() in text.casefold()


def _all(console: Console, operation_name: str, **request: str) -> list[dict[str, Any]]:
    found = console.organization_items(operation_name, **request)
    return sorted(found, key=lambda one: str(one["Name"]).casefold())


def _tree(console: Console) -> list[_Line]:
    roots = _all(console, "ListRoots")
    return [line for root in roots for line in _below(console, root, 0, "")]


def _below(console: Console, parent: dict[str, Any], depth: int, above: str) -> Iterator[_Line]:
    """Yield a unit, the units in it, and then its accounts."""
    yield _Line(min(depth, _DEEPEST), parent["Id"], parent["Name"], above)
    inside = f"{above} {parent['Id']}"
    for unit in _all(console, "ListOrganizationalUnitsForParent", ParentId=parent["Id"]):
        yield from _below(console, unit, depth + 1, inside)
    for one in _all(console, "ListAccountsForParent", ParentId=parent["Id"]):
        yield _Line(depth + 1, one["Id"], one["Name"], inside, one["Email"], one["Status"])


def show_accounts(console: Console) -> Response:
    """Show the organization's accounts, as a tree or as a list, with the permission sets in each."""
    search, is_list = console.query("search"), console.query("view") == "list"
    sets = permission_sets_by_arn(console)  # first: it says so where the instance has none
    lines = _tree(console)
    if is_list or search:
        found = [line._replace(depth=0) for line in lines if line.is_account and line.matches(search)]
        lines = sorted(found, key=lambda line: line.name.casefold())
    in_account = {
        line.identifier: _sets_in(console, line.identifier, sets) for line in lines if line.is_account
    }
    return console.show(
        "accounts.html",
        lines=lines,
        in_account=in_account,
        path_of=permission_set_path,
        search=search,
        is_list=is_list,
        most=MOST_ACCOUNTS,
        ticked=console.form.getlist("account") if console.problem else (),
        management_account_id=console.context.double.management_account_id,
        organization_id=console.organizations("DescribeOrganization")["Organization"]["Id"],
    )


def _sets_in(console: Console, account_id: str, sets: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    arns = console.list_sso(_PROVISIONED, AccountId=account_id)
    return [one for arn, one in sets.items() if arn in arns]


def take_accounts(console: Console) -> Response:
    """Begin to assign users or groups to the accounts that were ticked."""
    accounts = console.form.getlist("account")
    if not 0 < len(accounts) <= MOST_ACCOUNTS:
        raise validation_error(
            f"Tick the boxes of 1 to {MOST_ACCOUNTS} accounts, then choose Assign users or groups."
        )
    return console.go(f"/accounts/assign?{urlencode({'accounts': ','.join(accounts)})}")


def _account_id(console: Console) -> str:
    return console.part("account_id")


def _crumbs(console: Console) -> tuple[tuple[str, str], ...]:
    account_id = _account_id(console)
    return (
        ("AWS accounts", f"{ROOT}/accounts"),
        (account_name(console, account_id), f"{ROOT}/accounts/{account_id}"),
    )


def show_account(console: Console) -> Response:
    """Show an account: who has access, or which permission sets are in it."""
    account_id, tab = _account_id(console), given(console, "tab")
    account = console.organizations("DescribeAccount", AccountId=account_id)["Account"]
    grants, sets = grants_in(console, account_id), permission_sets_by_arn(console)
    present = console.list_sso(_PROVISIONED, AccountId=account_id)
    latest = console.list_sso(_PROVISIONED, AccountId=account_id, ProvisioningStatus=LATEST)
    keys = list(dict.fromkeys(grant.principal_key for grant in grants))
    try:
        known, unreadable = principals_by_key(console), ""
    except ServiceError as error:
        known, unreadable = {}, error.message
    principals = sorted(named_principals(keys, known), key=lambda one: (one.kind, one.name.casefold()))
    return console.show(
        "account.html",
        account=account,
        tab="permission-sets" if tab == "permission-sets" else "users-and-groups",
        here=f"{ROOT}/accounts/{account_id}",
        principals=[
            (one, [sets[grant.permission_set_arn] for grant in grants if grant.principal_key == one.key])
            for one in principals
        ],
        unreadable=unreadable,
        permission_sets=[(one, arn in latest) for arn, one in sets.items() if arn in present],
        path_of=permission_set_path,
        ticked=console.form.getlist("principal") if console.problem else (),
        crumbs=_crumbs(console)[:1],
    )


def take_account(console: Console) -> Response:
    """Go to what shall be done with the users, groups or permission set that were chosen."""
    act, path = console.form.get("act", ""), f"/accounts/{_account_id(console)}"
    principals, arn = console.form.getlist("principal"), console.form.get("permission_set", "")
    if act in ("update", "remove-set"):
        if not arn:
            raise validation_error("Select a permission set first.")
        return console.go(f"{path}/{act}?{urlencode({'permission_set': arn})}")
    if act == "change" and len(principals) != 1:
        raise validation_error("Select one user or group, whose permission sets you want to change.")
    if act not in ("change", "remove") or not principals:
        raise validation_error("Select the users or groups first.")
    return console.go(f"{path}/{act}?{urlencode({'principals': ','.join(principals)})}")


def show_change(console: Console) -> Response:
    """Show the permission sets that one user or group has in the account."""
    key = given(console, "principals")
    now = _arns_of(console, key)
    return console.show(
        "account-change.html",
        principal=_named(console, [key])[0],
        sets=permission_sets_by_arn(console),
        ticked=console.form.getlist("permission_set") if console.problem else now,
        key=key,
        crumbs=_crumbs(console),
    )


def _named(console: Console, keys: list[str]) -> list[Any]:
    if not keys or not all(":" in key for key in keys):
        raise ServiceError("ResourceNotFoundException", "No user or group was chosen.")
    return named_principals(keys, principals_by_key(console))


def _arns_of(console: Console, key: str) -> list[str]:
    grants = grants_in(console, _account_id(console))
    return [grant.permission_set_arn for grant in grants if grant.principal_key == key]


def take_change(console: Console) -> Response:
    """Give what was ticked, and remove what was not."""
    key, account_id = console.form.get("principals", ""), _account_id(console)
    now, wanted = _arns_of(console, key), console.form.getlist("permission_set")
    if set(now) == set(wanted):
        raise validation_error("Nothing was changed. Tick or untick a permission set.")
    if not wanted:
        raise validation_error("Leave at least one permission set. To remove all, choose Remove access.")
    new = [arn for arn in wanted if arn not in now]
    old = [arn for arn in now if arn not in wanted]
    return start_changes(console, Wanted([account_id], [key], new, old))


def show_remove(console: Console) -> Response:
    """Name those whose access to the account is about to be removed."""
    keys = split(given(console, "principals"))
    return console.show(
        "account-remove.html",
        principals=_named(console, keys),
        keys=",".join(keys),
        account_name=account_name(console, _account_id(console)),
        crumbs=_crumbs(console),
    )


def take_remove(console: Console) -> Response:
    """Remove every permission set that they have in the account."""
    keys = split(console.form.get("principals", ""))
    grants = [one for one in grants_in(console, _account_id(console)) if one.principal_key in keys]
    if not grants:
        raise validation_error("They have no access to this account any more.")
    arns = list(dict.fromkeys(one.permission_set_arn for one in grants))
    return start_changes(console, Wanted([_account_id(console)], keys, removed_sets=arns))


def _permission_set(console: Console) -> dict[str, Any]:
    arn = given(console, "permission_set")
    found: dict[str, Any] = console.call_sso("DescribePermissionSet", PermissionSetArn=arn)["PermissionSet"]
    return found


def show_update(console: Console) -> Response:
    """Show what updating a permission set in the account does."""
    return console.show(
        "account-update.html", permission_set=_permission_set(console), crumbs=_crumbs(console)
    )


def take_update(console: Console) -> Response:
    """Provision the permission set in the account as it is now."""
    answer = console.call_sso(
        "ProvisionPermissionSet",
        PermissionSetArn=_permission_set(console)["PermissionSetArn"],
        TargetType="AWS_ACCOUNT",
        TargetId=_account_id(console),
    )
    return follow(console, [request_name("provision", answer)])


def show_remove_set(console: Console) -> Response:
    """Show who loses access when a permission set is removed from the account."""
    found = _permission_set(console)
    grants = grants_in(console, _account_id(console))
    keys = [one.principal_key for one in grants if one.permission_set_arn == found["PermissionSetArn"]]
    return console.show(
        "account-remove-set.html",
        permission_set=found,
        principals=named_principals(keys, principals_by_key(console)),
        crumbs=_crumbs(console),
    )


def take_remove_set(console: Console) -> Response:
    """Remove the permission set from everybody who has it in the account."""
    require_typed(console, "Delete")
    arn = given(console, "permission_set")
    grants = [one for one in grants_in(console, _account_id(console)) if one.permission_set_arn == arn]
    keys = [one.principal_key for one in grants]
    return start_changes(console, Wanted([_account_id(console)], keys, removed_sets=[arn]))


ACCOUNT_SCREENS = (
    Screen("/accounts", show_accounts, take_accounts),
    Screen("/accounts/{account_id}", show_account, take_account),
    Screen("/accounts/{account_id}/change", show_change, take_change),
    Screen("/accounts/{account_id}/remove", show_remove, take_remove),
    Screen("/accounts/{account_id}/update", show_update, take_update),
    Screen("/accounts/{account_id}/remove-set", show_remove_set, take_remove_set),
)
