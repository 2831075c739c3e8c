"""The 22 operations of the identity store; importing this package registers them."""

# What each does: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_Operations.html
# What AWS does not document is decided here and marked "UNCONFIRMED at AWS" where it is decided.
from idc_sandbox.api.identity_store import operations

__all__ = ["operations"]
