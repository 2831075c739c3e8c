"""Finding the instance of Identity Center, and saying helpfully why there is none."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from idc_helpers.aws.calls import pages
from idc_helpers.aws.failures import error_code, failed_read
from idc_helpers.errors import (
    AccessDeniedError,
    AccountInstanceError,
    InstanceNotFoundError,
    KitError,
    SeveralInstancesError,
)

if TYPE_CHECKING:
    from idc_helpers.aws.connected import Connection

_GOING = ("CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETED")
_REGIONS_LINK = "https://docs.aws.amazon.com/singlesignon/latest/userguide/regions.html"
InstanceKind = Literal["organization", "account"]


@dataclass(frozen=True)
class Instance:
    """One instance of Identity Center.

    Attributes
    ----------
    instance_arn, identity_store_id
        Such as ``"arn:aws:sso:::instance/ssoins-7223abcdef012345"`` and ``"d-9067abcdef"``.
    owner_account_id
        The account it belongs to.
    region
        Its primary Region.
    kind
        ``"organization"`` (can give access to AWS accounts) or ``"account"``.
    status
        ``"ACTIVE"``, ``"CREATE_IN_PROGRESS"``, ``"CREATE_FAILED"`` or ``"DELETE_IN_PROGRESS"``.
    name
        Empty where none was given.
    created_at
        When it was made; None where AWS does not say.
    """

    instance_arn: str
    identity_store_id: str
    owner_account_id: str
    region: str
    kind: InstanceKind
    status: str
    name: str
    created_at: datetime.datetime | None = None


def list_instances(connection: Connection) -> list[Instance]:
    """Return the instances that are visible in the connection's Region, the organization's first; reads only.

    Raises
    ------
    KitError
        When AWS refuses.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListInstances.html
    """
    with failed_read("the instances of Identity Center"):
        found = list(pages(connection.client("sso-admin"), "list_instances", "Instances"))
        instances = [_instance(connection, entry) for entry in found]
    return sorted(instances, key=lambda instance: (instance.kind != "organization", instance.instance_arn))


def find_instance(connection: Connection, instance_arn: str | None = None) -> Instance:
    """Return the only instance, or the one with an ARN; reads only, never guesses.

    Parameters
    ----------
    instance_arn
        Which one; None: the only one that is visible in the connection's Region.

    Raises
    ------
    InstanceNotFoundError
        When there is none; it names the Regions where one is.
    SeveralInstancesError
        When there are several and none was chosen.
    """
    instance, others = _look(connection, instance_arn)
    if instance is None:
        what = "no instance" if instance_arn is None else f"no instance {instance_arn!r}"
        raise _none_found(connection, what, others, _regions_with_instances(connection))
    return instance


def find_instance_or_none(connection: Connection, instance_arn: str | None = None) -> Instance | None:
    """Return what `find_instance` does, or None where there is none: no Region but this is asked then.

    Raises
    ------
    SeveralInstancesError
        When there are several and none was chosen.
    """
    return _look(connection, instance_arn)[0]


def require_home_region(connection: Connection, kind: str) -> None:
    """Return unless an instance is visible, though in another Region than the connection's; reads only.

    Without any instance there is nothing wrong yet; what the caller may not read is for later to say.

    Parameters
    ----------
    kind
        Of the wanted instance: ``"organization"``, or ``"account"``, which is the caller's own.

    Raises
    ------
    InstanceNotFoundError
        Naming the Regions where one is.
    """
    owner = connection.caller.account_id if kind == "account" else None
    try:
        elsewhere = [] if connection.instance_or_none() else _regions_with_instances(connection, owner)
    except (KitError, ClientError):
        return
    if elsewhere:
        raise _none_found(connection, "no instance", [], elsewhere)


def _look(connection: Connection, instance_arn: str | None) -> tuple[Instance | None, list[Instance]]:
    """Return the instance or None, and all that are visible."""
    # A deletion shows for a while; nothing can be done with such an instance.
    found = [instance for instance in list_instances(connection) if instance.status != "DELETE_IN_PROGRESS"]
    if instance_arn is not None:
        return next((one for one in found if one.instance_arn == instance_arn), None), found
    if len(found) > 1:
        listed = "; ".join(
            f"{one.instance_arn} ({one.kind}, account {one.owner_account_id})" for one in found
        )
        raise SeveralInstancesError(
            f"{len(found)} instances are visible in Region {connection.region!r}: {listed}",
            remedy="Say which one: pass its ARN as `instance_arn`.",
        )
    return (found[0] if found else None), found


def _none_found(
    connection: Connection, what: str, here: list[Instance], elsewhere: list[str]
) -> InstanceNotFoundError:
    there = f" There is one in {', '.join(elsewhere)}." if elsewhere else ""
    others = (
        f" There {'is' if len(here) == 1 else 'are'} {', '.join(one.instance_arn for one in here)}."
        if here
        else ""
    )
    remedy = (
        f"Set `region` to {elsewhere[0]!r}."
        if elsewhere
        else "Set `region` to its home Region, or enable it in notebook 01."
    )
    return InstanceNotFoundError(
        f"{what} is visible in Region {connection.region!r} for account {connection.caller.account_id!r}."
        f"{there}{others}",
        remedy=f"Identity Center is regional. {remedy}",
        link=_REGIONS_LINK,
    )


def _regions_with_instances(connection: Connection, owner: str | None = None) -> list[str]:
    sso_admin = connection.client("sso-admin")
    try:
        found = list(pages(sso_admin, "list_instances", "Instances", RegionScope="ALL_REGIONS"))
    except (ClientError, AccessDeniedError):
        return []  # It only improves the message.
    regions = {
        str(entry.get("PrimaryRegion") or "")
        for entry in found
        if entry.get("Status") not in _GOING and owner in (None, entry.get("OwnerAccountId"))
    }
    return sorted(regions - {"", connection.region})


def _instance(connection: Connection, entry: dict[str, Any]) -> Instance:
    return Instance(
        instance_arn=entry["InstanceArn"],
        identity_store_id=entry.get("IdentityStoreId", ""),
        owner_account_id=entry.get("OwnerAccountId", ""),
        region=entry.get("PrimaryRegion") or connection.region,
        kind=_kind(connection, entry),
        status=entry.get("Status", "ACTIVE"),
        name=entry.get("Name", ""),
        created_at=entry.get("CreatedDate"),
    )


def _kind(connection: Connection, entry: dict[str, Any]) -> InstanceKind:
    # No API names the kind. The management account can own the organization's instance only, a member account
    # only one of its own; outside of an organization only the instance itself can tell.
    in_charge = management_account_id(connection)
    if in_charge:
        return "organization" if entry.get("OwnerAccountId") == in_charge else "account"
    if entry.get("Status", "ACTIVE") != "ACTIVE":
        return "account"
    try:
        connection.client("sso-admin").list_permission_sets(InstanceArn=entry["InstanceArn"], MaxResults=1)
    except AccountInstanceError:
        return "account"
    except (ClientError, AccessDeniedError):
        return "organization" if entry.get("OwnerAccountId") != connection.caller.account_id else "account"
    return "organization"


def management_account_id(connection: Connection) -> str:
    """Return the id of the organization's management account, or "" outside of one or where nobody may tell.

    Reads only, once for each connection.
    """
    if "management_account_id" not in connection.cache:
        try:
            answer = connection.client("organizations").describe_organization()
        except AccessDeniedError:
            return ""
        except ClientError as error:
            if error_code(error) != "AWSOrganizationsNotInUseException":
                raise
            return ""
        connection.cache["management_account_id"] = answer["Organization"]["MasterAccountId"]
    return str(connection.cache["management_account_id"])
