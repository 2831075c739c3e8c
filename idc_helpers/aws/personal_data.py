"""What the target says of its users that is personal, in the fields of a scenario's user. Reads only."""

from __future__ import annotations

from itertools import islice
from typing import Any

from idc_helpers.aws.calls import pages
from idc_helpers.aws.connection import Connection
from idc_helpers.aws.failures import failed_read

_FIELDS = {
    "user_name": "UserName",
    "display_name": "DisplayName",
    "nick_name": "NickName",
    "profile_url": "ProfileUrl",
    "website": "Website",
    "birthdate": "Birthdate",
}
_NAMES = {"given_name": "GivenName", "middle_name": "MiddleName", "family_name": "FamilyName"}
_ADDRESS = {
    "formatted": "Formatted",
    "street_address": "StreetAddress",
    "locality": "Locality",
    "postal_code": "PostalCode",
}


def list_personal_data(connection: Connection, *, at_most: int) -> list[dict[str, Any]]:
    """Return the personal fields of an instance's users; none without an instance.

    Parameters
    ----------
    at_most
        No more users than these are read.

    Returns
    -------
    list of dict
        Fields as in a scenario's user: ``user_name``, ``display_name``, ``given_name``, ``email``, …

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListUsers.html
    """
    instance = connection.instance_or_none()
    if instance is None:
        return []
    request = {"IdentityStoreId": instance.identity_store_id}
    with failed_read("the users, whose names are to be masked"):
        users = pages(connection.client("identitystore"), "list_users", "Users", **request)
        return [_personal(user) for user in islice(users, at_most)]


def _personal(user: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {ours: user.get(theirs) for ours, theirs in _FIELDS.items()}
    found |= {ours: user.get("Name", {}).get(theirs) for ours, theirs in _NAMES.items()}
    address = (user.get("Addresses") or [{}])[0]
    found["address"] = {ours: address.get(theirs) for ours, theirs in _ADDRESS.items()}
    found["email"] = (user.get("Emails") or [{}])[0].get("Value")
    found["phone_number"] = (user.get("PhoneNumbers") or [{}])[0].get("Value")
    return found
