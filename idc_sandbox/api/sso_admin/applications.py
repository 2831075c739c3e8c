"""Applications, their providers and trusted token issuers: the sandbox has none, and says so."""

from __future__ import annotations

from typing import Any

from idc_sandbox.api.instance_rules import require_instance_or_deny, visible_instances
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context


@operation("sso-admin", "ListApplications")
def list_applications(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the applications of an instance: none; a member account may ask for its own.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListApplications.html
    """
    asks_for_own = request.get("Filter", {}).get("ApplicationAccount") == context.caller.account_id
    visible = {row["instance_arn"] for row in visible_instances(context) if row["region"] == context.region}
    if not (asks_for_own and request["InstanceArn"] in visible):
        require_instance_or_deny(context, request["InstanceArn"])
    return {"Applications": []}


@operation("sso-admin", "ListApplicationProviders")
def list_application_providers(context: Context, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """List the application providers: none, because the sandbox connects no applications.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListApplicationProviders.html
    """
    return {"ApplicationProviders": []}


@operation("sso-admin", "ListTrustedTokenIssuers")
def list_trusted_token_issuers(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the trusted token issuers of an instance: none.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListTrustedTokenIssuers.html
    """
    require_instance_or_deny(context, request["InstanceArn"])
    return {"TrustedTokenIssuers": []}
