"""CreateTokenWithIAM: tokens for an application that signs its requests with AWS credentials.

Source: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateTokenWithIAM.html
"""

from __future__ import annotations

from typing import Any

from idc_sandbox.api.oidc.refusals import invalid_client, unsupported_grant_type
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context

APPLICATION_GRANT_TYPES = [
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]


@operation("sso-oidc", "CreateTokenWithIAM")
def create_token_with_iam(context: Context, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Refuse: the client is a customer managed application, and the sandbox connects none."""
    if request["grantType"] not in APPLICATION_GRANT_TYPES:
        raise unsupported_grant_type(request["grantType"][:120], APPLICATION_GRANT_TYPES)
    raise invalid_client(
        f"There is no application {request['clientId'][:200]!r}: the sandbox connects no applications, and "
        "ListApplications lists none. People's clients use RegisterClient and CreateToken."
    )
