"""An instance with an application and a trusted token issuer, for tests of what applications may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from handler_harness import Harness

CUSTOM = "arn:aws:sso::aws:applicationProvider/custom"
ISSUER_URL = "https://idp.example.com"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACTOR_POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
            "Action": "sso-oauth:CreateTokenWithIAM",
            "Resource": "*",
        }
    ],
}


def oidc_jwt(issuer_url: str = ISSUER_URL, **changes: str) -> dict[str, Any]:
    """Return the configuration of an issuer."""
    return {
        "OidcJwtConfiguration": {
            "IssuerUrl": issuer_url,
            "ClaimAttributePath": "email",
            "IdentityStoreAttributePath": "emails.value",
            "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
        }
        | changes
    }


class ApplicationCenter(Harness):
    """The harness of Identity Center's handlers, with what tests of applications begin with."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.application_arn = self.add_application("Reports")

    def add_application(self, name: str, **request: Any) -> str:
        answer = self.sso("CreateApplication", ApplicationProviderArn=CUSTOM, Name=name, **request)
        return str(answer["ApplicationArn"])

    def add_issuer(self, name: str = "Okta", issuer_url: str = ISSUER_URL, **request: Any) -> str:
        answer = self.sso(
            "CreateTrustedTokenIssuer",
            Name=name,
            TrustedTokenIssuerType="OIDC_JWT",
            TrustedTokenIssuerConfiguration=oidc_jwt(issuer_url),
            **request,
        )
        return str(answer["TrustedTokenIssuerArn"])

    def app(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation on the application."""
        return self.call("sso-admin", operation, **{"ApplicationArn": self.application_arn} | request)

    def app_refused(self, operation: str, code: str, **request: Any) -> str:
        """Call an operation on the application that must be refused, and return the message."""
        return self.refused(operation, code, **{"ApplicationArn": self.application_arn} | request)
