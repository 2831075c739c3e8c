"""``sso-oidc``: how a client gets a token of a person who has signed in and allowed it.

Importing the package registers its operations.
"""

from idc_sandbox.api.oidc import (
    client_registrations,
    device_authorizations,
    tokens_for_applications,
    tokens_for_clients,
)

__all__ = [
    "client_registrations",
    "device_authorizations",
    "tokens_for_applications",
    "tokens_for_clients",
]
