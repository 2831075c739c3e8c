"""The people who sign in, and the instance whose access portal they sign in to."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from idc_sandbox.api.identity_store.profiles import folded, primary_email
from idc_sandbox.context import Context
from idc_sandbox.sign_in.refusals import Refusal


@dataclass(frozen=True)
class Person:
    """A user of the portal's identity store.

    Attributes
    ----------
    email
        None when the user has none; nothing can be mailed then.
    """

    user_id: str
    user_name: str
    display_name: str
    email: str | None
    is_enabled: bool
    instance_arn: str


def portal_instance(context: Context) -> sqlite3.Row:
    """Return the instance whose access portal this sandbox serves: the organization's.

    Account instances have no access to accounts, and their portal would be empty.

    Raises
    ------
    Refusal
        ``no-instance`` before Identity Center is enabled.
    """
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM instance WHERE kind = 'ORGANIZATION' AND status = 'ACTIVE'"
    ).fetchone()
    if row is None:
        raise Refusal(
            "no-instance",
            "There is no access portal yet: the organization has not enabled Identity Center. "
            "Do that first, then come back to this address.",
        )
    return row


def find_person(context: Context, user_name: str) -> Person | None:
    """Return the user of a user name, in any case, or None."""
    store_id = portal_instance(context)["identity_store_id"]
    if not 0 < len(user_name) <= 128:
        return None
    return _person(
        context.connection.execute(
            _SELECT + "WHERE identity_store_id = ? AND user_name_folded = ?", (store_id, folded(user_name))
        ).fetchone()
    )


def person_of(context: Context, user_id: str) -> Person:
    """Return a user by id.

    Raises
    ------
    Refusal
        ``unknown-user``.
    """
    person = _person(context.connection.execute(_SELECT + "WHERE user_id = ?", (user_id,)).fetchone())
    if person is None:
        raise Refusal("unknown-user", f"There is no user with the id {user_id!r}; ListUsers has the ids.")
    return person


def setting(context: Context, instance_arn: str, name: str) -> dict[str, Any]:
    """Return the values of one of the console's settings, such as ``"multi_factor_authentication"``."""
    # pydantic comes with the settings: only who signs in waits for it, not every start of the sandbox.
    from idc_sandbox.api.console.settings import read_setting  # noqa: PLC0415

    row = context.connection.execute(
        "SELECT * FROM instance WHERE instance_arn = ?", (instance_arn,)
    ).fetchone()
    return read_setting(context, row, name)


def start_urls(context: Context) -> list[str]:
    """Return the start URLs that name this sandbox's portal; the first is the one that AWS would show."""
    try:
        instance = portal_instance(context)
    except Refusal:
        return []
    urls = setting(context, instance["instance_arn"], "access_portal")["urls"]
    by_store = f"https://{instance['identity_store_id']}.awsapps.com/start"
    return list(dict.fromkeys([urls["ipv4"], by_store, urls["dual_stack"], f"{context.site_url}/start"]))


def require_own_directory(context: Context, instance: sqlite3.Row) -> None:
    """Refuse to take passwords where another identity source does.

    Raises
    ------
    Refusal
        ``external-identity-source``.
    """
    from idc_sandbox.api.console.settings import DIRECTORY, read_identity_source  # noqa: PLC0415

    source = read_identity_source(context, instance)["type"]
    if source != DIRECTORY:
        raise Refusal(
            "external-identity-source",
            f"This instance's identity source is {source!r}: people sign in there, and this sandbox has "
            "none. Change the identity source back to the Identity Center directory to practise signing in.",
        )


_SELECT = "SELECT identity_user.*, instance_arn FROM identity_user JOIN instance USING (identity_store_id) "


def _person(row: sqlite3.Row | None) -> Person | None:
    if row is None:
        return None
    profile = json.loads(row["profile_json"])
    return Person(
        user_id=row["user_id"],
        user_name=row["user_name"],
        display_name=profile.get("DisplayName") or row["user_name"],
        email=primary_email(profile),
        is_enabled=row["user_status"] == "ENABLED",
        instance_arn=row["instance_arn"],
    )
