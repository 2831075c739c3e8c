"""Trusted token issuers: whose tokens applications may exchange for Identity Center's."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/using-apps-with-trusted-token-issuer.html
from __future__ import annotations

import sqlite3
from operator import itemgetter
from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.sso_admin.applications import created_before
from idc_sandbox.api.sso_admin.rules import delete_tags, put_tags, request_hash
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, conflict, not_found, quota_exceeded
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_ISSUERS = 10


def find_trusted_token_issuer(context: Context, request: dict[str, Any]) -> sqlite3.Row:
    """Return the issuer that a request names."""
    arn = request["TrustedTokenIssuerArn"]
    row = context.find("trusted_token_issuer", trusted_token_issuer_arn=arn)
    if row is None:
        raise not_found(f"No trusted token issuer {arn!r} exists. ListTrustedTokenIssuers shows them.")
    require_instance(context, row["instance_arn"])
    return row


@operation("sso-admin", "CreateTrustedTokenIssuer")
def create_trusted_token_issuer(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Trust an issuer; repeating a request with its ``ClientToken`` gives the same one."""
    instance_arn = request["InstanceArn"]
    instance = require_instance(context, instance_arn, missing=access_denied)
    existing = created_before(context, "trusted_token_issuer", request, instance_arn)
    if existing is not None:
        return {"TrustedTokenIssuerArn": existing["trusted_token_issuer_arn"]}
    wanted = request["TrustedTokenIssuerConfiguration"]["OidcJwtConfiguration"]
    issuers = context.find_all("trusted_token_issuer", instance_arn=instance_arn)
    _require_new(issuers, name=request["Name"], issuer_url=wanted["IssuerUrl"])
    if len(issuers) >= MAXIMUM_ISSUERS:
        raise quota_exceeded(
            f"The instance {instance_arn!r} has its {MAXIMUM_ISSUERS} trusted token issuers already."
        )
    owner, instance_id = instance["owner_account_id"], instance_arn.rpartition("/")[2]
    number = context.ids.uuid("trusted_token_issuer")
    arn = f"arn:aws:sso::{owner}:trustedTokenIssuer/{instance_id}/tti-{number}"
    context.insert(
        "trusted_token_issuer",
        trusted_token_issuer_arn=arn,
        instance_arn=instance_arn,
        name=request["Name"],
        issuer_url=wanted["IssuerUrl"],
        claim_attribute_path=wanted["ClaimAttributePath"],
        identity_store_attribute_path=wanted["IdentityStoreAttributePath"],
        client_token=request.get("ClientToken"),
        request_hash=request_hash(request),
        created_at=context.now,
    )
    put_tags(context, arn, request.get("Tags") or [])
    return {"TrustedTokenIssuerArn": arn}


def _require_new(issuers: list[sqlite3.Row], **wanted: str) -> None:
    for column, value in wanted.items():
        if any(row[column] == value for row in issuers):
            what = column.replace("_", " ")
            raise conflict(f"The instance has a trusted token issuer with the {what} {value!r} already.")


@operation("sso-admin", "DescribeTrustedTokenIssuer")
def describe_trusted_token_issuer(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return an issuer and how its tokens lead to users."""
    row = find_trusted_token_issuer(context, request)
    configuration = {
        "IssuerUrl": row["issuer_url"],
        "ClaimAttributePath": row["claim_attribute_path"],
        "IdentityStoreAttributePath": row["identity_store_attribute_path"],
        "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
    }
    return _shown(row) | {"TrustedTokenIssuerConfiguration": {"OidcJwtConfiguration": configuration}}


@operation("sso-admin", "UpdateTrustedTokenIssuer")
def update_trusted_token_issuer(context: Context, request: dict[str, Any]) -> None:
    """Change the name or the two paths; the issuer's URL stays."""
    row = find_trusted_token_issuer(context, request)
    name = request.get("Name") or row["name"]
    others = context.find_all("trusted_token_issuer", instance_arn=row["instance_arn"])
    _require_new([one for one in others if one[0] != row[0]], name=name)
    wanted = (request.get("TrustedTokenIssuerConfiguration") or {}).get("OidcJwtConfiguration") or {}
    context.update(
        "trusted_token_issuer",
        row,
        name=name,
        claim_attribute_path=wanted.get("ClaimAttributePath") or row["claim_attribute_path"],
        identity_store_attribute_path=(
            wanted.get("IdentityStoreAttributePath") or row["identity_store_attribute_path"]
        ),
    )


@operation("sso-admin", "DeleteTrustedTokenIssuer")
def delete_trusted_token_issuer(context: Context, request: dict[str, Any]) -> None:
    """Trust an issuer no more, also one that applications use: their users lose access by it."""
    row = find_trusted_token_issuer(context, request)
    delete_tags(context, row["trusted_token_issuer_arn"])
    context.delete("trusted_token_issuer", trusted_token_issuer_arn=row["trusted_token_issuer_arn"])


@operation("sso-admin", "ListTrustedTokenIssuers")
def list_trusted_token_issuers(context: Context, request: dict[str, Any]) -> Listing:
    """List the trusted token issuers of an instance."""
    require_instance(context, request["InstanceArn"], missing=access_denied)
    rows = context.find_all("trusted_token_issuer", instance_arn=request["InstanceArn"])
    return Listing(rows, itemgetter("trusted_token_issuer_arn"), _shown)


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "TrustedTokenIssuerArn": row["trusted_token_issuer_arn"],
        "Name": row["name"],
        "TrustedTokenIssuerType": "OIDC_JWT",
    }
