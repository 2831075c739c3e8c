"""The 22 operations of the identity store; importing this package registers them.

``references`` finds the store, user, group or membership that a request names by id or ARN; ``profiles`` and
``extensions`` say what a user or a group may hold, ``uniqueness`` what occurs once in a store;
``attribute_paths`` changes a profile; ``users``, ``groups``, ``memberships``, ``lookups`` and ``stores`` are
the operations.

What AWS does not document is decided here and marked "UNCONFIRMED at AWS" where it is decided.
"""

from idc_sandbox.api.identity_store import groups, lookups, memberships, stores, users

__all__ = ["groups", "lookups", "memberships", "stores", "users"]
