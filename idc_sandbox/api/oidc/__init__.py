"""``sso-oidc``: how a client gets a token of a person who has signed in and allowed it.

Importing the package registers its operations. AWS says what each does:
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_Operations.html
"""

from idc_sandbox.api.oidc import authorizations, clients, tokens

__all__ = ["authorizations", "clients", "tokens"]
