"""Tables of what the target holds; each function reads and returns, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable

from idc_helpers.aws.connection import Connection
from idc_helpers.aws.console_settings import CONSOLE_SETTINGS, ConsoleSetting, ConsoleSettings
from idc_helpers.aws.inventory import MOST_COUNTED, count_applications, count_holdings, list_users
from idc_helpers.aws.organization import Account, DelegatedAdministrators, list_accounts
from idc_helpers.aws.permission_sets import PermissionSets
from idc_helpers.changes import State
from idc_helpers.display.console_guide import choices_in_words
from idc_helpers.display.tables import Table
from idc_helpers.errors import AccessDeniedError, AccountInstanceError
from idc_helpers.identifiers import access_portal_url

_FIELD, _VALUE = "field", "value"
_NOT_SHOWN = "not shown to this caller"
_UNSEEN = "no API shows it: look in the AWS console"


def instance_details(connection: Connection) -> Table:
    """Return the instance's details: columns field, value.

    Raises
    ------
    InstanceNotFoundError, SeveralInstancesError
        When there is not exactly one.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeInstance.html
    """
    instance = connection.instance
    details = {
        "instance ARN": instance.instance_arn,
        "kind": f"{instance.kind} instance",
        "name": instance.name or "(none)",
        "status": instance.status,
        "primary Region": instance.region,
        "identity store ID": instance.identity_store_id,
        "owner account": instance.owner_account_id,
        "AWS access portal": portal_url(connection),
        "delegated administrator": _said(lambda: _names(list_delegates(connection))),
        "applications": _said(lambda: str(count_applications(connection))),
    }
    return Table("The instance of IAM Identity Center", (_FIELD, _VALUE), tuple(details.items()))


def _said(read: Callable[[], str]) -> str:
    try:
        return read()
    except (AccessDeniedError, AccountInstanceError):
        return _NOT_SHOWN


def _names(accounts: list[Account]) -> str:
    return "\n".join(f"{account.name} ({account.account_id})" for account in accounts) or "(none)"


def portal_url(connection: Connection) -> str:
    """Return the access portal's address; on AWS the one that always works."""
    states = ConsoleSettings(connection).read(["access_portal"])
    subdomain = states.get("access_portal", {}).get("subdomain")
    return access_portal_url(connection.instance.identity_store_id, subdomain or None)


def settings(connection: Connection) -> Table:
    """Return the console-only settings in the console's words: setting, field, value; one row a field."""
    states = ConsoleSettings(connection).read(list(CONSOLE_SETTINGS))
    rows = [
        row for name in CONSOLE_SETTINGS for row in _setting_rows(CONSOLE_SETTINGS[name], states.get(name))
    ]
    return Table("Settings that only the console can change", ("setting", _FIELD, _VALUE), tuple(rows))


def _setting_rows(setting: ConsoleSetting, state: State | None) -> list[tuple[str, str, str]]:
    if state is None:
        return [(setting.title, "", _UNSEEN)]
    found = choices_in_words(setting.fields, {name: state.get(name) for name in setting.fields})
    return [(setting.title, label, value) for label, value in found]


def permission_sets(connection: Connection) -> Table:
    """Return the permission sets: columns name, session duration, policies, description, provisioning."""
    states = PermissionSets(connection).read_known()
    rows = tuple(_permission_set_row(name, states[name]) for name in sorted(states))
    columns = ("name", "session duration", "policies", "description", "provisioning")
    return Table(f"Permission sets: {len(rows)}", columns, rows)


def _permission_set_row(name: str, state: State | None) -> tuple[str, ...]:
    if state is None:
        return name, "", "", _NOT_SHOWN, ""
    policies = [policy_arn.rpartition("/")[2] for policy_arn in state["managed_policies"]]
    policies += [
        f"{policy['path']}{policy['name']} (customer managed)"
        for policy in state["customer_managed_policies"]
    ]
    policies += ["an inline policy"] if state.get("inline_policy") else []
    outdated = state.get("accounts_to_provision") or []
    provisioning = f"to provision again: {', '.join(outdated)}" if outdated else "up to date"
    return (
        name,
        state["session_duration"],
        "\n".join(policies),
        state.get("description") or "",
        provisioning,
    )


def users(connection: Connection, *, at_most: int = 50) -> Table:
    """Return users: columns user name, display name, e-mail, status, groups.

    Parameters
    ----------
    at_most
        No more users than these are read and shown.
    """
    found, all_shown = list_users(connection, at_most=at_most)
    rows = tuple(
        (user.user_name, user.display_name, user.email, user.user_status.lower(), "\n".join(user.groups))
        for user in found
    )
    note = "" if all_shown else f"There are more: these are {at_most} of them."
    columns = ("user name", "display name", "e-mail", "status", "groups")
    return Table(f"Users: {len(rows)}", columns, rows, note=note)


def delegated_administrators(connection: Connection) -> Table:
    """Return the member accounts that may administer Identity Center: columns account, account id.

    Notes
    -----
    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedAdministrators.html
    """
    rows = tuple((account.name, account.account_id) for account in list_delegates(connection))
    return Table(f"Delegated administrators of Identity Center: {len(rows)}", ("account", "account id"), rows)


def list_delegates(connection: Connection) -> list[Account]:
    """Return the accounts that are delegated administrators of Identity Center, sorted by name."""
    accounts = list_accounts(connection)
    found = DelegatedAdministrators(connection).read([account.account_id for account in accounts])
    return [account for account in accounts if account.account_id in found]


def what_deleting_destroys(connection: Connection) -> Table:
    """Return what deleting the instance would delete for good: columns what, how many."""
    counts = count_holdings(connection)
    rows = tuple(
        (what, f"{number} or more" if number >= MOST_COUNTED else str(number))
        for what, number in counts.items()
    )
    note = "Deleting an instance cannot be undone: everybody's access ends, and the portal's address changes."
    return Table("What deleting the instance destroys", ("what", "how many"), rows, note=note)
