"""The 22 operations of the identity store; importing this package registers them.

``references`` finds the store, user, group or membership that a request names by id or ARN; ``profiles`` says
what a user or a group may hold, and changes it by attribute paths; ``users`` and ``groups`` (with memberships
and lookups) are the operations.

What AWS does not document is decided here and marked "UNCONFIRMED at AWS" where it is decided.
"""

from idc_sandbox.api.identity_store import groups, references, users

__all__ = ["groups", "references", "users"]
