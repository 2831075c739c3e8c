"""Permission sets by name: no API looks a name up, so all are listed, and each name is read once."""

from __future__ import annotations

from typing import Any

from idc_helpers.aws.calls import in_threads, pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.identity_store import known_or_none
from idc_helpers.errors import NotFoundError
from idc_helpers.suggestions import did_you_mean


def list_permission_sets(connection: Connection) -> dict[str, str]:
    """Return the ARNs of the instance's permission sets by name, sorted; reads only.

    A permission set can never be renamed, so a name that was read once is not read again. One whose name may
    not be read, such as one of the management account for a delegated administrator, goes by its ARN.

    Raises
    ------
    KitError
        When AWS refuses, and for an account instance, which has no permission sets.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListPermissionSets.html
    """
    instance_arn = connection.instance.instance_arn
    sso_admin = connection.client("sso-admin")
    names: dict[str, str] = connection.cache.setdefault("permission_set_names", {})
    listed = list(pages(sso_admin, "list_permission_sets", "PermissionSets", InstanceArn=instance_arn))
    new = [permission_set_arn for permission_set_arn in listed if permission_set_arn not in names]

    def describe(permission_set_arn: str) -> dict[str, Any]:
        request = {"InstanceArn": instance_arn, "PermissionSetArn": permission_set_arn}
        return dict(sso_admin.describe_permission_set(**request)["PermissionSet"])

    def name_of(permission_set_arn: str) -> str | None:
        described = known_or_none(lambda: describe(permission_set_arn))
        return described.get("Name") if described else None

    read = zip(new, in_threads(name_of, new), strict=True)
    names.update({permission_set_arn: name for permission_set_arn, name in read if name})
    if new and not names:
        describe(new[0])  # None may be read: the caller lacks the permission, and is told so.
    return dict(sorted((names.get(arn, arn), arn) for arn in listed))


def find_permission_set(connection: Connection, name: str) -> str:
    """Return a permission set's ARN; reads only.

    Raises
    ------
    NotFoundError
        When there is none of that name; it offers the nearest one.
    """
    known = list_permission_sets(connection)
    if name not in known:
        raise NotFoundError(
            f"there is no permission set {name!r} in {connection.instance.instance_arn}."
            f" {did_you_mean(name, known)}".rstrip(),
            remedy="Create it in notebook 05, or correct the name.",
        )
    return known[name]
