"""The errors of ``sso-oidc``, under AWS's names.

Source: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

from idc_sandbox.errors import ServiceError


def invalid_request(message: str) -> ServiceError:
    """Return the error for a request that lacks something, or has it malformed."""
    return ServiceError("InvalidRequestException", message)


def invalid_client(message: str) -> ServiceError:
    """Return the error for a client that is not what it says (401): it has to register again."""
    return ServiceError("InvalidClientException", message, status=401)


def invalid_grant(message: str) -> ServiceError:
    """Return the error for a code or token that is wrong, used or over: the person has to sign in again."""
    return ServiceError("InvalidGrantException", message)


def unsupported_grant_type(grant_type: str, allowed: list[str]) -> ServiceError:
    """Return the error for a grant type that does not exist, or that the client did not register for."""
    return ServiceError(
        "UnsupportedGrantTypeException",
        f"The grantType {grant_type!r} is not one of this client's: {', '.join(allowed)}.",
    )
