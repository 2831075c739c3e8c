"""Which account and permission set a profile is for: as named, or as the person's assignments say."""

from __future__ import annotations

from idc_helpers.aws.activation import portal_settings
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.organization import closed_accounts, resolve_account
from idc_helpers.aws.people_access import list_people_access
from idc_helpers.aws.profiles import SsoProfile
from idc_helpers.errors import NotFoundError
from idc_helpers.models import Person


def choose_profile(connection: Connection, person: Person) -> SsoProfile:
    """Return the profile with which a person signs in; reads only.

    Nobody signs in for it: a person's password and devices stay that person's. On AWS, where looking up takes
    many calls, it is done only when the account or the permission set is not named.

    Raises
    ------
    NotFoundError
        When there is no such account, or the person has no such permission set in it.
    """
    account_id, role_name = _account_and_role(connection, person)
    portal = portal_settings(connection)
    return SsoProfile(
        profile_name=person.profile_name,
        session_name=person.profile_name,
        start_url=portal["start_url"],
        sso_region=portal["region"],
        account_id=account_id,
        role_name=role_name,
        region=connection.region,
    )


def _account_and_role(connection: Connection, person: Person) -> tuple[str, str]:
    """Return the account's id and the permission set's name."""
    account_id = resolve_account(connection, person.account).account_id if person.account else ""
    if account_id and person.permission_set and not connection.is_sandbox:
        return account_id, person.permission_set
    reached = [row for row in list_people_access(connection) if row.principal_name == person.user_name]
    closed = closed_accounts(connection, {row.account_id for row in reached})
    for row in reached:
        same_set = person.permission_set in (None, row.permission_set)
        if row.account_id not in closed and account_id in ("", row.account_id) and same_set:
            return row.account_id, row.permission_set
    named = " in ".join(repr(name) for name in (person.permission_set, person.account) if name)
    raise NotFoundError(
        f"no account assignment gives {person.user_name!r} {named or 'anything'}",
        remedy="Apply notebooks 05 to 08, or name another person, account or permission set.",
    )
