"""Tags of instances, permission sets, applications and trusted token issuers."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.sso_admin.application_access import find_trusted_token_issuer
from idc_sandbox.api.sso_admin.applications import find_application
from idc_sandbox.api.sso_admin.rules import find_permission_set, put_tags
from idc_sandbox.context import Context
from idc_sandbox.errors import validation_error
from idc_sandbox.wire.registry import Listing, operation


@operation("sso-admin", "TagResource")
def tag_resource(context: Context, request: dict[str, Any]) -> None:
    """Add tags to a resource, or change the values of those it has."""
    _require_taggable(context, request, write=True)
    put_tags(context, request["ResourceArn"], request["Tags"])


@operation("sso-admin", "UntagResource")
def untag_resource(context: Context, request: dict[str, Any]) -> None:
    """Remove tags by their keys; a key that is not there is no error."""
    _require_taggable(context, request, write=True)
    for tag_key in request["TagKeys"]:
        context.delete("tag", resource_arn=request["ResourceArn"], tag_key=tag_key)


@operation("sso-admin", "ListTagsForResource")
def list_tags_for_resource(context: Context, request: dict[str, Any]) -> Listing:
    """List the tags of a resource."""
    _require_taggable(context, request, write=False)
    rows = context.find_all("tag", resource_arn=request["ResourceArn"])
    return Listing(
        rows, itemgetter("tag_key"), lambda row: {"Key": row["tag_key"], "Value": row["tag_value"]}
    )


def _require_taggable(context: Context, request: dict[str, Any], *, write: bool) -> None:
    resource_arn = request["ResourceArn"]
    instance_arn = f"arn:aws:sso:::instance/{resource_arn.rpartition(':')[2].split('/')[1]}"
    if request.get("InstanceArn", instance_arn) != instance_arn:
        raise validation_error(
            f"{resource_arn!r} does not belong to the instance {request['InstanceArn']!r}."
        )
    if ":permissionSet/" in resource_arn:
        named = {"InstanceArn": instance_arn, "PermissionSetArn": resource_arn}
        find_permission_set(context, named, for_change=write)
    elif ":application/" in resource_arn:
        find_application(context, {"ApplicationArn": resource_arn})
    elif ":trustedTokenIssuer/" in resource_arn:
        find_trusted_token_issuer(context, {"TrustedTokenIssuerArn": resource_arn})
    else:
        require_instance(context, resource_arn)
