"""``sso-oidc``: how a client gets a token of a person; importing this package registers its operations."""

# What each does: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_Operations.html
from idc_sandbox.api.oidc import applications, authorizations, clients, tokens

__all__ = ["applications", "authorizations", "clients", "tokens"]
